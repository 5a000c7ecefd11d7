"""From predictions and trails to observations, and the webhook's manners."""

import http.server
import json
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from cloister import NotFound, Overloaded, SettingsError
from cloister.privacy.monitoring import Alert, Monitor, Outcome, Thresholds
from cloister.runtime.results import Answer, Classification, Embedding, Entity, Prediction, Tagging
from cloister.runtime.trail import Trail
from cloister.runtime.watch import Watch, outcome
from cloister.runtime.webhook import Webhook

ALERT = Alert("burst", 1.5, "0123456789abcdef", None, {"excess": 101.0, "limit": 100.0})


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        (Classification("a", 0.5, {"a": 0.5, "b": 0.375, "c": 0.125}), Outcome(("a",), 0.5, 0.125)),
        (Classification("a", 0.5, {"b": 0.5, "a": 0.5}), Outcome(("a",), 0.5, 0.0)),
        (Classification("a", 0.75, {"a": 0.75, "b": 0.625}, labels=("a", "b")), Outcome(("a", "b"), 0.75, 0.25)),
        (Classification("a", 0.25, {"a": 0.25, "b": 0.0}, labels=()), Outcome((), 0.25, 0.5)),
        (Classification("value", 7.5, {"value": 7.5}), Outcome(("value",), 7.5, None)),
        (
            Tagging((Entity(0, 1, "secret", "PER", 0.5), Entity(2, 3, "secret", "LOC", 1.0))),
            Outcome(("PER", "LOC"), 0.75, None),
        ),
        (Tagging(()), Outcome((), 1.0, None)),
        (Answer("secret", 0, 6, 0.25), Outcome(None, 0.25, None)),
        (Embedding(np.zeros(2, np.float32)), Outcome(None, None, None)),
    ],
)
def test_outcomes(prediction: Prediction, expected: Outcome) -> None:
    found = outcome(prediction)
    margin = found.margin() if callable(found.margin) else found.margin
    assert found._replace(margin=margin) == expected


def refused_until(watch: Watch, trail_of: Any) -> int:
    return next(i for i in range(100) if watch.finished(trail_of()))


def trail(client: str, error: Exception | None = None, status: int = 200) -> Trail:
    made = Trail("id", "/v1/classify", client)
    if error is not None:
        made.fail(error, status)  # type: ignore[arg-type]
    return made


def test_what_counts_as_refused_and_as_one_client() -> None:
    heard: list[Alert] = []
    ticks = iter(range(10_000))
    watch = Watch(Monitor(Thresholds(refused_limit=5.0)), heard.append, clock=lambda: float(next(ticks)))
    missing, full = NotFound("x", hint="y"), Overloaded("x", hint="y")
    assert not any(watch.finished(trail("10.0.0.1", full, 429)) for _ in range(50))
    assert not any(watch.finished(trail("10.0.0.1")) for _ in range(50))
    once = trail("10.0.0.1", missing, 404)
    assert watch.finished(once) == watch.finished(once) == []
    assert refused_until(watch, lambda: trail("10.0.0.1", missing, 404)) == 6
    hosts = iter(f"2001:db8:1:2::{i:x}%eth0" for i in range(100))
    assert refused_until(watch, lambda: trail(next(hosts), missing, 404)) == 7
    networks = iter(f"2001:db8:1:{i:x}::1" for i in range(100))
    assert not any(watch.finished(trail(next(networks), missing, 404)) for _ in range(50))
    assert [a.kind for a in heard] == ["refusals", "refusals"]
    assert heard[0].client != heard[1].client


def test_answers_belong_to_the_texts_that_were_read() -> None:
    watch = Watch(Monitor())
    engine: Any = SimpleNamespace(digest="m", reference=None, task="text-classification")
    one = trail("c")
    texts = [f"text number {i} for the model" for i in range(40)]
    one.signals = watch.read(texts)
    watch.answered(one, engine, [Classification(f"l{i}", 0.9, {f"l{i}": 0.9, "x": 0.1}) for i in range(40)])
    assert [o.labels for o in one.outcomes] == [(f"l{i}",) for i in one.signals.indices]
    assert watch.monitor.knows("m")


@pytest.mark.parametrize(
    "url",
    [
        "", "nonsense", "ftp://host/x", "http://example.org/x", "http://10.0.0.1/", "https://", "https://user:word@host/",
        "https://host:port/", "https://ho st/", "https://host/\r\nx: y", "http://127.0.0.1.example.org/", "https://hö.st/",
        "http://[::1", "http://[2001:db8::1]/",
    ],
)  # fmt: skip
def test_urls_that_alerts_are_not_sent_to(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Webhook(url, lambda result: None)
    assert not url or url not in caught.value.message


class Receiver(http.server.BaseHTTPRequestHandler):
    """Answers with the statuses it is given, then 200."""

    statuses: ClassVar[list[int]] = []
    bodies: ClassVar[list[bytes]] = []
    came: ClassVar[threading.Semaphore] = threading.Semaphore(0)

    def do_POST(self) -> None:
        self.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(self.statuses.pop(0) if self.statuses else 200)
        self.send_header("location", "/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()
        self.came.release()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the standard library's
        """Quiet."""


@pytest.fixture
def receiver() -> Iterator[str]:
    Receiver.statuses, Receiver.bodies, Receiver.came = [], [], threading.Semaphore(0)
    server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook?key=1"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("statuses", "attempts", "result"),
    [
        ([], 1, "sent"),
        ([500, 429], 3, "sent"),
        ([302], 1, "failed"),
        ([404], 1, "failed"),
        ([503, 503, 503], 3, "failed"),
    ],
)
def test_delivery(
    receiver: str, monkeypatch: pytest.MonkeyPatch, statuses: list[int], attempts: int, result: str
) -> None:
    monkeypatch.setattr("cloister.runtime.webhook._PAUSES", (0.0, 0.0))
    Receiver.statuses[:] = statuses
    results: list[str] = []
    hook = Webhook(receiver, results.append)
    assert "key" not in repr(hook)
    hook.send(ALERT)
    for _ in range(attempts):
        assert Receiver.came.acquire(timeout=10)
    hook.close()
    assert results == [result]
    assert [json.loads(body) for body in Receiver.bodies] == [ALERT.fields()] * attempts


@pytest.mark.enable_socket
def test_an_endpoint_that_hangs_costs_nobody_but_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    results: list[str] = []
    gate = threading.Event()

    def hang(self: Webhook, body: bytes) -> int:
        gate.wait(10)
        return 200

    monkeypatch.setattr(Webhook, "_post", hang)
    hook = Webhook("http://127.0.0.1:9/", results.append)
    for _ in range(1000):
        hook.send(ALERT)
    assert 1000 - 257 <= results.count("dropped") <= 1000 - 256
    gate.set()
    hook.close()
    assert len(results) == 1000
    assert results.count("sent") == 1000 - results.count("dropped")
