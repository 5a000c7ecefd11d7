"""Many texts in one run: the same tokens as alone, memory freed when one leaves, prompts cut into chunks and kept."""

import gc
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloister import ModelFailed, Overloaded, Unavailable
from cloister.export import export
from cloister.runtime import Options, load
from cloister.runtime.decoding import CHUNK
from cloister.runtime.generate import GeneratorEngine
from cloister.runtime.generation import Constraint, Generation, GenerationOptions
from cloister.runtime.keyvalues import KeyValues, Shape
from cloister.runtime.loop import ROWS
from cloister.runtime.prefixes import Block, Prefixes, after, root
from tests.generation.test_decoder import save

PROMPTS = ["Hello", "Where is my parcel? I have been waiting for it.", "a", "One two three four five six seven", "I am"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("batching")
    export(
        save(home / "model", "qwen3", head_dim=16, max_position_embeddings=512),
        home / "bundle",
        precision="fp32,int8,int4",
    )
    return home / "bundle"


@pytest.fixture(scope="module", params=["fp32", "int8", "int4"])
def engine(bundle: Path, request: pytest.FixtureRequest) -> Iterator[GeneratorEngine]:
    found = opened(bundle, variant=request.param)
    yield found
    found.close()


def opened(bundle: Path, **options: Any) -> GeneratorEngine:
    found = load(bundle, options=Options(**options))
    assert isinstance(found, GeneratorEngine)
    return found


def greedy(tokens: int, **more: Any) -> GenerationOptions:
    return GenerationOptions(max_tokens=tokens, temperature=0, **more)


def idle(engine: GeneratorEngine) -> None:
    """Wait until the loop has nothing left."""
    until = time.monotonic() + 20
    while engine._loop.running and time.monotonic() < until:
        threading.Event().wait(0.001)
    assert engine._loop.running == 0


def test_rows_of_a_batch_give_the_bits_that_they_give_alone(engine: GeneratorEngine) -> None:
    decoder: Any = engine._decoder
    prompts = [engine._chat.tokens(text) for text in PROMPTS]
    alone = []
    for ids in prompts:
        sequence = decoder.sequence(len(ids) + 8)
        logits = [sequence.append(ids)]
        for _ in range(6):
            logits.append(sequence.append([int(logits[-1].argmax())]))
        alone.append(np.stack(logits))
    rows = decoder.batch()
    tokens = []
    for ids, wanted in zip(prompts, alone, strict=True):
        sequence = decoder.sequence(len(ids))
        np.testing.assert_array_equal(sequence.append(ids), wanted[0])
        rows.join(sequence, len(ids) + 8)
        tokens.append(int(wanted[0].argmax()))
    for step in range(1, 7):
        found = rows.step(tokens)
        for row, wanted in zip(found, alone, strict=True):
            np.testing.assert_array_equal(row, wanted[step])
        tokens = found.argmax(1).tolist()


def test_rows_come_and_go_without_a_trace_in_the_others(engine: GeneratorEngine) -> None:
    lengths = [3, 24, 9, 40, 17]
    alone = [engine.generate(text, greedy(n)).text() for text, n in zip(PROMPTS, lengths, strict=True)]
    for _ in range(3):
        together = [engine.generate(text, greedy(n)) for text, n in zip(PROMPTS, lengths, strict=True)]
        left = engine.generate("Somebody who goes away", greedy(200))
        next(left.pieces(), None)
        left.close()
        assert [one.text() for one in together] == alone


def test_a_prompt_in_chunks_is_the_prompt(engine: GeneratorEngine) -> None:
    decoder: Any = engine._decoder
    ids = (engine._chat.tokens("some words that go on and on and ") * 40)[: 3 * CHUNK + 5]
    whole = decoder.sequence(len(ids))
    chunked = whole.append(ids)
    at_once = decoder.sequence(len(ids))._read(ids)
    np.testing.assert_allclose(chunked, at_once, atol=2e-4 if engine.variant.precision == "fp32" else 0.2)
    assert len(whole) == len(ids)


def test_a_second_prompt_with_the_same_beginning_skips_it(bundle: Path) -> None:
    engine = opened(bundle, variant="fp32")
    beginning = "You are a helpful assistant. " * 12
    one = beginning + "Where is it?"
    fresh = opened(bundle, variant="fp32", prompt_cache=0)
    wanted = [fresh.generate(text, greedy(12)) for text in (one, beginning + "Who is it?")]
    texts = [text.text() for text in wanted]
    assert all(text.summary.cached_tokens == 0 for text in wanted)
    assert repr(fresh._loop._prefixes) == "<Prefixes 0 blocks, 0 bytes>"
    first = engine.generate(one, greedy(12))
    assert first.text() == texts[0]
    assert first.summary.cached_tokens == 0
    second = engine.generate(beginning + "Who is it?", greedy(12))
    assert second.text() == texts[1]
    tokens = [engine._chat.tokens(text) for text in (one, beginning + "Who is it?")]
    same = next(i for i, (a, b) in enumerate(zip(*tokens, strict=False)) if a != b)
    assert second.summary.cached_tokens == same // CHUNK * CHUNK > 0
    again = engine.generate(one, greedy(12))
    assert again.text() == texts[0]
    rest = len(tokens[0]) % CHUNK
    assert again.summary.cached_tokens == len(tokens[0]) - (rest if rest < 16 else 0)
    salted = engine.generate(one, greedy(12, cache_salt="somebody else"))
    assert salted.text() == texts[0]
    assert salted.summary.cached_tokens == 0
    engine.close()
    fresh.close()


def test_a_probe_of_the_service_always_runs_the_model(bundle: Path) -> None:
    engine = opened(bundle, variant="fp32")
    for _ in range(2):
        generation = engine.generate("The", greedy(1))
        generation.text()
        assert generation.summary.cached_tokens == 0
    engine.close()


def test_sampled_texts_do_not_depend_on_what_was_cached(engine: GeneratorEngine) -> None:
    options = GenerationOptions(max_tokens=24, temperature=1.2, seed=3)
    prompt = "Tell me something. " * 20
    texts = [engine.generate(prompt, options) for _ in range(4)]
    assert len({text.text() for text in texts}) == 1
    assert texts[-1].summary.cached_tokens > 0


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 40)), max_size=40), st.integers(0, 400))
def test_the_cache_never_grows_over_its_limit(found: list[tuple[int, int]], limit: int) -> None:
    prefixes = Prefixes(limit)
    for name, size in found:
        key = after(root(None), np.array([name]))
        prefixes.add(key, Block(np.zeros((1, 1, size, 1), np.float32), np.zeros(1, np.float32)))
        assert prefixes.nbytes <= limit
        assert prefixes.nbytes == sum(block.nbytes for block in prefixes._blocks.values())
    prefixes.shrink(0)
    assert (len(prefixes), prefixes.nbytes) == (0, 0)


