"""Seals of the golden bundle, made once a session and never changed by a test."""

import shutil
from pathlib import Path

import pytest

from tests.support.seals import Ground
from tests.support.seals import ground as make

BUNDLE = Path(__file__).resolve().parents[1] / "data" / "bundle_v1"


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return make(tmp_path_factory.mktemp("seals"), BUNDLE)


@pytest.fixture
def sealed(tmp_path: Path, ground: Ground) -> Path:
    """A sealed bundle that a test may damage."""
    return Path(shutil.copytree(ground.current, tmp_path / "sealed"))


@pytest.fixture
def keys(tmp_path: Path, ground: Ground) -> Path:
    """The device's keys, with a stored minimum of their own."""
    return Path(shutil.copytree(ground.folder / "device", tmp_path / "keys"))
