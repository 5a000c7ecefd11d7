"""One workload: each peer's better way of batching, its vectors beside the reference's, then all peers in turns."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import figures
from .peers import OURS, REFERENCE
from .process import PeerFailed, Worker
from .workloads import Workload

PADDED = 1 << 15
"""Padded tokens of one batch over which a peer that pads is not asked for its own way: with twice as many ONNX Runtime
took 6.5 GB, which it keeps, beside all the other peers."""
SORTED = 32
"""Texts of a sorted batch; with no more texts than these both ways are one batch."""
FIRST = 3
"""Rounds that every peer runs; after them only those go on whose time is near Cloister's."""
NEAR = 4.0
"""Times Cloister's median that still is near."""
LONG_MS = 2000.0
"""A run so long is its own warm-up; padding a batch further could only make it longer; and tokenization, a few
milliseconds, is lost in it: a peer that takes so long is timed without tokenization alone, where it can."""
COLD_MS = 20_000.0
"""A first run so long is not run again to be judged; a shorter one may have been compiling."""
WARM_TOKENS = 50_000
"""A workload so large is its own warm-up, too."""
TURN_MS = 400.0
"""A turn repeats its run as often as the workload says, but not for longer than this."""
ENOUGH_MS = 20_000.0
"""A peer whose turns, with tokenization or without, took so long together is not asked again in the first rounds."""


class Reference:
    """Vectors of the reference, one text at a time, so that no padding is in them; each text is run once."""

    def __init__(self, workers: Mapping[str, Worker], failed: dict[str, str]) -> None:
        self._workers, self._failed = workers, failed
        self._known: dict[str, NDArray[np.float32]] = {}

    def __call__(self, load: Workload) -> NDArray[np.float32] | None:
        """Shape: `[texts, D]`; None where the reference is missing or failed."""
        if REFERENCE not in self._workers:
            return None
        worker = self._workers[REFERENCE]
        try:
            for text in dict.fromkeys(load.texts):
                if text not in self._known:
                    worker.ask("texts", texts=[text])
                    row = worker.ask("vectors", mode="default")[1]
                    assert row is not None
                    self._known[text] = row
        except PeerFailed as error:
            self._failed[f"{REFERENCE}, {load.name}, one text at a time"] = str(error)
            return None
        return np.concatenate([self._known[text] for text in load.texts])


