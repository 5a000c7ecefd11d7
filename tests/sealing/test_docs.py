"""The guide on sealing: its fleet walk-through runs as written, from the first key to the last."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.service import Server

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "sealing.md").read_text("utf-8")
# A block that is meant to fail is followed by what it prints.
BLOCKS = re.findall(r"```(sh|sh fails|python)\n(.*?)```\n(?:\n((?: {4}(?:error|hint): [^\n]*\n)+))?", GUIDE, re.DOTALL)


def test_the_walk_through_runs_as_written(tmp_path: Path) -> None:
    (tmp_path / "my-bundle").symlink_to(ROOT / "tests" / "data" / "bundle_v1")
    (tmp_path / "texts.jsonl").write_text('{"text": "a delight"}\n')
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    kinds = [kind for kind, _, _ in BLOCKS]
    assert kinds.count("sh") >= 7
    assert kinds.count("sh fails") == 2
    assert "python" in kinds
    for kind, code, shown in BLOCKS:
        command = [sys.executable, "-c", code] if kind == "python" else ["bash", "-euc", code]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        if kind == "sh fails":
            assert done.returncode == 1, code
            assert done.stderr == re.sub(r"^    ", "", shown, flags=re.MULTILINE)
        else:
            assert done.returncode == 0, (code, done.stderr)
    assert (tmp_path / "opened.jsonl").read_bytes() == (tmp_path / "texts.jsonl").read_bytes()
    assert '"sentiment": 4' in (tmp_path / "kitchen-next" / "minimum.json").read_text()
    names = {p.name for p in (tmp_path / "sealed-1").iterdir()}
    assert names == {"seal.json", "seal.sig", *(f"{n:03d}.age" for n in range(6))}


def test_the_readme_runs_as_written(tmp_path: Path) -> None:
    (code,) = re.findall(r"```sh\n(cloister keygen .*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "my-bundle").symlink_to(ROOT / "tests" / "data" / "bundle_v1")
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-euc", code], cwd=tmp_path, env=environment, capture_output=True, check=True)
    assert b'"label"' in done.stdout


@pytest.mark.enable_socket
def test_the_service_runs_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.support.seals import ground

    (tmp_path / "made").mkdir()
    made = ground(tmp_path / "made", ROOT / "tests" / "data" / "bundle_v1")
    for link, target in (("kitchen", "device"), ("office", "publisher"), ("sealed-4", "current")):
        (tmp_path / link).symlink_to(made.folder / target)
    (line,) = re.findall(r"^\$ cloister serve (.*)$", GUIDE, re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    server = Server(*line.replace("sentiment=sentiment", "sentiment=default").split())
    try:
        assert "serves sentiment" in server.start_line
    finally:
        assert server.stop() == 0


def test_every_setting_that_is_named_exists() -> None:
    from cloister.runtime.settings import PREFIX, Settings

    named = re.findall(rf"{PREFIX}([A-Z_]+)", GUIDE)
    assert named
    assert {name.lower() for name in named} <= set(Settings.__struct_fields__)


def test_every_claim_names_a_test_that_exists() -> None:
    table = (ROOT / "SECURITY.md").read_text("utf-8").split("## Sealed bundles")[1]
    rows = re.findall(r"^\| (?!claim|---)(.+) \|$", table, re.MULTILINE)
    named = re.findall(r"`(tests/[a-z_/]+\.py)::(test_\w+)` \|$", table, re.MULTILINE)
    assert len(named) == len(rows) > 10
    for file, test in named:
        assert f"def {test}(" in (ROOT / file).read_text("utf-8"), test