@given(st.lists(st.tuples(st.sampled_from("jls"), st.integers(0, 7)), max_size=40))
@settings(max_examples=50)
def test_rows_keep_their_values_wherever_they_move(steps: list[tuple[str, int]]) -> None:
    """Against a list of arrays: joins, growth and departures as a batch makes them."""
    shape = Shape(2, 2, 4)
    random = np.random.default_rng(0)
    rows: list[np.ndarray[Any, Any]] = []
    memory = KeyValues(shape, 1, 10)
    for kind, which in steps:
        if kind == "j" or not rows:
            value = random.random((4, 2, 5 + which, 4), np.float32)
            if len(rows) == memory.rows:
                grown = KeyValues(shape, 2 * memory.rows, 10)
                for number, row in enumerate(rows):
                    grown.copy(number, memory, number, row.shape[2])
                memory = grown
            memory.write(len(rows), 0, value)
            rows.append(value)
        else:
            gone = which % len(rows)
            memory.free(gone)
            if gone != len(rows) - 1:
                memory.copy(gone, memory, len(rows) - 1, rows[-1].shape[2])
                memory.free(len(rows) - 1)
            rows[gone] = rows[-1]
            rows.pop()
        for number, value in enumerate(rows):
            np.testing.assert_array_equal(memory.read(number, 0, value.shape[2]), value)