class Turns:
    """Measures workloads one after the other. `failed` gets the reason of every peer that fails in one."""

    def __init__(
        self,
        workers: Mapping[str, Worker],
        facts: Mapping[str, Any],
        failed: dict[str, str],
        rounds: int,
        seconds: float,
    ) -> None:
        self._workers, self._facts, self._failed = workers, facts, failed
        self._rounds, self._seconds = rounds, seconds
        self._reference = Reference(workers, failed)
        self._known: dict[tuple[str, str], str] = {}
        self._repeats: dict[str, int] = {}

    def __call__(self, load: Workload) -> dict[str, Any]:
        """A workload's entry of the results.

        Just before each turn of a peer Cloister int8 runs once more: the ratio is of these two, so that a machine that
        is slower for some seconds meets both.
        """
        entries: dict[str, dict[str, Any]] = {}
        times: dict[tuple[str, bool], list[float]] = {}
        expected = None if load.grows else self._reference(load)
        for name in self._workers:
            try:
                entries[name], parts = self._ready(name, load, expected)
                times |= {(name, tokenized): [] for tokenized in parts}
            except PeerFailed as error:
                self._failed[f"{name}, {load.name}"] = str(error)
        beside = self._in_turns(load, entries, times)
        for (name, tokenized), taken in times.items():
            if taken and f"{name}, {load.name}" not in self._failed:
                part = {"ms": taken, **figures.summary(taken)}
                if len(beside[name, tokenized]) == len(taken):
                    part["beside"] = beside[name, tokenized]
                entries[name]["excluded" if tokenized else "included"] = part
        return {"texts": len(load.texts), "tokens": load.tokens, "padded": load.padded, "peers": entries}

    def _ready(
        self, name: str, load: Workload, expected: NDArray[np.float32] | None
    ) -> tuple[dict[str, Any], tuple[bool, ...]]:
        """Way of batching and cosines, and the parts to time: without tokenization, with it. Warms them up."""
        worker = self._workers[name]
        split = worker.ask("texts", texts=list(load.texts))[0]["split"]
        tried = ways(self._facts[name], load)
        mode, taken = tried[0], 0.0
        if load.grows and self._known.get((name, load.kind)) in tried:
            mode = self._known[name, load.kind]  # found at the size before; this one may take minutes
        elif len(tried) > 1:
            mode, taken = best_mode(worker, tried, padding=self._facts[name]["one_batch"])
            self._known[name, load.kind] = mode
        entry: dict[str, Any] = {"mode": mode}
        if expected is not None:
            got = worker.ask("vectors", mode=mode)[1]
            if got is not None:
                entry["cosine"] = figures.cosines(got, expected)
        parts = (True, False) if split and not load.grows else (False,)
        for tokenized in parts if taken <= LONG_MS and load.tokens <= WARM_TOKENS else ():
            ms = float(worker.ask("run", mode=mode, tokenized=tokenized, repeat=1)[0]["ms"][0])
            taken = ms if taken == 0.0 else min(taken, ms)
            if taken > LONG_MS and name != OURS:
                break
        self._repeats[name] = load.repeat if taken == 0.0 else max(1, min(load.repeat, int(TURN_MS / taken)))
        if taken > LONG_MS and name != OURS:
            parts = parts[:1]
        return entry, parts

    def _in_turns(
        self, load: Workload, entries: Mapping[str, Any], times: dict[tuple[str, bool], list[float]]
    ) -> dict[tuple[str, bool], list[float]]:
        """Fills `times`; Cloister's time just before each of them."""
        beside: dict[tuple[str, bool], list[float]] = {key: [] for key in times}

        def turn(name: str, tokenized: bool) -> float:
            try:
                mode, repeat = entries[name]["mode"], self._repeats[name]
                answer, _ = self._workers[name].ask("run", mode=mode, tokenized=tokenized, repeat=repeat)
            except PeerFailed as error:
                self._failed[f"{name}, {load.name}"] = str(error)
                raise
            return float(np.median(answer["ms"]))

        going, start = list(times), time.perf_counter()
        for done in range(min(self._rounds, FIRST) if load.grows else self._rounds):
            if done == FIRST:
                going, start = near(times), time.perf_counter()
            if done >= FIRST and time.perf_counter() - start > self._seconds:
                break
            for name, tokenized in going:
                if f"{name}, {load.name}" in self._failed or (done < FIRST and sum(times[name, tokenized]) > ENOUGH_MS):
                    continue
                paired = name != OURS and (OURS, tokenized) in times and f"{OURS}, {load.name}" not in self._failed
                try:
                    ours = turn(OURS, tokenized) if paired else None
                    times[name, tokenized].append(turn(name, tokenized))
                    if ours is not None:
                        beside[name, tokenized].append(ours)
                except PeerFailed:
                    continue
        return beside


def near(times: Mapping[tuple[str, bool], Sequence[float]]) -> list[tuple[str, bool]]:
    """The peers that go on after the first rounds: those whose ratio to Cloister int8 needs to be known closely."""
    found = []
    for (name, tokenized), taken in times.items():
        ours = times.get((OURS, tokenized))
        if taken and (not ours or np.median(taken) <= NEAR * np.median(ours)):
            found.append((name, tokenized))
    return found


def ways(fact: Mapping[str, Any], load: Workload) -> list[str]:
    """The ways of batching that are tried: both, unless they are the same, or the peer's own would pad too much."""
    modes: list[str] = list(fact["modes"])
    if len(modes) > 1 and len(load.texts) <= SORTED:
        return ["default"]
    if len(modes) > 1 and fact["one_batch"] and load.padded > PADDED:
        return ["sorted"]
    return modes


def best_mode(worker: Worker, modes: Sequence[str], *, padding: bool) -> tuple[str, float]:
    """The faster of a peer's ways of batching, by the second of two runs, and its milliseconds.

    A run so long that no compiling can explain it is not repeated. With `padding`, that the peer's own way is one batch
    padded to the longest, it is not tried after a long run of sorted batches. Raises PeerFailed where none runs.
    """
    seen: dict[str, float] = {}
    problem: PeerFailed | None = None
    for mode in reversed(modes):
        if padding and seen and min(seen.values()) > LONG_MS:
            continue
        try:
            taken = float(worker.ask("run", mode=mode, tokenized=False, repeat=1)[0]["ms"][0])
            if taken <= COLD_MS:
                taken = float(worker.ask("run", mode=mode, tokenized=False, repeat=1)[0]["ms"][0])
            seen[mode] = taken
        except PeerFailed as error:
            problem = error
    if problem is not None and not seen:
        raise problem
    best = min(seen, key=lambda mode: seen[mode])
    return best, seen[best]
