from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cloister.privacy import Policy
from cloister.privacy.redact import default_tagger


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return os.environ | {"XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))}


def run(home: dict[str, str], *arguments: str, text: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "cloister.cli", "redact", *arguments],
        input=text,
        capture_output=True,
        env=home,
        check=False,
    )


def test_prepare_and_text(home: dict[str, str]) -> None:
    prepared = run(home, "--prepare")
    assert prepared.returncode == 0
    assert prepared.stdout == b""
    assert list(Path(home["XDG_CACHE_HOME"]).rglob("*.hsdb"))
    done = run(home, text="Call me at 415-555-0132, 联系人:周晓岚\n".encode())
    assert done.stdout.decode() == "Call me at <PHONE_NUMBER_1>, 联系人:<PERSON_1>\n"
    installed = default_tagger(Policy.load("balanced")) is not None
    assert done.stderr.startswith(b"" if installed else b"note: no named-entity model is installed")
    assert bool(done.stderr) is not installed
    quiet = run(home, "--no-tagger", text=b"nothing")
    assert (quiet.stdout, quiet.stderr) == (b"nothing", b"")
    assert run(home, "--policy", "identifiers", text=b"nothing").stderr == b""


def test_json_lines(home: dict[str, str]) -> None:
    lines = b'{"id": 7, "text": "mail bob@example.org"}\nnonsense\n{"id": 8}\n'
    done = run(home, "--jsonl", "--policy", "identifiers", text=lines)
    assert done.returncode == 1
    first, second, third = (json.loads(line) for line in done.stdout.splitlines())
    assert first["text"] == "mail <EMAIL_ADDRESS_1>"
    assert first["spans"] == [
        {"start": 5, "end": 20, "entity": "EMAIL_ADDRESS", "score": 0.95, "replacement": "<EMAIL_ADDRESS_1>"}
    ]
    assert second["error"]["code"] == "invalid_input"
    assert third["id"] == 8
    assert done.stderr.splitlines()[0].startswith(b"error: ")
    assert b"nonsense" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "text", "code"),
    [(("--policy", "nowhere"), b"x", 1), ((), b"\xff\xfe", 1), (("--language", "fr"), b"x", 2)],
)
def test_errors(home: dict[str, str], arguments: tuple[str, ...], text: bytes, code: int) -> None:
    done = run(home, *arguments, text=text)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr
    assert done.stdout == b""
