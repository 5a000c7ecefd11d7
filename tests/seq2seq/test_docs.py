"""The guide on translation, run as written on a model with random weights."""

from pathlib import Path

from tests.seq2seq.test_export import marian
from tests.support.guides import blocks, run


def test_the_guide_runs_as_written(tmp_path: Path) -> None:
    marian(tmp_path / "my-model")
    found = blocks("translation.md")
    assert [kind for kind, _ in found] == ["sh", "sh", "python"]
    for kind, code in found:
        done = run(kind, code, tmp_path)
        assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 3
