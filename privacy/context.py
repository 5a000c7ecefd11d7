"""Words beside a value that say what it is. A text is searched for the words of all recognizers once, whatever their
number.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable

__all__ = ["LEFT", "RIGHT", "Lexicon", "Occurrences"]

#: Characters to the left and to the right of a value in which a word counts.
LEFT = 48
RIGHT = 20

_CLAUSE = re.compile(r"[,;!?\n。]|\.\s")
_LATIN = re.compile(r"[A-Za-z]+")


class Occurrences:
    """Where the words of a lexicon stand in one text."""

    __slots__ = ("_by_end", "_by_start", "_ends", "_starts", "_text", "words")

    def __init__(self, text: str, found: list[tuple[int, int, str]]) -> None:
        self._text = text
        self._by_end = sorted(found, key=lambda item: (item[1], -item[0]))
        self._ends = [item[1] for item in self._by_end]
        self._by_start = sorted(found, key=lambda item: (item[0], -item[1]))
        self._starts = [item[0] for item in self._by_start]
        self.words = frozenset(item[2] for item in found)

    def verdict(self, start: int, end: int, up: frozenset[str], down: frozenset[str]) -> int:
        """1 when a word of `up` is the nearest, -1 when one of `down` is, 0 without any; a word to the left goes
        before one to the right.

        A word of `down` counts only within its clause: the order number before a comma says nothing about the number
        after it.
        """
        for index in range(bisect_right(self._ends, start) - 1, -1, -1):
            low, high, word = self._by_end[index]
            if high < start - LEFT:
                break
            if low >= start - LEFT:
                if word in up:
                    return 1
                if word in down and _CLAUSE.search(self._text, high, start) is None:
                    return -1
        for index in range(bisect_left(self._starts, end), len(self._starts)):
            low, high, word = self._by_start[index]
            if low > end + RIGHT:
                break
            if high <= end + RIGHT:
                if word in up:
                    return 1
                if word in down and _CLAUSE.search(self._text, end, low) is None:
                    return -1
        return 0


class Lexicon:
    """All context words of a set of recognizers. Words of Latin letters stand alone, others may stand inside a run of
    characters.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._phrases: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        self._others: dict[str, list[str]] = {}
        for word in sorted(set(words)):
            parts = tuple(_LATIN.findall(word.lower()))
            if word.isascii() and parts:
                self._phrases.setdefault(parts[0], []).append((parts, word))
            else:
                self._others.setdefault(word[0], []).append(word)

    def occurrences(self, text: str) -> Occurrences:
        """Every word of the lexicon in a folded text."""
        found: list[tuple[int, int, str]] = []
        tokens = [(match.group().lower(), match.start(), match.end()) for match in _LATIN.finditer(text)]
        for index, (token, start, end) in enumerate(tokens):
            for parts, word in self._phrases.get(token, ()):
                stop = index + len(parts)
                if len(parts) == 1:
                    found.append((start, end, word))
                elif tuple(item[0] for item in tokens[index:stop]) == parts:
                    found.append((start, tokens[stop - 1][2], word))
        if not text.isascii():
            others = self._others
            for index, character in enumerate(text):
                found.extend(
                    (index, index + len(word), word)
                    for word in others.get(character, ())
                    if text.startswith(word, index)
                )
        return Occurrences(text, found)
