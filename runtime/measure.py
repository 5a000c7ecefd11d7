"""What `cloister bench` runs: latency by length, throughput by batch, memory, of one bundle or of two in turns."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .. import InvalidInput
from .engine import Engine
from .memory import peak, resident
from .tokens import Input

LENGTHS = (16, 32, 64, 128, 256, 512, 1024, 2048)
"""Tokens of the texts whose latency is measured; those over the model's window are left out."""
BATCHES = (1, 2, 4, 8, 16, 32, 64)
"""Texts in one call, for throughput."""
BATCH_TOKENS = 32
"""Tokens of each text of a batch."""

_WORDS = "the people of the town came to the market and asked for bread and water before the long day was over"
_PAIRS = ("question-answering", "text-ranking", "sentence-similarity")
_WARM_UP = 2
_LABELS = ("one", "two")


@dataclass(frozen=True)
class Timing:
    """Milliseconds of repeated calls.

    Attributes:
        least, median, p95: of all rounds.
        rounds: how many there were.
    """

    least: float
    median: float
    p95: float
    rounds: int


@dataclass(frozen=True)
class Point:
    """One shape, with a timing for each engine in the order the engines were given.

    Attributes:
        texts: texts in the call.
        tokens: tokens of each text in the first engine's words, special tokens included.
        timings: one for each engine.
        ratio: median of the second engine's time over the first's in the same round; None for one engine.
        interval: 95% interval of that ratio, by bootstrap over the rounds; None for one engine.
    """

    texts: int
    tokens: int
    timings: tuple[Timing, ...]
    ratio: float | None = None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Result:
    """What was measured: latency of one text by its length, calls of several texts by their number."""

    latency: tuple[Point, ...]
    throughput: tuple[Point, ...]


def grown(load: Callable[[], Engine]) -> tuple[Engine, float, int]:
    """An engine, the seconds it took to load, and the bytes by which the process grew meanwhile."""
    before, start = resident(), time.perf_counter()
    engine = load()
    return engine, time.perf_counter() - start, max(0, resident() - before)


def text(engine: Engine, tokens: int) -> str:
    """Plain English of about so many of the engine's tokens, special tokens included; at least one word."""
    words = _WORDS.split()
    low, high = 1, max(2, 2 * tokens)
    while low < high:
        middle = (low + high + 1) // 2
        if _count(engine, _joined(words, middle)) <= tokens:
            low = middle
        else:
            high = middle - 1
    return _joined(words, low)


def measure(
    engines: Sequence[Engine],
    *,
    lengths: Sequence[int] = LENGTHS,
    batches: Sequence[int] = BATCHES,
    seconds: float = 1.0,
    note: Callable[[float], None] | None = None,
) -> Result:
    """Time `predict`, text in and answer out, of one or two engines, in turns round by round.

    Args:
        engines: one or two loaded bundles. Both get the same texts, cut to the smaller window.
        lengths: tokens of the single texts; those over the window are left out, the window itself is then added.
        batches: texts of the calls of several texts.
        seconds: time spent on each shape, warm-up aside; at least three rounds are run.
        note: told the share that is done.

    Raises:
        InvalidInput: no engine or more than two, engines of different tasks, or nothing to measure.
    """
    if len(engines) not in (1, 2):
        raise InvalidInput("one or two bundles can be measured", hint="name one bundle, and one more with --compare")
    if len({engine.task for engine in engines}) > 1:
        raise InvalidInput("the bundles have different tasks", hint="compare bundles of the same task")
    if seconds <= 0 or min([*lengths, *batches], default=0) < 1:
        raise InvalidInput("nothing can be measured with these settings", hint="pass numbers above zero")
    window = min(engine.tokenizer.window for engine in engines)
    fitting = sorted({n for n in lengths if n < window} | ({window} if max(lengths) >= window else set()))
    shapes = [(1, n) for n in fitting] + [(n, min(BATCH_TOKENS, window)) for n in batches]
    points = []
    for index, (count, tokens) in enumerate(shapes):
        points.append(_point(engines, count, tokens, seconds))
        if note is not None:
            note((index + 1) / len(shapes))
    return Result(tuple(points[: len(fitting)]), tuple(points[len(fitting) :]))


