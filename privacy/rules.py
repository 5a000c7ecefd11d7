"""A recognizer's pattern, compiled for the two engines that confirm."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import regex

from .recognizers.model import Recognizer

__all__ = ["Rule", "expression"]


@dataclass(slots=True, repr=False)
class Rule:
    """A recognizer made ready on its first use."""

    recognizer: Recognizer
    finder: Any = None
    tail: Any = None
    grouped: bool = False
    up: frozenset[str] = frozenset()
    down: frozenset[str] = frozenset()
    best: float = 0.0

    def __post_init__(self) -> None:
        r = self.recognizer
        self.best = 1.0 if r.refine is not None else max(r.score, r.context_score)

    def ready(self) -> Any:
        """The expression that finds it."""
        if self.finder is None:
            r = self.recognizer
            self.up = frozenset(r.context)
            self.down = frozenset(r.against)
            self.tail = regex.compile(f"(?:{r.open_end})*") if r.open_end else None
            finder = expression(r)
            self.grouped = "v" in finder.groupindex
            self.finder = finder
        return self.finder


# A pattern that begins with one plain character or class and is no alternation at its top.
_HEAD = re.compile(r"(?:\[\^?[^\]\\]+\]|[0-9A-Za-z])(?![{*+?])")
_BEHIND = re.compile(r"\(\?<!((?:\[(?:[^\]\\]|\\.)+\]|\\.|[^()|\\])+)\)")


def expression(recognizer: Recognizer) -> Any:
    """Boundaries and pattern together.

    The standard library's engine is two to three times as fast as `regex`, above all where a pattern begins with a
    character class, so what must not stand before a match is looked up after its first character. It cannot be
    stopped, so it confirms Cloister's own patterns only: their repetitions are bounded and match in few ways
    (`tests/privacy/test_bounded.py` counts the steps). Foreign patterns go to the engine that takes a time-out.
    """
    before, pattern, after = recognizer.before, recognizer.pattern, recognizer.after
    if recognizer.loose:
        flags = regex.VERSION0 | regex.DOTALL | regex.MULTILINE | (0 if recognizer.cased else regex.IGNORECASE)
        return regex.compile(f"{before}(?:{pattern}){after}", flags)
    caseless = 0 if recognizer.cased else int(re.IGNORECASE)
    head = _HEAD.match(pattern)
    if head is not None and not _alternates(pattern) and _BEHIND.sub("", before) == "":
        behind = _BEHIND.sub(lambda match: f"(?<!{match.group(1)}.)", before)
        return re.compile(f"{head.group()}{behind}{pattern[head.end() :]}{after}", caseless | re.DOTALL | re.MULTILINE)
    return re.compile(f"{before}(?:{pattern}){after}", caseless | re.DOTALL | re.MULTILINE)


def _alternates(pattern: str) -> bool:
    """Whether `|` stands outside every group of the pattern."""
    plain = re.sub(r"\\.|\[(?:[^\]\\]|\\.)*\]", "", pattern)
    while True:
        shorter = re.sub(r"\([^()]*\)", "", plain)
        if shorter == plain:
            return "|" in plain
        plain = shorter
