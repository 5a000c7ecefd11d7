"""The guides on the audit log and on a model on a device: every command in them is run as written."""

import os
import shutil
import signal
import socket
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from cloister.privacy.keyfiles import write_key_pair
from cloister.privacy.notes import SecretKey
from tests.support.guides import ROOT, blocks, run
from tests.support.service import Server

pytestmark = pytest.mark.enable_socket


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.skipif(shutil.which("curl") is None, reason="the guide uses curl")
def test_a_model_on_a_device_and_whoever_tampers_is_caught(tmp_path: Path) -> None:
    (tmp_path / "my-bundle").symlink_to(ROOT / "tests" / "data" / "bundle_v1")
    port = str(free_port())
    printed = []
    try:
        for kind, code in blocks("edge.md"):
            done = run(kind, code.replace("8000", port), tmp_path)
            assert done.returncode == (1 if kind == "sh fails" else 0), (code, done.stdout, done.stderr)
            printed.append(done)
    finally:
        with suppress(OSError, ValueError):
            os.kill(int((tmp_path / "serve.pid").read_text()), signal.SIGKILL)
    output = "\n".join(done.stdout + done.stderr for done in printed)
    for said in (
        "cosigned by",
        "holds: record 1 is in the log",
        "problem: record 1 was changed, or its hash was",
        "error: the audit log does not verify: 3 problems",
        "the first 2 records are not those that the kept checkpoint covers",
    ):
        assert said in output
    tampering = printed[-2]
    assert "error:" in tampering.stderr
    assert "Traceback" not in output
    proof = (tmp_path / "elsewhere" / "request.tlog-proof").read_bytes()
    assert b"415" not in proof


def test_the_guide_on_the_audit_log_runs_as_written(tmp_path: Path, bundles: dict[str, Path]) -> None:
    write_key_pair(tmp_path / "audit.key", tmp_path / "audit.pub", SecretKey.generate("example.com/log"))
    write_key_pair(tmp_path / "witness.key", tmp_path / "witness.pub", SecretKey.generate("example.com/witness"))
    key = ("--audit-key", str(tmp_path / "audit.key"))
    server = Server(f"sentiment={bundles['classes']}", "--audit", str(tmp_path / "log"), *key)
    body = b'{"model":"sentiment","input":"a delight"}'
    try:
        headers = {"content-type": "application/json"}
        answer = httpx.post(f"{server.url}/v1/classify", content=body, headers=headers)
        index = answer.headers["x-audit-index"]
        (tmp_path / "body").write_bytes(body)
        scripts = [code for kind, code in blocks("audit.md") if kind == "python"]
        for kind, code in blocks("audit.md"):
            arguments = [str(tmp_path / "log"), index, "body"] if code == scripts[0] else []
            done = run(kind, code, tmp_path, *arguments)
            assert done.returncode == 0, (code, done.stdout, done.stderr)
            if code == scripts[0]:
                assert done.stdout == "True\n"
            if code == scripts[1]:
                assert done.stdout == "1 2\n"
    finally:
        assert server.stop() == 0
