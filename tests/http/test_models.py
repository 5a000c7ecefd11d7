"""Models come, change and go while requests run; workers die; every request has exactly one answer."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloister import AuditError
from cloister.privacy import RedactionError
from cloister.runtime.batching import Output
from cloister.runtime.encoder import Encoder
from cloister.runtime.guard import Guarded
from cloister.runtime.packing import Tokens
from cloister.runtime.trail import Trail
from tests.support.service import Serve

ADMIN = {"authorization": "Bearer an-admin-key-long-enough"}


@pytest.fixture
def folder(tmp_path: Path, bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLOISTER_ADMIN_KEY", "an-admin-key-long-enough")
    shutil.copytree(bundles["vectors"], tmp_path / "models" / "one")
    shutil.copytree(bundles["classes"], tmp_path / "models" / "two")
    return tmp_path / "models"


def test_load_swap_unload(serve: Serve, folder: Path) -> None:
    client = serve("names", models=str(folder))
    index = client.post("/v2/repository/index", {}).json()
    assert {m["name"]: m["state"] for m in index} == {"names": "READY", "one": "UNAVAILABLE", "two": "UNAVAILABLE"}
    assert client.post("/v2/repository/models/one/load", {}, headers=ADMIN).status_code == 200
    assert client.post("/v1/embeddings", {"model": "one", "input": "a"}).status_code == 200
    assert client.post("/v2/repository/models/one/load", {}, headers=ADMIN).status_code == 200
    assert client.get("/v2/models/one").json()["versions"] == ["2"]
    assert client.post("/v2/repository/models/one/unload", {}, headers=ADMIN).status_code == 200
    assert client.post("/v1/embeddings", {"model": "one", "input": "a"}).status_code == 404


def test_only_names_of_the_folder_and_only_with_the_admin_key(serve: Serve, folder: Path) -> None:
    client = serve("names", models=str(folder))
    (folder / "note.txt").write_text("x")
    (folder / "empty").mkdir()
    for name in ("three", "note.txt", "empty", "..", "%2e%2e%2fmodels%2fone", ".", "a%2fb"):
        response = client.post(f"/v2/repository/models/{name}/load", {}, headers=ADMIN)
        assert response.status_code == 404
    assert client.post("/v2/repository/models/one/load", {}).status_code == 401


def test_a_damaged_bundle_is_refused_and_the_old_one_stays(serve: Serve, folder: Path) -> None:
    client = serve("names", models=str(folder))
    assert client.post("/v2/repository/models/one/load", {}, headers=ADMIN).status_code == 200
    graph = next(folder.joinpath("one").glob("*.onnx"))
    graph.write_bytes(graph.read_bytes()[:-1] + b"x")
    assert client.post("/v2/repository/models/one/load", {}, headers=ADMIN).status_code == 422
    assert client.post("/v1/embeddings", {"model": "one", "input": "a"}).status_code == 200


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_every_request_has_one_answer_while_models_are_swapped_and_workers_die(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """600 requests, three swaps and three killed workers; the load benchmark does the same with 10,000."""
    client = serve("names", models=str(folder))
    client.post("/v2/repository/models/one/load", {}, headers=ADMIN)
    forward, killed, victim = Encoder.forward, 0, "word " * 11
    fatal = len(client.application.service.models.get("one").engine.tokenize([victim])[0])

    def deadly(self: Encoder, tokens: Sequence[Tokens]) -> Any:
        nonlocal killed
        if any(len(t) == fatal for t in tokens) and killed < 3:
            killed += 1
            raise SystemExit
        return forward(self, tokens)

    async def ask(number: int) -> int:
        text = victim if number in (100, 250, 400) else "word " * (number % 10 + 1)
        return (await client.http.post("/v1/embeddings", json={"model": "one", "input": text})).status_code

    async def swap() -> None:
        for _ in range(3):
            response = await client.http.post("/v2/repository/models/one/load", json={}, headers=ADMIN)
            assert response.status_code == 200

    async def everything() -> list[int]:
        answers = asyncio.gather(*(ask(number) for number in range(600)))
        await swap()
        return list(await asyncio.wait_for(answers, 60))

    monkeypatch.setattr(Encoder, "forward", deadly)
    statuses = Counter(client.runner.run(everything()))
    assert killed == 3
    assert set(statuses) <= {200, 503}
    assert statuses[200] >= 400
    assert statuses[503] >= 3


def test_a_failing_model_is_not_ready(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve("vectors")
    assert client.get("/health/ready").status_code == 200

    def broken(self: Encoder, tokens: Sequence[Tokens]) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr(Encoder, "forward", broken)
    monkeypatch.setattr("cloister.runtime.models._FRESH_SECONDS", 0.0)
    assert client.get("/health/ready").status_code == 503
    response = client.post("/v1/embeddings", {"model": "vectors", "input": "a"})
    assert (response.status_code, response.json()["error"]["code"]) == (500, "model_failed")
    assert "broken" not in response.text


class BrokenGuard:
    """Cannot be sure of anything."""

    name, digest, slow, notice = "broken", "0" * 64, False, ""

    def admit(self, text: str, language: str = "auto") -> Guarded:
        raise RedactionError("a recognizer failed", hint="the text was refused")


class Ledger:
    """An audit in memory; `broken` makes it fail."""

    enabled = True

    def __init__(self) -> None:
        self.records: list[tuple[str, int, str | None, str]] = []
        self.broken = False

    async def accepted(self, trail: Trail, request: bytes) -> int:
        raise NotImplementedError

    async def finished(self, trail: Trail, request: bytes, answer: bytes) -> int:
        if self.broken:
            raise AuditError("the disk is full", hint="make room")
        self.records.append((trail.route, trail.status, trail.code, trail.decision))
        return len(self.records) - 1

    def refused(self, code: str) -> None:
        pass

    def passed(self, route: str) -> None:
        pass

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass


def test_where_redaction_fails_nothing_reaches_the_model(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve("vectors", parts={"guard": BrokenGuard()})

    def never(self: Any, batch: Sequence[Tokens]) -> Iterable[Output]:
        raise AssertionError("a text reached the model")

    monkeypatch.setattr("cloister.runtime.online._EncoderModel.run", never)
    response = client.post("/v1/embeddings", {"model": "vectors", "input": "a"})
    assert response.status_code == 503


def test_every_request_is_recorded_before_its_answer(serve: Serve) -> None:
    ledger = Ledger()
    client = serve("vectors", parts={"audit": ledger})
    ok = client.post("/v1/embeddings", {"model": "vectors", "input": "a"})
    bad = client.post("/v1/embeddings", {"model": "nobody", "input": "a"})
    unparsed = client.post("/v1/embeddings", {"model": 7})
    assert [ok.headers["x-audit-index"], bad.headers["x-audit-index"]] == ["0", "1"]
    assert "x-audit-index" not in unparsed.headers
    assert ledger.records == [
        ("/v1/embeddings", 200, None, "allowed"),
        ("/v1/embeddings", 404, "unknown_model", "refused"),
    ]


def test_no_answer_leaves_unaudited(serve: Serve) -> None:
    ledger = Ledger()
    client = serve("vectors", parts={"audit": ledger})
    ledger.broken = True
    response = client.post("/v1/embeddings", {"model": "vectors", "input": "a"})
    assert (response.status_code, response.json()["error"]["code"]) == (503, "audit_failed")
    assert "embedding" not in response.text


def test_a_client_that_leaves_is_recorded_and_its_request_leaves_the_queue(serve: Serve) -> None:
    ledger = Ledger()
    client = serve("vectors", parts={"audit": ledger})
    scheduler = client.application.service.models.get("vectors").batched.scheduler
    sent: list[Mapping[str, Any]] = []

    async def leave() -> None:
        body = b'{"model":"vectors","input":"a"}'
        messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        messages.put_nowait({"type": "http.request", "body": body})
        messages.put_nowait({"type": "http.disconnect"})

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/embeddings",
            "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
            "client": ("10.0.0.1", 1),
            "query_string": b"",
            "root_path": "",
        }
        with scheduler._ready:  # no worker can take anything meanwhile
            await asyncio.wait_for(client.application(scope, messages.get, send), 10)

    client.runner.run(leave())
    assert sent == []
    assert ledger.records == [("/v1/embeddings", 499, "client_left", "abandoned")]
    assert scheduler.waiting_tokens == 0


def test_a_deadline_is_kept(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    client = serve("vectors")
    gate = threading.Event()
    forward = Encoder.forward

    def held(self: Encoder, tokens: Sequence[Tokens]) -> Any:
        gate.wait(20)
        return forward(self, tokens)

    monkeypatch.setattr(Encoder, "forward", held)
    body = {"model": "vectors", "input": "a"}
    response = client.post("/v1/embeddings", body, headers={"x-request-timeout-ms": "30"})
    gate.set()
    assert (response.status_code, response.json()["error"]["code"]) == (504, "deadline_exceeded")


def test_a_full_queue_answers_429(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve("vectors", queue_tokens=20, workers=1)

    async def many() -> list[httpx.Response]:
        body = {"model": "vectors", "input": "one two three four five six seven"}
        return list(await asyncio.gather(*(client.http.post("/v1/embeddings", json=body) for _ in range(30))))

    responses = client.runner.run(many())
    statuses = Counter(r.status_code for r in responses)
    assert set(statuses) == {200, 429}
    assert all(int(r.headers["retry-after"]) >= 1 for r in responses if r.status_code == 429)


def test_a_memory_limit_refuses_requests_and_models(serve: Serve, folder: Path) -> None:
    client = serve("names", models=str(folder))
    memory = client.application.service._memory
    memory.limit, memory._at = 1, -1.0
    assert client.post("/v1/tag", {"model": "names", "input": "a"}).status_code == 429
    assert client.post("/v2/repository/models/one/load", {}, headers=ADMIN).status_code == 429


def test_nothing_is_served_without_models(folder: Path, serve: Serve) -> None:
    client = serve("names", models=str(folder))
    client.post("/v2/repository/models/names/unload", {}, headers=ADMIN)
    assert client.get("/health/ready").status_code == 503


def test_traces_have_the_stages_and_no_content(serve: Serve, capfd: pytest.CaptureFixture[str]) -> None:
    client = serve("vectors", traces="console")
    client.post("/v1/embeddings", {"model": "vectors", "input": "a canary zyxcanary77 sings"})
    tracer = client.application.tracer
    assert tracer is not None
    tracer.close()
    printed = capfd.readouterr().err
    for name in ("/v1/embeddings", "redact", "tokenize", "run", "finish"):
        assert f'"name": "{name}"' in printed
    assert "zyxcanary77" not in printed
