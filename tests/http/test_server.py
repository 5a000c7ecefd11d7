"""`cloister serve` as a process: signals, slow and odd clients, and the clients of others."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.service import TASKS, Server

pytestmark = pytest.mark.enable_socket


def test_the_start_line_says_what_is_on(server: Server) -> None:
    assert "redaction by policy identifiers; no audit" in server.start_line


def test_the_openai_client_works_unchanged(server: Server) -> None:
    import openai

    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="unused")
    answer = client.embeddings.create(model="vectors", input=["one", "two"])
    plain = httpx.post(f"{server.url}/v1/embeddings", json={"model": "vectors", "input": ["one", "two"]}).json()
    assert [item.embedding for item in answer.data] == [item["embedding"] for item in plain["data"]]
    assert {model.id for model in client.models.list().data} == set(TASKS)
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="nobody", input="one")


def test_an_open_inference_client_works_unchanged(server: Server) -> None:
    """Triton's own client, in a process of its own: it replaces parts of the interpreter (gevent)."""
    pytest.importorskip("geventhttpclient", reason="no Open Inference client is installed")
    script = """
import sys, json
import numpy as np
import tritonclient.http as triton
client = triton.InferenceServerClient(sys.argv[1])
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("classes")
assert client.get_model_metadata("classes")["name"] == "classes"
text = triton.InferInput("text", [2], "BYTES")
text.set_data_from_numpy(np.array(["a first text".encode(), "三".encode()], dtype=object))
answer = client.infer("classes", [text])
print(json.dumps({"label": [x.decode() for x in answer.as_numpy("label")], "shape": answer.as_numpy("scores").shape}))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, f"127.0.0.1:{server.port}"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    body = {"model": "classes", "input": ["a first text", "三"]}
    plain = httpx.post(f"{server.url}/v1/classify", json=body).json()["data"]
    assert found == {"label": [item["label"] for item in plain], "shape": [2, 3]}


def test_http_1_0_and_half_closed_connections(server: Server) -> None:
    assert server.raw(b"GET /health/live HTTP/1.0\r\nHost: localhost\r\n\r\n").endswith(b'{"status":"live"}')
    body = b'{"model":"vectors","input":"a"}'
    head = b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
    answer = server.raw(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert answer.startswith(b"HTTP/1.1 200")


def test_a_client_that_stops_in_the_middle_costs_nothing(server: Server) -> None:
    head = b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    server.raw(head + b"Content-Length: 1000\r\n\r\n{", half_close=True)
    assert httpx.get(f"{server.url}/health/ready").status_code == 200


def test_malformed_requests(server: Server) -> None:
    assert server.raw(b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_a_flood_of_headers_is_refused(server: Server) -> None:
    flood = b"".join(b"X-%d: %s\r\n" % (i, b"y" * 1000) for i in range(200))
    assert b" 431 " in server.raw(b"GET /health/live HTTP/1.1\r\n" + flood).split(b"\r\n")[0]


def test_headers_that_never_end_are_cut_off(server: Server) -> None:
    started = time.monotonic()
    answer = server.raw(b"GET /health/live HTTP/1.1\r\nHost: loc")
    assert answer.startswith(b"HTTP/1.1 408")
    assert time.monotonic() - started < 15


def test_a_hundred_megabytes_are_refused_with_a_body(server: Server) -> None:
    response = httpx.post(
        f"{server.url}/v1/embeddings", content=b"x" * 100_000_000, headers={"content-type": "application/json"}
    )
    assert (response.status_code, response.json()["error"]["code"]) == (413, "request_too_large")

    def chunks() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 1_000_000

    response = httpx.post(f"{server.url}/v1/embeddings", content=chunks(), headers={"content-type": "application/json"})
    assert response.status_code == 413


def test_sigterm_finishes_what_was_accepted(bundles: dict[str, Path]) -> None:
    server = Server(f"vectors={bundles['vectors']}")
    texts = ["a few words of text " * 5] * 2000
    answers: list[httpx.Response] = []

    def ask() -> None:
        body = {"model": "vectors", "input": texts}
        answers.append(httpx.post(f"{server.url}/v1/embeddings", json=body, timeout=60))

    asking = threading.Thread(target=ask)
    asking.start()
    while "cloister_batches_total" not in (text := httpx.get(f"{server.url}/metrics").text) or not _batches(text):
        time.sleep(0.005)
    assert server.stop() == 0
    asking.join(30)
    assert answers[0].status_code == 200
    assert len(answers[0].json()["data"]) == 2000


def _batches(metrics: str) -> bool:
    return any(line.startswith("cloister_batches_total{") and 'done"' in line for line in metrics.splitlines())


def test_kill_leaves_no_hanging_caller(bundles: dict[str, Path]) -> None:
    server = Server(f"vectors={bundles['vectors']}")
    failed: list[Exception] = []

    def ask() -> None:
        try:
            httpx.post(f"{server.url}/v1/embeddings", json={"model": "vectors", "input": ["word"] * 2000}, timeout=30)
        except httpx.TransportError as error:
            failed.append(error)

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in asking:
        thread.start()
    os.kill(server.process.pid, signal.SIGKILL)
    for thread in asking:
        thread.join(20)
    assert not any(thread.is_alive() for thread in asking)
    assert not any(isinstance(error, httpx.TimeoutException) for error in failed)
    server.process.wait(10)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "0"], "no model to serve"),
        (["missing-bundle"], "no bundle at the given path"),
        (["a=x", "a=y"], "same name"),
        (["x", "--policy", "nonsense"], "policy"),
        (["x", "--audit-key", "k"], "no audit log"),
        (["x", "--audit", "log", "--audit-key", "missing.key"], "key file"),
        (["x", "--audit", "/dev/null"], "not a folder"),
        (["x", "--audit", "none/log"], "audit log"),
        (["x", "--host", "0.0.0.0"], "public"),  # noqa: S104
        (["x", "--memory-limit", "much"], "size"),
        (["x", "--config", "missing.toml"], "settings file"),
        (["x", "--tls-key", "k.pem"], "TLS"),
        (["x", "--port", "99999"], "port"),
    ],
)
def test_what_cannot_be_served_is_said_in_two_lines(arguments: list[str], said: str, tmp_path: Path) -> None:
    command = [str(Path(sys.executable).parent / "cloister"), "serve", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert [line.split(":")[0] for line in lines] == ["error", "hint"]
    assert said in lines[0] + lines[1]


def test_a_taken_port_is_said(server: Server, bundles: dict[str, Path]) -> None:
    command = [str(Path(sys.executable).parent / "cloister"), "serve", f"v={bundles['vectors']}"]
    done = subprocess.run([*command, "--port", str(server.port)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "error: the address cannot be bound" in done.stderr
    assert "Traceback" not in done.stderr
