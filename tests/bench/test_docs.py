"""The guide on measuring, run as written."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.support.guides import blocks, run


def test_the_guide_runs_as_written(tmp_path: Path, make_bundle: Callable[..., Path]) -> None:
    (tmp_path / "my-bundle").symlink_to(make_bundle("bert", "text-classification"))
    (tmp_path / "other-bundle").symlink_to(make_bundle("bert", "text-classification", "fp32"))
    found = blocks("bench.md")
    assert len(found) == 2
    for kind, code in found:
        done = run(kind, code, tmp_path)
        assert done.returncode == 0, done.stderr
    assert "<svg" in (tmp_path / "chart.html").read_text()
    assert len(json.loads((tmp_path / "figures.json").read_text())["bundles"]) == 2
