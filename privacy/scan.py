"""All recognizers over one window of text: prefilter, confirmation, checks, context.

A window is a stretch of original text with enough on both sides of what it is asked about. What is found depends on the window alone, never
on the engine that runs the prefilter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import regex

from .. import CloisterError
from .decode import GATES, decoded
from .prefilter import Gate, Prefilter
from .recognizers.model import Recognizer
from .text import View, fold

__all__ = ["Candidate", "RedactionError", "Scanner"]

#: Characters of context to the left and to the right of a value in which words raise or lower its score.
LEFT = 48
RIGHT = 20
#: Seconds that one pattern may take over one window before the text is refused; a thousandfold of what is usual.
TIMEOUT = 2.0
#: Where a match touches the end of what can be seen and its recognizer says nothing else, it continues over these.
TOKEN = r"[0-9A-Za-z_@.+/=%-]"

_ENCODED = -1


class RedactionError(CloisterError):
    """Redaction could not be carried out, so no text comes out."""

    code = "redaction_failed"


@dataclass(frozen=True, slots=True, repr=False)
class Candidate:
    """A value that a recognizer found, in code points of the window; `open_end` is the class over which it continues past the window."""

    start: int
    end: int
    entity: str
    score: float
    recognizer: str
    open_end: str = ""
    plain: bool = True

    def __repr__(self) -> str:
        return f"Candidate({self.entity}, {self.start}, {self.end}, {self.score:.2f})"


@dataclass(slots=True, repr=False)
class _Rule:
    """A recognizer made ready on its first use."""

    recognizer: Recognizer
    finder: Any = None
    words: Any = None
    tail: Any = None
    grouped: bool = field(default=False)

    def ready(self) -> Any:
        if self.finder is None:
            r = self.recognizer
            flags = regex.VERSION0 | regex.DOTALL | regex.MULTILINE | (0 if r.cased else regex.IGNORECASE)
            self.words = _words(r.context, r.against)
            self.tail = regex.compile(f"(?:{r.open_end})*") if r.open_end else None
            finder = regex.compile(f"{r.before}(?:{r.pattern}){r.after}", flags)
            self.grouped = "v" in finder.groupindex
            self.finder = finder
        return self.finder


def _words(context: Sequence[str], against: Sequence[str]) -> Any:
    """One expression for the words on both sides of the scale, longest first; ASCII words stand alone, Han words need not."""
    if not context and not against:
        return None

    def group(name: str, words: Sequence[str]) -> str:
        plain = sorted((regex.escape(word) for word in words if word.isascii()), key=len, reverse=True)
        other = sorted((regex.escape(word) for word in words if not word.isascii()), key=len, reverse=True)
        parts = ([rf"(?<![A-Za-z])(?:{'|'.join(plain)})(?![A-Za-z])"] if plain else []) + (
            ["|".join(other)] if other else []
        )
        return f"(?P<{name}>{'|'.join(parts)})" if parts else f"(?P<{name}>(?!))"

    return regex.compile(f"{group('up', context)}|{group('down', against)}", regex.IGNORECASE)


class Scanner:
    """Recognizers with the prefilter over their gates.

    Args:
        recognizers: what to look for.
        engine: builds the prefilter from the gates, see `engines.py`.
    """

    def __init__(self, recognizers: Sequence[Recognizer], engine: Callable[[Sequence[Gate]], Prefilter]) -> None:
        gates: dict[Gate, list[int]] = {}
        self._rules = [_Rule(recognizer) for recognizer in recognizers]
        for number, recognizer in enumerate(recognizers):
            for expression in recognizer.gates or (recognizer.pattern,):
                gates.setdefault(Gate(expression, recognizer.cased, recognizer.loose), []).append(number)
        for expression in GATES:
            gates.setdefault(Gate(expression), []).append(_ENCODED)
        self._opened = tuple(frozenset(numbers) for numbers in gates.values())
        self.gates = tuple(gates)
        self.prefilter = engine(self.gates)

    def quiet(self, text: str) -> bool:
        """Whether no gate at all occurs in `text` (original): then nothing is found in it or in any part of it."""
        return not self.prefilter.fired(text if text.isascii() else fold(text).text)

    def find(self, window: str, entities: frozenset[str], language: str) -> list[Candidate]:
        """Candidates in `window` (original text) among `entities`, in code points of the window.

        Raises:
            RedactionError: a check failed or a pattern took too long.
        """
        view = fold(window)
        fired = self._fired(view.text)
        if not fired:
            return []
        found = list(self._confirm(view, fired, entities, language, True))
        if _ENCODED in fired:
            for deeper in decoded(view):
                found.extend(self._confirm(deeper, self._fired(deeper.text), entities, language, False))
        return found

    def _fired(self, text: str) -> set[int]:
        fired = self.prefilter.fired(text)
        return set().union(*(self._opened[gate] for gate in fired)) if fired else set()

    def _confirm(
        self, view: View, fired: set[int], entities: frozenset[str], language: str, plain: bool
    ) -> Iterator[Candidate]:
        for number in sorted(fired - {_ENCODED}):
            rule = self._rules[number]
            recognizer = rule.recognizer
            if recognizer.entity in entities and (language == "any" or language in recognizer.languages):
                try:
                    yield from _matches(rule, view, plain)
                except TimeoutError as error:
                    raise RedactionError(
                        f"The recognizer {recognizer.name} took longer than {TIMEOUT:g} s.",
                        hint="Report the recognizer's name; the text was refused.",
                        code="redaction_timeout",
                    ) from error
                except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
                    # A recognizer that breaks must not let its value through; what the error says may quote the text.
                    raise RedactionError(
                        f"The recognizer {recognizer.name} failed with {type(error).__name__}.",
                        hint="Report the recognizer's name; the text was refused.",
                    ) from None


def _matches(rule: _Rule, view: View, plain: bool) -> Iterator[Candidate]:
    text = view.text
    recognizer = rule.recognizer
    finder = rule.ready()
    validate = recognizer.validate
    for match in finder.finditer(text, overlapped=True, timeout=TIMEOUT):
        start, end = match.span("v") if rule.grouped else match.span()
        if end <= start:
            continue
        if recognizer.refine is not None:
            refined = recognizer.refine(text, start, end)
            if refined is None:
                continue
            start, end, score = refined
        else:
            score = recognizer.score
        if validate is not None and not validate(text[start:end]):
            continue
        if rule.words is not None:
            score = _weighed(rule.words, recognizer, text, start, end, score)
        open_end = ""
        if rule.tail is not None:
            end = rule.tail.match(text, end).end()
            if end == len(text):
                open_end = recognizer.open_end
        elif end == len(text):
            open_end = TOKEN
        low, high = view.original(start, end)
        yield Candidate(low, high, recognizer.entity, score, recognizer.name, open_end, plain)


def _weighed(words: Any, recognizer: Recognizer, text: str, start: int, end: int, score: float) -> float:
    """The score in context: the nearest word to the left decides; without one, the first to the right."""
    nearest = None
    for nearest in words.finditer(text, max(0, start - LEFT), start):
        pass
    if nearest is None:
        nearest = words.search(text, end, end + RIGHT)
    if nearest is None:
        return score
    if nearest.lastgroup == "up":
        return max(score, recognizer.context_score)
    return min(score, recognizer.against_score)
