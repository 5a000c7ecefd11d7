"""A bundle of every format version that was ever released stays readable, and computes what it computed."""

from pathlib import Path

import pytest

from cloister.runtime import Classification, load

DATA = Path(__file__).resolve().parents[1] / "data"


@pytest.mark.parametrize("version", [1])
def test_old_bundles_stay_readable(version: int) -> None:
    engine = load(DATA / f"bundle_v{version}", check=True)
    assert engine.manifest.format_version == version
    (result,) = engine.predict(["Where is my parcel?"])
    assert isinstance(result, Classification)
    assert engine.labels == ("negative", "positive")
