"""The guide on translation, run as written on models with random weights."""

import shutil
from pathlib import Path

from tests.seq2seq.conftest import Made
from tests.support.guides import blocks, run

NAMES = {
    "opus-en-many": "marian_to_many",
    "nllb": "nllb",
    "m2m100": "m2m100",
    "mbart-50": "mbart",
    "mbart-en-ro": "mbart_pair",
    "t5-summary": "t5",
    "mt5": "mt5",
    "bart": "bart",
}


def test_the_guide_runs_as_written(made: Made, tmp_path: Path) -> None:
    shutil.copytree(made("calm_marian")[0], tmp_path / "my-model")
    for name, family in NAMES.items():
        shutil.copytree(made(family)[1], tmp_path / name)
    said = ""
    found = blocks("translation.md")
    for kind, code in found:
        done = run(kind, code, tmp_path)
        if kind == "sh fails":
            assert done.returncode == 1
            assert done.stderr.startswith("error: this model needs a target language\nhint: pass target, one of ")
        else:
            assert done.returncode == 0, done.stderr
        said += done.stdout
    assert {kind for kind, _ in found} == {"sh", "sh fails", "python"}
    assert "memory_limit" in said
    assert "summarize: " in said
    assert all(name in "".join(code for _, code in found) for name in NAMES)
