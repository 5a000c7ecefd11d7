"""One tiny model that writes text, as a folder and as a bundle, made once a session and never changed by a test."""

from pathlib import Path

import pytest

from cloister.export import export
from tests.generation.test_decoder import save


@pytest.fixture(scope="session")
def writer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("model"), "llama")


@pytest.fixture(scope="session")
def writer(tmp_path_factory: pytest.TempPathFactory, writer_folder: Path) -> Path:
    out = tmp_path_factory.mktemp("bundle") / "writer"
    export(writer_folder, out, precision="fp32")
    return out
