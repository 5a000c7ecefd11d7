"""Where a view need not be searched: outside of numbers, and where a surer candidate already stands."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping

from .recognizers.model import LEAD, RUN, TRAIL
from .text import View

__all__ = ["Settled"]

_RUN = re.compile(RUN)
_SEPARATOR = re.compile("[^0-9]")

_STRETCH = 64


def _low(run: tuple[int, int, int, int, int, float, str]) -> int:
    return run[3]


class Settled:
    """What is found in a view so far and sure to be acted upon; what lies inside it and cannot win changes nothing.

    Args:
        view: the text that is searched.
        found: candidates of an earlier view of the same window.
        final: by entity, the score from which on a candidate is sure to be acted upon.
    """

    __slots__ = ("_final", "_ranges", "_runs", "_view")

    def __init__(self, view: View, found: Iterable[tuple[int, int, str, float]], final: Mapping[str, float]) -> None:
        self._view = view
        self._final = final
        # By stretches of the window: a range stands in every stretch that it touches.
        self._ranges: dict[int, list[tuple[int, int, float, str]]] = {}
        # Start, end and number of digits in the view; range in the window; score and entity of what covers it.
        self._runs: list[tuple[int, int, int, int, int, float, str]] | None = None
        for start, end, entity, score in found:
            self.add(start, end, entity, score)

    def add(self, start: int, end: int, entity: str, score: float) -> None:
        """Take note of a candidate, in code points of the window."""
        if score < self._final.get(entity, 2.0):
            return
        for stretch in range(start // _STRETCH, (end - 1) // _STRETCH + 1):
            self._ranges.setdefault(stretch, []).append((start, end, score, entity))
        if self._runs is None:
            return
        runs = self._runs
        for index in range(bisect_left(runs, start, key=_low), len(runs)):
            run = runs[index]
            if run[3] >= end:
                return
            if run[4] <= end and score > run[5]:
                runs[index] = (*run[:5], score, entity)

    def covers(self, start: int, end: int, best: float, entity: str) -> bool:
        """Whether a candidate at [start, end) of the window that scores `best` at most would lose all of it."""
        for low, high, score, winner in self._ranges.get(start // _STRETCH, ()):
            if low <= start and end <= high and (best < score or (best == score and entity == winner)):
                return True
        return False

    def places(
        self, digits: int, best: float, entity: str, bounds: tuple[int, int]
    ) -> Iterator[tuple[int, int, int]] | tuple[tuple[int, int, int]]:
        """Where matches of a rule that begin within `bounds` of the view may begin: from, to, and how far they see.

        Args:
            digits: see `Recognizer.digits`.
            best: the highest score that the rule gives.
            entity: what it finds.
            bounds: first and last position, half-open.
        """
        if not digits:
            return ((*bounds, len(self._view.text)),)
        return self._numbers(digits, best, entity, *bounds)

    def _numbers(self, digits: int, best: float, entity: str, first: int, last: int) -> Iterator[tuple[int, int, int]]:
        length = len(self._view.text)
        for start, end, count, _, _, score, winner in self._runs or self._find():
            if start - LEAD >= last:
                return
            if count >= digits and end > first and (score < best or (score == best and entity != winner)):
                yield max(first, start - LEAD), min(last, end), min(length, end + TRAIL)

    def _find(self) -> list[tuple[int, int, int, int, int, float, str]]:
        text = self._view.text
        self._runs = []
        for match in _RUN.finditer(text):
            start, end = match.span()
            low, high = self._view.original(start, end)
            covering = [r for r in self._ranges.get(low // _STRETCH, ()) if r[0] <= low and high <= r[1]]
            score, winner = max(((r[2], r[3]) for r in covering), default=(-1.0, ""))
            digits = end - start - len(_SEPARATOR.findall(text, start, end))
            self._runs.append((start, end, digits, low, high, score, winner))
        return self._runs
