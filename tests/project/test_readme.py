"""README's commands and code, run as written on a model of the same architecture with random weights."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cloister.privacy import AuditLog, keygen
from cloister.privacy.keyfiles import read_secret_key

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
SST = "distilbert-base-uncased-finetuned-sst-2-english"


@pytest.fixture
def workplace(tmp_path: Path, make_model: Callable[..., Path], make_bundle: Callable[..., Path]) -> Path:
    model = make_model("distilbert", "text-classification", labels=["NEGATIVE", "POSITIVE"])
    (tmp_path / "my-model").symlink_to(model)
    (tmp_path / SST).symlink_to(model)
    lines = "\n".join(json.dumps({"text": f"text number {i} of this domain"}) for i in range(40))
    (tmp_path / "texts.jsonl").write_text(lines)
    (tmp_path / "base").symlink_to(make_model("bert", "feature-extraction"))
    (tmp_path / "embedding-bundle").symlink_to(make_bundle("bert", "feature-extraction"))
    examples = [{"text": f"{word} {i}", "label": word} for word in ("parcel", "refund") for i in range(10)]
    for name in ("examples.jsonl", "train.jsonl"):
        (tmp_path / name).write_text("\n".join(map(json.dumps, examples)))
    keygen.generate(tmp_path / "device", "device")
    with AuditLog(tmp_path / "log", read_secret_key(tmp_path / "device" / "audit.key")) as log:
        (tmp_path / "kept-elsewhere.txt").write_bytes(log.checkpoint())
    return tmp_path


def test_commands_and_code_run_as_written(workplace: Path) -> None:
    found = [c.split("  #")[0] for c in re.findall(r"^\$ (cloister .*)$", README, re.MULTILINE)]
    commands = [c for c in found if not c.startswith("cloister serve")]  # tests/http/test_docs.py runs that one
    assert len(commands) >= 7
    seen: set[str] = set()
    for command in commands:
        arguments = shlex.split(command)[1:]
        if arguments[0] == "export" and arguments[2] in seen:
            arguments.append("--force")
        seen.update(arguments[2:3])
        done = subprocess.run(
            [sys.executable, "-m", "cloister.cli", *arguments],
            cwd=workplace,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (command, done.stderr)
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", code], cwd=workplace, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 2


def test_the_piped_example_runs_as_written(workplace: Path) -> None:
    line = next(x for x in README.splitlines() if x.startswith("$ printf"))
    stdin = line.split("'")[1].encode().decode("unicode_escape")
    run = [sys.executable, "-m", "cloister.cli"]
    subprocess.run([*run, "export", "my-model", "my-bundle"], cwd=workplace, check=True, capture_output=True)
    done = subprocess.run(
        [*run, "predict", "my-bundle"], cwd=workplace, input=stdin, capture_output=True, text=True, check=True
    )
    assert [line[:8] for line in done.stdout.splitlines()] == ['{"id": 1', '{"id": 2']


def test_the_redaction_example_gives_what_it_shows() -> None:
    shown = re.search(r"\$ echo '(.*)' \| cloister redact (.*)\n(.*)\n", README)
    assert shown
    done = subprocess.run(
        [sys.executable, "-m", "cloister.cli", "redact", *shlex.split(shown[2])],
        input=shown[1] + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == shown[3]


def test_every_target_and_file_that_is_named_exists() -> None:
    makefile = "\n".join(p.read_text() for p in [ROOT / "Makefile", *sorted(ROOT.glob("*.mk"))])
    for target in re.findall(r"`?make ([a-z-]+)", README):
        assert f"\n{target}:" in makefile
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / path).exists(), path
