"""Encoder-decoders under a memory limit, and searches that are stopped half-way."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from cloister import Overloaded
from cloister.runtime import load, memory
from cloister.runtime.decoder import Batch
from cloister.runtime.engine import Options
from cloister.runtime.generation import GenerationOptions
from cloister.runtime.memory import Reservations
from tests.seq2seq.conftest import Made
from tests.seq2seq.test_export import TEXTS


@pytest.fixture
def engine(made: Made) -> Iterator[Any]:
    found = load(made("marian")[1], options=Options(variant="fp32"))
    yield found
    found.close()


def limited(engine: Any, limit: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The engine, in a process that holds nothing else."""
    monkeypatch.setattr(memory, "resident", lambda: 0)
    engine.model.memory = Reservations(limit)
    return engine


def sizes(engine: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by the sources of every batch that begins."""
    found: list[int] = []
    begin = engine.model.decoder.begin

    def counted(cross: Any, lengths: Any, width: int = 1) -> Any:
        found.append(len(lengths))
        return begin(cross, lengths, width)

    monkeypatch.setattr(engine.model.decoder, "begin", counted)
    return found


@pytest.mark.parametrize("beams", [1, 3])
def test_as_many_run_at_once_as_fit(engine: Any, monkeypatch: pytest.MonkeyPatch, beams: int) -> None:
    options = GenerationOptions(max_tokens=12, num_beams=beams)
    wanted = [one.text for one in engine.generate_all(TEXTS, options)]
    batches = sizes(engine, monkeypatch)
    rules, tokens = engine._prepared(TEXTS, options)
    each = engine.model.bytes_of(max(map(len, tokens)), rules)
    limited(engine, 2 * each, monkeypatch)
    assert [one.text for one in engine.generate_all(TEXTS, options)] == wanted
    assert max(batches) == 2
    assert sum(batches) == len(TEXTS)
    assert engine.model.memory._held == 0
    limited(engine, each - 1, monkeypatch)
    with pytest.raises(Overloaded) as error:
        engine.generate_all(TEXTS, options)
    assert error.value.code == "memory_limit"
    with pytest.raises(Overloaded):
        engine.generate(max(TEXTS, key=engine.count_tokens), options).text()
    assert engine.model.memory._held == 0


def test_what_others_hold_counts(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    options = GenerationOptions(max_tokens=30, num_beams=1)
    rules, tokens = engine._prepared(TEXTS[3:4], options)
    each = engine.model.bytes_of(len(tokens[0]), rules)
    limited(engine, int(1.5 * each), monkeypatch)
    first = engine.generate(TEXTS[3], options).pieces()
    next(first)
    with pytest.raises(Overloaded):
        engine.generate(TEXTS[3], options).text()
    first.close()
    assert engine.model.memory._held == 0
    assert engine.generate(TEXTS[3], options).text()


@pytest.mark.parametrize("beams", [1, 4])
def test_the_prediction_is_not_too_small(engine: Any, monkeypatch: pytest.MonkeyPatch, beams: int) -> None:
    rules, tokens = engine._prepared(TEXTS, GenerationOptions(max_tokens=20, num_beams=beams))
    largest = 0
    run = Batch._run

    def watched(self: Any, *arguments: Any) -> Any:
        nonlocal largest
        before = sum(past.nbytes for past in self._past)
        found = run(self, *arguments)
        cross = sum(array.nbytes for array in self._cross.values())
        after = sum(past.nbytes for past in self._past) + cross + sum(array.nbytes for array in found)
        largest = max(largest, before + after)
        return found

    monkeypatch.setattr(Batch, "_run", watched)
    engine.model.search(tokens, rules)
    assert 0 < largest <= engine.model.bytes_of(max(map(len, tokens)), rules) * len(tokens)


@pytest.mark.parametrize("beams", [1, 4])
def test_a_search_can_be_stopped_from_another_thread(engine: Any, monkeypatch: pytest.MonkeyPatch, beams: int) -> None:
    limited(engine, 1 << 40, monkeypatch)
    generation = engine.generate(TEXTS[0], GenerationOptions(max_tokens=30, num_beams=beams))
    steps = 0
    run = Batch._run

    def stopping(self: Any, *arguments: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps == 3:
            other = threading.Thread(target=generation.close)
            other.start()
            other.join()
        return run(self, *arguments)

    monkeypatch.setattr(Batch, "_run", stopping)
    generation.text()
    assert steps == 3
    assert generation.summary.finish_reason == "cancelled"
    assert engine.model.memory._held == 0
