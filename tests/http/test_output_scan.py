"""A policy that asks for names reads what a model writes with a tagger: in order, and never on the event loop."""

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloister.privacy import Redactor
from cloister.runtime.guard import PolicyGuard
from cloister.runtime.http.application import build
from cloister.runtime.settings import Settings
from tests.http.test_writes import ask, events, joined
from tests.support.scripted import ScriptedEngine, install
from tests.support.service import Client

POLICY = 'name = "named"\noutput = "mask"\ndefault = "keep"\n[entity.PERSON]\naction = "replace"\n'
WORDS = "Then Marlene said that it would rain and Marlene went home before the others did, who stayed. " * 4


@dataclass(frozen=True)
class Name:
    start: int
    end: int
    label: str = "PERSON"
    score: float = 0.99


class Tagger:
    """Finds one name; notes the threads it is called in, and how many calls run at once."""

    def __init__(self) -> None:
        self.threads: set[int] = set()
        self.calls = 0
        self.gate: threading.Event | None = None
        self.entered = threading.Event()

    def __call__(self, texts: list[str]) -> Sequence[Sequence[Name]]:
        self.threads.add(threading.get_ident())
        self.calls += 1
        if self.gate is not None and any("Marlene" in text for text in texts):
            self.entered.set()
            assert self.gate.wait(30)
        found = []
        for text in texts:
            starts = [i for i in range(len(text)) if text.startswith("Marlene", i)]
            found.append([Name(s, s + 7) for s in starts])
        return found


@pytest.fixture
def tagger() -> Tagger:
    return Tagger()


@pytest.fixture
def chat(tmp_path: Path, tagger: Tagger) -> Any:
    (tmp_path / "policy.toml").write_text(POLICY)
    guard = PolicyGuard(Redactor(str(tmp_path / "policy.toml"), tagger=tagger))
    client = Client(build(Settings(models=str(tmp_path)), guard=guard))
    install(
        client.application, "chat", ScriptedEngine(lambda prompt: [WORDS[i : i + 5] for i in range(0, len(WORDS), 5)])
    )
    yield client
    client.close()


def test_names_are_masked_in_order_away_from_the_loop(chat: Client, tagger: Tagger) -> None:
    whole = chat.post("/v1/chat/completions", ask("hello")).json()["choices"][0]["message"]["content"]
    assert whole == WORDS.replace("Marlene", "<PERSON>")
    streamed = events(chat.post("/v1/chat/completions", ask("hello", stream=True)).text)
    assert joined(streamed) == whole
    assert sum(bool(c["choices"][0]["delta"].get("content")) for c in streamed if c.get("choices")) > 3  # as it comes
    assert tagger.calls > 4
    assert threading.get_ident() not in tagger.threads  # this thread runs the loop of this client


def test_the_loop_answers_others_while_a_tagger_reads(chat: Client, tagger: Tagger) -> None:
    tagger.gate = threading.Event()

    async def both() -> tuple[int, str]:
        slow = asyncio.ensure_future(chat.http.post("/v1/chat/completions", json=ask("hello")))
        while not tagger.entered.is_set():
            await asyncio.sleep(0.001)
        health = await chat.http.get("/health/live")  # with the tagger in the middle of its work
        assert not slow.done()
        assert tagger.gate is not None
        tagger.gate.set()
        return health.status_code, (await slow).json()["choices"][0]["message"]["content"]

    assert chat.runner.run(both()) == (200, WORDS.replace("Marlene", "<PERSON>"))


def test_a_deadline_ends_it_while_the_tagger_reads(chat: Client, tagger: Tagger) -> None:
    tagger.gate = threading.Event()
    start = time.monotonic()
    try:
        response = chat.post("/v1/chat/completions", ask("hello"), headers={"x-request-timeout-ms": "200"})
        assert response.status_code == 504
        assert time.monotonic() - start < 20
    finally:
        tagger.gate.set()
    assert chat.post("/v1/chat/completions", ask("again")).status_code == 200


def test_a_tagger_that_fails_lets_nothing_more_out(
    chat: Client, tagger: Tagger, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Tagger.__call__

    def broken(self: Tagger, texts: list[str]) -> Any:
        if any("Marlene" in text for text in texts):
            raise RuntimeError("canary")
        return plain(self, texts)

    monkeypatch.setattr(Tagger, "__call__", broken)
    response = chat.post("/v1/chat/completions", ask("hello"))
    assert response.status_code == 503
    assert "canary" not in response.text
    chunks = events(chat.post("/v1/chat/completions", ask("hello", stream=True)).text)
    assert "error" in chunks[-1]
    assert "Marlene" not in joined(chunks[:-1])
