"""Names in requests: the policy's tagger runs through a scheduler of its own, and where it cannot, nothing goes on."""

import asyncio
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloister import BundleError, Overloaded, Unavailable
from cloister.privacy import Redactor, redact
from cloister.runtime import tagger
from cloister.runtime.batching import Output
from cloister.runtime.online import OnlineEngine
from cloister.runtime.packing import Tokens
from tests.support.service import Client, Serve

TEXT = "Ana Lima met Joao in Lisbon; call 415-555-0132 or write to Rua Augusta."
POLICY = """
name = "named"
default = "keep"
threshold = 0.0
[category]
contact = "replace"
[entity.PERSON]
action = "replace"
[entity.PLACE]
action = "replace"
[labels]
PER = "PERSON"
LOC = "PLACE"
"""


@pytest.fixture
def named(tmp_path: Path, bundles: dict[str, Path]) -> str:
    """A policy with a tagging bundle of its own."""
    path = tmp_path / "named.toml"
    path.write_text(f'{POLICY}\n[tagger]\nbundle = "{bundles["names"]}"')
    return str(path)


@pytest.fixture
def installed(tmp_path: Path, make_bundle: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Tiny bundles in the place of those that come with Cloister; their folder."""
    home = tmp_path / "taggers"
    shutil.copytree(make_bundle("distilbert", "token-classification"), home / "english")
    shutil.copytree(make_bundle("modernbert", "token-classification"), home / "chinese")
    monkeypatch.setattr(tagger, "_FOLDER", home)
    redact._installed.cache_clear()
    yield home
    redact._installed.cache_clear()


def online(client: Client, name: str = "tagger:bundle") -> OnlineEngine:
    return dict(client.application.service.models.online())[name]


def metric(client: Client, name: str, model: str) -> float:
    found = re.search(rf'^{name}{{[^}}]*model="{re.escape(model)}"[^}}]*}} (\S+)$', client.get("/metrics").text, re.M)
    return float(found[1]) if found else 0.0


class Gate:
    """Stands before a model and lets nothing through until it is opened."""

    def __init__(self, model: Callable[[Sequence[Tokens]], Any]) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()
        self._model = model

    def __call__(self, tokens: Sequence[Tokens]) -> Any:
        self.entered.set()
        assert self.opened.wait(30)
        return self._model(tokens)


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Client], Gate]]:
    """Puts a gate before a client's tagger."""
    gates: list[Gate] = []

    def close(client: Client) -> Gate:
        encoder = online(client).engine.encoder
        gates.append(Gate(encoder.forward))
        monkeypatch.setattr(encoder, "forward", gates[-1])
        return gates[-1]

    yield close
    for gate in gates:
        gate.opened.set()


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model behind the guard must not be reached; the tagger may."""
    run = OnlineEngine.submit

    def submit(self: OnlineEngine, texts: Sequence[Any], **more: Any) -> Any:
        assert self.engine.task == "token-classification", "a text reached the model"
        return run(self, texts, **more)

    monkeypatch.setattr(OnlineEngine, "submit", submit)


def test_every_text_goes_through_the_scheduler_of_the_tagger(serve: Serve, named: str) -> None:
    client = serve("vectors", policy=named)
    before = metric(client, "cloister_batch_tokens_count", "tagger:bundle")
    answer = client.post("/v1/embeddings", {"model": "vectors", "input": TEXT})
    assert answer.json()["redacted"] == Redactor(named).redact(TEXT).counts
    assert answer.json()["redacted"].keys() >= {"PERSON", "PHONE_NUMBER"}
    assert metric(client, "cloister_batch_tokens_count", "tagger:bundle") > before
    assert metric(client, "cloister_queue_tokens", "tagger:bundle") == 0.0
    assert 'cloister_batches_total{model="tagger:bundle",result="done"}' in client.get("/metrics").text
    assert [model["id"] for model in client.get("/v1/models").json()["data"]] == ["vectors"]


def test_it_has_the_threads_and_bounds_of_the_models(serve: Serve, named: str) -> None:
    client = serve("vectors", policy=named, workers=3, batch_tokens=128, queue_tokens=4096)
    taggers, model = online(client), online(client, "vectors")
    assert (taggers.workers, taggers.scheduler.limits) == (model.workers, model.scheduler.limits)
    assert taggers.engine.threads == 1


def test_texts_of_one_request_share_batches(serve: Serve, named: str) -> None:
    client = serve("vectors", policy=named)
    before = metric(client, "cloister_batch_tokens_count", "tagger:bundle")
    texts = [f"Ana {number}" for number in range(32)]
    answer = client.post("/v1/redact", {"input": texts}).json()
    expected = Redactor(named)
    assert [item["text"] for item in answer["data"]] == [expected.redact(text).text for text in texts]
    assert metric(client, "cloister_batch_tokens_count", "tagger:bundle") - before <= 8


def test_the_installed_tagger_is_scheduled_by_script(serve: Serve, installed: Path, tmp_path: Path) -> None:
    (tmp_path / "plain.toml").write_text(POLICY)
    client = serve("vectors", policy=str(tmp_path / "plain.toml"))
    assert {name for name, _ in client.application.service.models.online()} == {
        "vectors",
        "tagger:latin",
        "tagger:han",
    }
    texts = [TEXT, "王小明住在北京市朝阳区。", "12:30", "Ana 和王小明 met"]
    answer = client.post("/v1/redact", {"input": texts}).json()
    redactor = Redactor(tmp_path / "plain.toml")
    assert [item["text"] for item in answer["data"]] == [redactor.redact(text).text for text in texts]
    assert metric(client, "cloister_batch_tokens_count", "tagger:han") > 0
    assert client.get("/health/ready").status_code == 200


@pytest.mark.usefixtures("installed")
def test_a_policy_without_names_has_no_tagger_and_no_threads_for_it(serve: Serve) -> None:
    client = serve("vectors")
    assert [name for name, _ in client.application.service.models.online()] == ["vectors"]
    assert not client.application.service.guard.slow
    assert client.application.service._waiting is None


def test_a_damaged_bundle_stops_the_start(installed: Path, serve: Serve) -> None:
    graph = next((installed / "english").glob("*.onnx"))
    graph.write_bytes(graph.read_bytes()[:-1] + b"x")
    with pytest.raises(BundleError):
        serve("vectors", policy="balanced")


@pytest.mark.usefixtures("untouched")
def test_the_deadline_of_the_request_is_that_of_the_tagger(
    serve: Serve, named: str, closed: Callable[[Client], Gate]
) -> None:
    client = serve("vectors", policy=named)
    closed(client)
    for path, body in (("/v1/embeddings", {"model": "vectors", "input": TEXT}), ("/v1/redact", {"input": TEXT})):
        started = time.monotonic()
        answer = client.post(path, body, headers={"x-request-timeout-ms": "100"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (504, "deadline_exceeded")
        assert time.monotonic() - started < 10


@pytest.mark.usefixtures("untouched")
def test_a_full_queue_is_429(serve: Serve, named: str, closed: Callable[[Client], Gate]) -> None:
    client = serve("vectors", policy=named, workers=1, queue_tokens=64)
    gate = closed(client)
    body = {"model": "vectors", "input": "Ana " * 40}

    async def crowd() -> list[httpx.Response]:
        async def ask() -> httpx.Response:
            return await client.http.post("/v1/embeddings", json=body, headers={"x-request-timeout-ms": "2000"})

        first = asyncio.ensure_future(ask())
        await asyncio.to_thread(gate.entered.wait, 30)
        return await asyncio.gather(first, *(ask() for _ in range(4)))

    answers = client.runner.run(crowd())
    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.status_code for answer in answers} == {429, 504}
    assert len(refused) >= 3
    assert {answer.json()["error"]["code"] for answer in refused} == {"overloaded"}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)


@pytest.mark.usefixtures("untouched")
def test_a_tagger_that_fails_lets_nothing_on(serve: Serve, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve("vectors", policy=named)

    def broken(tokens: Sequence[Tokens]) -> list[Output]:
        raise RuntimeError("canary")

    monkeypatch.setattr(online(client).engine.encoder, "forward", broken)
    answer = client.post("/v1/embeddings", {"model": "vectors", "input": TEXT})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "redaction_failed")
    assert "canary" not in answer.text
    assert "Ana" not in answer.text
    assert metric(client, "cloister_batches_total", "tagger:bundle") > 0
    monkeypatch.setattr("cloister.runtime.models._FRESH_SECONDS", 0.0)
    assert client.get("/health/ready").status_code == 503


def test_labels_pass_the_tagger_too(serve: Serve, named: str) -> None:
    client = serve("topics", policy=named)
    labels = [TEXT, "weather"]
    answer = client.post("/v1/classify", {"model": "topics", "input": "rain", "labels": labels}).json()
    assert answer["redacted"]["PHONE_NUMBER"] == 1
    assert set(answer["data"][0]["scores"]) == set(labels)


def test_it_stops_with_the_service(serve: Serve, named: str) -> None:
    client = serve("vectors", policy=named)
    client.post("/v1/redact", {"input": TEXT})
    taggers = online(client)
    threads = client.application.service._waiting
    client.close()
    with pytest.raises(Unavailable):
        taggers.submit(["Ana"])
    assert threads is not None
    with pytest.raises(RuntimeError):
        threads.submit(print)


def test_a_request_that_cannot_be_tagged_in_time_is_refused_at_once(
    serve: Serve, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve("vectors", policy=named)

    def full(timeout: float) -> None:
        raise Overloaded("the queue is full", hint="try again later, or start more servers")

    monkeypatch.setattr(online(client).scheduler, "admit", full)
    answer = client.post("/v1/embeddings", {"model": "vectors", "input": TEXT})
    assert answer.status_code == 429
    assert "retry-after" in answer.headers
