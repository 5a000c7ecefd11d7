"""docs/generation.md runs as written, on a tiny model."""

from pathlib import Path

from tests.generation.test_decoder import save
from tests.support.guides import blocks, run


def test_the_guide_runs_as_written(tmp_path: Path) -> None:
    save(tmp_path / "assistant-model", "llama")
    found = blocks("generation.md")
    assert len(found) == 4
    for kind, code in found:
        done = run(kind, code, tmp_path)
        assert done.returncode == 0, (code, done.stdout, done.stderr)
