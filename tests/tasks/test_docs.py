"""The guide on tasks: its commands and its code, run in order and as written, on tiny models with random weights."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cloister.cli import app

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "tasks.md").read_text("utf-8")
BLOCKS = re.findall(r"```(console|python|json)\n(.*?)```", GUIDE, re.DOTALL)
FIELDS = {"topics": "scores", "words": "masks", "similar": "score", "roles": "entities"}


def _models(make_model: Callable[..., Path]) -> dict[str, Path]:
    several: dict[str, Any] = {"labels": ["urgent", "spam", "question"], "problem_type": "multi_label_classification"}
    return {
        "nli-model": make_model("bert", "zero-shot-classification"),
        "multi-label-model": make_model("bert", "text-classification", **several),
        "masked-model": make_model("bert", "fill-mask"),
        "embedding-model": make_model("bert", "sentence-similarity"),
        "cross-encoder": make_model("bert", "text-ranking"),
        "role-model": make_model("bert", "token-classification"),
    }


def test_the_guide_runs_as_written(
    tmp_path: Path, make_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, folder in _models(make_model).items():
        (tmp_path / name).symlink_to(folder)
    ran = 0
    for kind, block in BLOCKS:
        if kind == "json":
            data = Path(__file__).resolve().parents[2] / "docs" / "data" / "roles.jsonl"
            assert json.loads(block) in map(json.loads, data.read_text("utf-8").splitlines())
        elif kind == "python":
            exec(compile(block, "tasks.md", "exec"), {})  # noqa: S102 - our own guide
            ran += 1
        else:
            for line in re.findall(r"^\$ (.*)$", block, re.MULTILINE):
                _command(line)
                ran += 1
    assert ran >= 11


def _command(line: str) -> None:
    piped, _, command = line.rpartition(" | ")
    stdin = shlex.split(piped)[1] + "\n" if piped else ""
    arguments = shlex.split(command)[1:]
    done = CliRunner().invoke(app, arguments, input=stdin)
    assert done.exit_code == 0, (line, done.output, done.exception)
    if arguments[0] == "predict":
        assert FIELDS[arguments[1]] in json.loads(done.stdout)
