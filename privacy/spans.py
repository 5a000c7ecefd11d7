"""Spans that overlap, made into spans that do not. Pure functions over half-open ranges of code points."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass, replace

from .scan import Candidate

__all__ = ["TAGGER", "Span", "resolve"]

#: The recognizer of what a tagger found.
TAGGER = "tagger"

# What a loser still covers beyond the winners is kept when it carries at least so many letters or digits.
_REST = 3


@dataclass(frozen=True, slots=True)
class Span:
    """What was done with one stretch of the original text.

    Attributes:
        start: first code point of the original.
        end: one past the last.
        entity: what was found there.
        score: confidence, 0 to 1.
        replacement: what stands in the output instead.
    """

    start: int
    end: int
    entity: str
    score: float
    replacement: str


def resolve(candidates: Iterable[Candidate], text: str) -> list[Candidate]:
    """Non-overlapping candidates in order of their start.

    What patterns and lists found stands before what a tagger says: a model's certainty must not cut a card number in
    two. Among themselves the higher score wins, then the longer, then the earlier. Nothing that any candidate covered
    comes back into the open: what remains of a loser beside the winners stays, as long as it is more than a few
    characters, and what remains of a tagger's span beside a winner of the same entity becomes part of that.
    """
    chosen: list[tuple[int, int, Candidate]] = []
    for candidate in sorted(candidates, key=_rank):
        for start, end in _free(chosen, candidate.start, candidate.end):
            if candidate.recognizer == TAGGER:
                if _join(chosen, candidate, start, end, text):
                    continue
                start, end = _trimmed(text, start, end)
            whole = start == candidate.start and end == candidate.end
            if whole or sum(character.isalnum() for character in text[start:end]) >= _REST:
                kept = candidate if whole else replace(candidate, start=start, end=end)
                insort(chosen, (start, end, kept), key=lambda item: item[:2])
    return [item[2] for item in chosen]


def _rank(candidate: Candidate) -> tuple[bool, float, int, int, str, str]:
    length = candidate.end - candidate.start
    tagged = candidate.recognizer == TAGGER
    return tagged, -candidate.score, -length, candidate.start, candidate.entity, candidate.recognizer


def _join(chosen: list[tuple[int, int, Candidate]], candidate: Candidate, start: int, end: int, text: str) -> bool:
    """Whether the rest [start, end) of a tagger's span became part of what a pattern found of the same entity in it:
    the two are one name, of which each may know only a part.
    """
    if not any(character.isalnum() for character in text[start:end]):
        return False
    for index, (low, high, one) in enumerate(chosen):
        beside = (high == start > candidate.start) or (low == end < candidate.end)
        if beside and one.entity == candidate.entity and not one.open_end:
            low, high = min(low, start), max(high, end)
            chosen[index] = (low, high, replace(one, start=low, end=high))
            return True
    return False


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """A range without the space at its ends, so that the rest of a name is the name that stands elsewhere."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _free(chosen: list[tuple[int, int, Candidate]], start: int, end: int) -> list[tuple[int, int]]:
    """The parts of [start, end) that no chosen range covers."""
    free: list[tuple[int, int]] = []
    index = max(0, bisect_left(chosen, start, key=lambda item: item[0]) - 1)
    while index < len(chosen) and chosen[index][0] < end:
        low, high, _ = chosen[index]
        if high > start:
            if low > start:
                free.append((start, low))
            start = max(start, high)
        index += 1
    if start < end:
        free.append((start, end))
    return free
