"""The guide on exporting, run as written on a model with random weights."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import planted

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "export.md").read_text("utf-8")


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    model = planted.classifier(tmp_path / "my-model")
    planted.data(model, tmp_path / "eval.jsonl", clear=True)
    return tmp_path


def test_commands_and_code_run_as_written(workplace: Path) -> None:
    commands = re.findall(r"^\$ (cloister .*)$", GUIDE, re.MULTILINE)
    assert len(commands) >= 6
    shown: dict[str, str] = {}
    for command in commands:
        run = [sys.executable, "-m", "cloister.cli", *shlex.split(command)[1:]]
        done = subprocess.run(run, cwd=workplace, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stderr)
        shown[command] = done.stdout
    assert "int8 on cpu" in shown["cloister inspect ./my-bundle"]
    assert "accuracy" in shown["cloister inspect ./kept"]
    assert "int8 on cpu" in shown["cloister check ./gpu-bundle --provider cpu"]
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", code], cwd=workplace, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[0]) <= 0.02