def ratio_interval(
    first: Sequence[float], second: Sequence[float], *, draws: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """Median of `second / first` round by round, and its 95% percentile interval by bootstrap over the rounds.

    Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13. Shape: both `[rounds]`.
    """
    ratios = np.asarray(second, np.float64) / np.asarray(first, np.float64)
    picks = np.random.default_rng(seed).integers(0, len(ratios), (draws, len(ratios)))
    low, high = np.quantile(np.median(ratios[picks], axis=1), (0.025, 0.975))
    return float(np.median(ratios)), float(low), float(high)


def _point(engines: Sequence[Engine], count: int, tokens: int, seconds: float) -> Point:
    sample = text(engines[0], tokens)
    inputs = [_input(engines[0], sample) for _ in range(count)]
    calls = [_call(engine, inputs) for engine in engines]
    for call in calls * _WARM_UP:
        call()
    times: list[list[float]] = [[] for _ in engines]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 3:
        for call, taken in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            taken.append((time.perf_counter() - start) * 1e3)
    timings = tuple(_timing(taken) for taken in times)
    real = _count(engines[0], sample)
    if len(times) == 1:
        return Point(count, real, timings)
    ratio, low, high = ratio_interval(*times)
    return Point(count, real, timings, ratio, (low, high))


def _timing(taken: Sequence[float]) -> Timing:
    return Timing(min(taken), float(np.median(taken)), float(np.quantile(taken, 0.95)), len(taken))


def _call(engine: Engine, inputs: list[Input]) -> Callable[[], object]:
    labels = _LABELS if engine.manifest.zero_shot is not None else None
    return lambda: engine.predict(inputs, truncate=True, labels=labels)


def _input(engine: Engine, sample: str) -> Input:
    """The text as the task reads it: in a pair beside a short first text, or with a mask in front."""
    if engine.task in _PAIRS:
        return "what", sample
    mask = engine.manifest.tokenizer.mask_id
    return sample if mask is None else f"{engine.tokenizer.raw.id_to_token(mask)} {sample}"


def _joined(words: Sequence[str], count: int) -> str:
    return " ".join(words[i % len(words)] for i in range(count))


def _count(engine: Engine, sample: str) -> int:
    return len(engine.tokenizer.raw.encode(sample))


def report(
    result: Result,
    engines: Sequence[Engine],
    paths: Sequence[str | os.PathLike[str]],
    loads: Sequence[tuple[float, int]],
) -> dict[str, object]:
    """One document of what was measured, for `--json` and charts: milliseconds, bytes, texts per second."""
    bundles = []
    for index, (engine, path, (seconds, grew)) in enumerate(zip(engines, paths, loads, strict=True)):
        bundles.append(
            {
                "bundle": os.fspath(path),
                "digest": engine.digest,
                "task": engine.task,
                "variant": engine.variant.name,
                "provider": engine.provider,
                "threads": engine.threads,
                "load_seconds": seconds,
                "memory": {"load_bytes": grew},
                "latency": [_row(p, index) for p in result.latency],
                "throughput": [
                    {**_row(p, index), "texts_per_second": p.texts / p.timings[index].median * 1e3}
                    for p in result.throughput
                ],
            }
        )
    document: dict[str, object] = {"bundles": bundles, "memory": {"process_bytes": resident(), "peak_bytes": peak()}}
    if len(engines) == 2:
        document["comparison"] = [
            {"texts": p.texts, "tokens": p.tokens, "ratio": p.ratio, "interval": p.interval}
            for p in (*result.latency, *result.throughput)
        ]
    return document


def _row(point: Point, index: int) -> Mapping[str, object]:
    timing = point.timings[index]
    return {
        "texts": point.texts,
        "tokens": point.tokens,
        "min_ms": timing.least,
        "median_ms": timing.median,
        "p95_ms": timing.p95,
        "rounds": timing.rounds,
    }