def test_memory_of_a_row_goes_back_when_it_is_freed() -> None:
    memory = KeyValues(Shape(4, 8, 64), 2, 4096)
    for array in memory.arrays:
        array[:] = 1
    from cloister.runtime.memory import resident

    full = resident()
    memory.free(1)
    freed = full - resident()
    assert freed > 0.9 * sum(array[1].nbytes for array in memory.arrays)
    assert all((array[0] == 1).all() for array in memory.arrays)
    assert not any(array[1].any() for array in memory.arrays)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Every third step waits for it."""
    from cloister.runtime.causal import CausalBatch

    opened, steps, step = threading.Event(), count(1), CausalBatch.step

    def waiting(self: CausalBatch, tokens: Any) -> Any:
        if next(steps) % 3 == 0:
            assert opened.wait(20)
        return step(self, tokens)

    monkeypatch.setattr(CausalBatch, "step", waiting)
    return opened


ENDLESS = greedy(400, constraint=Constraint(regex="[a-z ]{400}"))


def test_leaving_early_frees_the_sequence(engine: GeneratorEngine, gate: threading.Event) -> None:
    with engine.generate("Hello", ENDLESS) as generation:
        next(iter(generation))
    gate.set()
    assert generation.summary.finish_reason == "cancelled"
    assert generation.summary.completion_tokens <= 4
    idle(engine)
    assert len(engine._loop._rows) == 0
    gc.collect()
    assert not [one for one in gc.get_objects() if type(one) is KeyValues]


def test_a_text_that_nobody_holds_is_not_written_any_further(engine: GeneratorEngine, gate: threading.Event) -> None:
    generation = engine.generate("Hello", ENDLESS)
    text = generation._text  # type: ignore[attr-defined]
    del generation
    gc.collect()
    gate.set()
    idle(engine)
    assert text.completion_tokens <= 4
    assert text.channel.summary.finish_reason == "cancelled"


def test_a_prompt_that_is_left_is_not_read_to_its_end(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = opened(bundle, variant="fp32", prompt_cache=0)
    from cloister.runtime.causal import CausalSequence

    lengths: list[int] = []
    append = CausalSequence.append

    def counted(self: CausalSequence, tokens: Any) -> Any:
        lengths.append(len(tokens))
        if len(lengths) == 2:
            generation.close()
        return append(self, tokens)

    monkeypatch.setattr(CausalSequence, "append", counted)
    generation: Generation = engine.generate("word " * 90, greedy(4))
    assert generation.prompt_tokens > 4 * CHUNK
    assert generation.text() == ""
    idle(engine)
    assert lengths == [CHUNK, CHUNK]
    engine.close()


def test_a_run_that_fails_ends_those_in_it_and_nothing_else(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = opened(bundle, variant="fp32")
    from cloister.runtime.causal import CausalBatch

    wanted = engine.generate("Hello", greedy(10)).text()
    step = CausalBatch.step

    def failing(self: CausalBatch, tokens: Any) -> Any:
        raise RuntimeError("out of something")

    monkeypatch.setattr(CausalBatch, "step", failing)
    with pytest.raises(ModelFailed):
        engine.generate("Hello", greedy(10)).text()
    monkeypatch.setattr(CausalBatch, "step", step)
    idle(engine)
    assert engine.generate("Hello", greedy(10)).text() == wanted
    engine.close()


def test_more_texts_than_rows_are_all_written(bundle: Path) -> None:
    engine = opened(bundle, variant="int4")
    made = [engine.generate(PROMPTS[i % 5], greedy(5)) for i in range(2 * ROWS + 3)]
    texts = [one.text() for one in made]
    assert len(set(texts)) <= 5
    assert engine.backlog == 0
    assert all(one.summary.finish_reason in ("length", "stop") for one in made)
    engine.close()


def test_a_closed_engine_ends_what_it_writes(bundle: Path, gate: threading.Event) -> None:
    engine = opened(bundle, variant="int4")
    texts = [engine.generate(PROMPTS[0], ENDLESS) for _ in range(8)]
    pieces = texts[0].pieces()
    next(pieces)
    assert engine.backlog > 0
    gate.set()
    engine.close()
    assert [one.summary.finish_reason for one in texts] == ["cancelled"] * 8
    with pytest.raises(Unavailable):
        engine.generate(PROMPTS[0], ENDLESS)


def test_memory_counts_what_runs_waits_and_is_needed_beside(bundle: Path) -> None:
    from cloister.runtime.memory import resident

    engine = opened(bundle, variant="fp32", memory_limit=1 << 62)
    loop: Any = engine._loop
    empty = loop.spare(100, 200)
    assert (1 << 62) - resident() - empty >= 400 * engine.bytes_per_token + loop._decoder.working_bytes(300, 1)
    running = engine.generate("Hello", greedy(300))
    next(running.pieces())
    loop._limit = resident() + 10 * engine.bytes_per_token
    with pytest.raises(Overloaded) as raised:
        engine.generate("Hello", greedy(300))
    assert raised.value.code == "memory_limit"
    engine.close()


def test_an_engine_that_nobody_holds_ends_its_thread_and_one_whose_text_is_read_lives(bundle: Path) -> None:
    def threads() -> set[int | None]:
        return {t.ident for t in threading.enumerate() if t.name == "cloister-generate"}

    gc.collect()
    before = threads()
    text = opened(bundle, variant="int4").generate("Hello", greedy(8))
    gc.collect()
    assert len(threads() - before) == 1
    assert text.text() == opened(bundle, variant="int4").generate("Hello", greedy(8)).text()
    del text
    gc.collect()
    assert threads() <= before
