"""When requests arrive, and how long their texts are."""

import csv
import random
from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path


def poisson(rate: float, seconds: float, seed: int) -> list[float]:
    """Arrival times of a Poisson process of `rate` requests per second."""
    chosen, at, times = random.Random(seed), 0.0, []
    while (at := at + chosen.expovariate(rate)) < seconds:
        times.append(at)
    return times


def azure(folder: Path, *, rate: float, seconds: float) -> tuple[list[float], list[int]]:
    """Arrival times and prompt tokens of the Azure LLM inference trace 2023 (conversations), its time scaled so that
    `rate` requests come per second on average."""
    with folder.joinpath("AzureLLMInferenceTrace_conv.csv").open(newline="") as file:
        rows = [(_seconds(row["TIMESTAMP"]), int(row["ContextTokens"])) for row in csv.DictReader(file)]
    first = rows[0][0]
    scale = (rows[-1][0] - first) / (len(rows) / rate)
    kept = [((at - first) / scale, tokens) for at, tokens in rows]
    kept = [(at, tokens) for at, tokens in kept if at < seconds]
    return [at for at, _ in kept], [tokens for _, tokens in kept]


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp[:26]).timestamp()


class Quantiles:
    """Maps lengths of one distribution to those of another by their rank.

    Args:
        source: lengths as they were.
        target: lengths as they should be.
    """

    def __init__(self, source: Sequence[int], target: Sequence[int]) -> None:
        self._source = sorted(source)
        self._target = sorted(target)

    def __call__(self, length: int) -> int:
        """The length at the same quantile."""
        share = bisect_left(self._source, length) / max(1, len(self._source) - 1)
        return self._target[min(len(self._target) - 1, round(share * (len(self._target) - 1)))]

    def __str__(self) -> str:
        cuts = [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0]
        at = [self._source[round(q * (len(self._source) - 1))] for q in cuts]
        return ", ".join(f"{length}→{self(length)}" for length in at)
