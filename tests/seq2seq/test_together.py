"""Targets that are written side by side: each is the one it has alone, and all take one run for a step."""

import asyncio
import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cloister import InvalidInput, Overloaded, Unavailable
from cloister.runtime import load
from cloister.runtime.decoder import Batch
from cloister.runtime.engine import Options
from cloister.runtime.generation import GenerationOptions
from cloister.runtime.http.application import build
from cloister.runtime.settings import Settings
from tests.seq2seq.conftest import Made
from tests.seq2seq.test_export import TEXTS
from tests.seq2seq.test_memory import limited, sizes
from tests.support.service import Client

GREEDY = GenerationOptions(max_tokens=16, num_beams=1)
WAYS = [
    GREEDY,
    GenerationOptions(max_tokens=16, num_beams=3),
    GenerationOptions(max_tokens=16, temperature=0.9, seed=3),
]


@pytest.fixture
def engine(made: Made) -> Iterator[Any]:
    found = load(made("marian")[1], options=Options(variant="fp32"))
    yield found
    found.close()


@pytest.mark.parametrize("options", WAYS)
def test_each_target_is_the_one_it_has_alone(
    engine: Any, monkeypatch: pytest.MonkeyPatch, options: GenerationOptions
) -> None:
    alone = [engine.generate(text, options) for text in TEXTS]
    wanted = [(one.text(), one.summary) for one in alone]
    batches = sizes(engine, monkeypatch)
    together = engine.generate_each(TEXTS, options)
    backwards = [one.text() for one in reversed(together)][::-1]
    assert [(text, one.summary) for text, one in zip(backwards, together, strict=True)] == wanted
    assert sum(batches) == len(TEXTS)
    assert len(batches) < len(TEXTS)

    async def read() -> list[str]:
        return list(await asyncio.gather(*(one.atext() for one in engine.generate_each(TEXTS, options))))

    assert asyncio.run(read()) == [text for text, _ in wanted]
    with ThreadPoolExecutor(len(TEXTS)) as pool:
        assert list(pool.map(lambda one: one.text(), engine.generate_each(TEXTS, options))) == backwards


@pytest.mark.parametrize("options", WAYS)
def test_the_others_go_on_when_one_is_left(engine: Any, options: GenerationOptions) -> None:
    limited_memory = engine.model.memory
    wanted = [one.text() for one in engine.generate_each(TEXTS, options)]
    together = engine.generate_each(TEXTS, options)
    together[0].close()
    assert [one.text() for one in together[1:]] == wanted[1:]
    assert together[0].text() == ""
    assert together[0].summary.finish_reason == "cancelled"
    assert limited_memory._held == 0


