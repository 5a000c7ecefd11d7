"""The guide on serving: every example in it is run as written, against a service on another port."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.service import Server

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "serving.md").read_text("utf-8")
SHELL = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
PYTHON = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def served(tmp_path: Path, bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> "tuple[Path, Server]":
    monkeypatch.setenv("CLOISTER_ADMIN_KEY", "an-admin-key-long-enough")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "minilm").symlink_to(bundles["vectors"])
    (tmp_path / "my-bundle").symlink_to(bundles["vectors"])
    server = Server(f"minilm={bundles['vectors']}", "--models", str(tmp_path / "models"))
    return tmp_path, server


def test_every_example_runs(served: "tuple[Path, Server]") -> None:
    folder, server = served
    try:
        printed = [run(code, folder, server.port) for code in PYTHON]
        assert printed[0].split()[0] == "2"
        assert printed[1].startswith("(2, ")
        assert printed[2] == "3"
        outputs = [
            subprocess.run(
                ["bash", "-ec", _here(code, server.port)], cwd=folder, capture_output=True, text=True, check=True
            ).stdout
            for code in SHELL
        ]
        assert json.loads(outputs[0])["redacted"] == {"CREDIT_CARD": 1}
        assert outputs[2] == "{}"
        assert re.fullmatch(r"alice sha256:[0-9a-f]{64}\n", (folder / "keys").read_text())
    finally:
        assert server.stop() == 0
    first = server.start_line.replace(str(server.port), "8000").strip()
    assert first in GUIDE


def run(code: str, folder: Path, port: int) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _here(code, port)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _here(code: str, port: int) -> str:
    return code.replace(":8000", f":{port}")
