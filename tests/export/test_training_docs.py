"""The guide from data to bundle: every example runs as written, on tiny models and data."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cloister.export.labelled import read_labelled

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "training.md").read_text("utf-8")
WORDS = {"card_arrival": "my card has not come", "lost_card": "i cannot find the card", "charge": "i was charged twice"}


def lines(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")


@pytest.fixture(scope="module")
def workplace(make_model: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("guide")
    base = make_model("bert", "feature-extraction")
    shutil.copytree(base, folder / "all-MiniLM-L6-v2")
    modules = [("Transformer", ""), ("Pooling", "1_Pooling")]
    listed = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, path) in enumerate(modules)
    ]
    (folder / "all-MiniLM-L6-v2" / "modules.json").write_text(json.dumps(listed))
    (folder / "all-MiniLM-L6-v2" / "1_Pooling").mkdir()
    (folder / "all-MiniLM-L6-v2" / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    shutil.copytree(base, folder / "my-base", ignore=shutil.ignore_patterns("*.safetensors"))
    rows: list[dict[str, object]] = [
        {"text": f"{words} {i}", "label": label} for i in range(12) for label, words in WORDS.items()
    ]
    lines(folder / "train.jsonl", rows)
    lines(folder / "examples.jsonl", rows[:24])
    lines(folder / "descriptions.jsonl", [{"label": label, "description": words} for label, words in WORDS.items()])
    lines(folder / "texts.jsonl", [{"text": row["text"]} for row in rows])
    lines(
        folder / "entities.jsonl",
        [{"text": f"Ann met Bob {i}", "entities": [{"start": 0, "end": 3, "label": "PER"}]} for i in range(12)],
    )
    return folder


def test_every_example_runs(workplace: Path) -> None:
    commands = re.findall(r"^\$ (cloister .*)$", GUIDE, re.MULTILINE)
    assert len(commands) >= 10
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", "cloister.cli", *shlex.split(command)[1:]],
            cwd=workplace,
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
        assert done.returncode == 0, (command, done.stderr)
        if command.startswith("cloister predict"):
            assert 0 <= json.loads(done.stdout)["out_of_scope"] <= 1
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=workplace, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2


def test_the_lines_of_the_guide_are_read(tmp_path: Path) -> None:
    (block,) = re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)
    kinds = []
    for number, line in enumerate(block.strip().split("\n")):
        row = json.loads(line)
        rows = [row]
        if "label" in row:
            rows.append({**row, "text": "another", "label": [] if isinstance(row["label"], list) else "other"})
        if "score" in row:
            rows.append({**row, "score": 0})
        lines(tmp_path / f"{number}.jsonl", rows)
        kinds.append(read_labelled(tmp_path / f"{number}.jsonl").kind)
    assert kinds == ["single_label", "multi_label", "regression", "tagging", "question_answering"]


@pytest.mark.parametrize("command", ["finetune", "fewshot"])
def test_help_has_an_example(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cloister.cli", command, "--help"], capture_output=True, text=True, check=True
    )
    assert f"cloister {command} " in done.stdout
    assert "Example" in done.stdout