def test_the_search_ends_when_nobody_reads_it(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    limited(engine, 1 << 40, monkeypatch)
    steps = 0
    run = Batch._run

    def counted(self: Any, *arguments: Any) -> Any:
        nonlocal steps
        steps += 1
        return run(self, *arguments)

    monkeypatch.setattr(Batch, "_run", counted)
    first, second = engine.generate_each(TEXTS[:2], GREEDY)
    reading = first.pieces()
    first._together.advance(0, 1)
    assert engine.model.memory._held > 0
    second.close()
    assert engine.model.memory._held > 0
    reading.close()
    first.close()
    assert engine.model.memory._held == 0
    assert steps == 1


def test_all_readers_learn_what_stopped_the_search(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    limited(engine, 1, monkeypatch)
    for one in engine.generate_each(TEXTS, GREEDY):
        with pytest.raises(Overloaded) as error:
            one.text()
        assert error.value.code == "memory_limit"


def test_where_not_all_fit_fewer_run_at_once(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [one.text() for one in engine.generate_each(TEXTS, GREEDY)]
    batches = sizes(engine, monkeypatch)
    rules, tokens = engine._prepared(TEXTS, GREEDY)
    limited(engine, 2 * engine.model.bytes_of(max(map(len, tokens)), rules), monkeypatch)
    assert [one.text() for one in engine.generate_each(TEXTS, GREEDY)] == wanted
    assert max(batches) == 2
    assert engine.model.memory._held == 0


def test_a_stop_text_ends_a_target_as_it_does_alone(engine: Any) -> None:
    written = engine.generate_all(TEXTS, GREEDY)
    longest = max(range(len(TEXTS)), key=lambda i: written[i].summary.completion_tokens)
    whole = written[longest]
    options = GenerationOptions(max_tokens=16, num_beams=1, stop=(whole.text[:4],))
    alone = [engine.generate(text, options) for text in TEXTS]
    together = engine.generate_each(TEXTS, options)
    assert [one.text() for one in together] == [one.text() for one in alone]
    assert [one.summary for one in together] == [one.summary for one in alone]
    assert together[longest].summary.completion_tokens < whole.summary.completion_tokens


def test_memory_that_somebody_took_meanwhile_makes_the_batch_smaller(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [one.text for one in engine.generate_all(TEXTS, GREEDY)]
    rules, tokens = engine._prepared(TEXTS, GREEDY)
    limited(engine, 2 * engine.model.bytes_of(max(map(len, tokens)), rules), monkeypatch)
    monkeypatch.setattr(engine.model.memory, "fitting", lambda each: len(TEXTS))
    batches = sizes(engine, monkeypatch)
    assert [one.text for one in engine.generate_all(TEXTS, GREEDY)] == wanted
    assert max(batches) <= 3
    assert engine.model.memory._held == 0


def test_what_is_complete_can_be_read_after_an_error(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rules, tokens = engine._prepared(TEXTS, GREEDY)
    wanted = engine.generate(max(TEXTS, key=engine.count_tokens), GREEDY).text()
    limited(engine, engine.model.bytes_of(max(map(len, tokens)), rules), monkeypatch)
    together = engine.generate_each(TEXTS, GREEDY)
    longest = max(range(len(TEXTS)), key=lambda i: len(tokens[i]))
    steps = together[0]._together
    while not steps._done[longest]:
        steps.advance(longest, len(steps.targets[longest]))
    monkeypatch.setattr(engine.model.memory, "limit", 1)
    with pytest.raises(Overloaded):
        together[min(range(len(TEXTS)), key=lambda i: len(tokens[i]))].text()
    assert together[longest].text() == wanted


def test_an_interrupt_reaches_every_reader(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: Any, *arguments: Any) -> Any:
        raise KeyboardInterrupt

    first, second = engine.generate_each(TEXTS[:2], GREEDY)
    with monkeypatch.context() as patch:
        patch.setattr(Batch, "_run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            first.text()
    with pytest.raises(Unavailable, match="interrupted"):
        second.text()
    assert engine.model.memory._held == 0


def test_what_nobody_holds_is_freed_at_once(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    limited(engine, 1 << 40, monkeypatch)
    together = engine.generate_each(TEXTS, GREEDY)
    together[0]._together.advance(0, 1)
    assert engine.model.memory._held > 0
    gc.disable()
    try:
        del together
        assert engine.model.memory._held == 0
    finally:
        gc.enable()


def test_messages_are_refused(engine: Any) -> None:
    with pytest.raises(InvalidInput, match="not the messages"):
        engine.generate_each(["a", [{"role": "user", "content": "b"}]])


def test_the_service_translates_the_texts_of_a_request_together(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(build(Settings(bundles=[f"marian={made('marian')[1]}"])))
    try:
        begun: list[int] = []
        begin = Batch.__init__

        def counted(self: Any, *arguments: Any, **more: Any) -> None:
            begun.append(len(arguments[2]))
            begin(self, *arguments, **more)

        one = [client.post("/v1/translate", {"model": "marian", "input": text}).json() for text in TEXTS]
        monkeypatch.setattr(Batch, "__init__", counted)
        all_of_them = client.post("/v1/translate", {"model": "marian", "input": TEXTS}).json()
        assert [row["text"] for row in all_of_them["data"]] == [answer["data"][0]["text"] for answer in one]
        assert [row["index"] for row in all_of_them["data"]] == list(range(len(TEXTS)))
        for field in ("prompt_tokens", "completion_tokens"):
            assert all_of_them["usage"][field] == sum(answer["usage"][field] for answer in one)
        assert len(begun) < len(TEXTS)
    finally:
        client.close()
