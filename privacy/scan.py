"""All recognizers over one window of text: prefilter, confirmation, checks, context.

A window is a stretch of original text with enough on both sides of what it is asked about. What is found depends on
the window alone, never
on the engine that runs the prefilter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import regex

from .. import CloisterError
from .context import Lexicon, Occurrences
from .decode import GATES, LAYERS, decode
from .prefilter import Gate, Prefilter
from .recognizers.model import Recognizer
from .text import View, fold

__all__ = ["Candidate", "RedactionError", "Scanner"]

#: Seconds that one pattern may take over one window before the text is refused; a thousandfold of what is usual.
TIMEOUT = 2.0
#: Where a match touches the end of what can be seen and its recognizer says nothing else, it continues over these.
CONTINUED = r"[0-9A-Za-z_@.+/=%-]"


class RedactionError(CloisterError):
    """Redaction could not be carried out, so no text comes out."""

    code = "redaction_failed"


@dataclass(frozen=True, slots=True, repr=False)
class Candidate:
    """A value that a recognizer found, in code points of the window; `open_end` is the class over which it continues
    past the window.
    """

    start: int
    end: int
    entity: str
    score: float
    recognizer: str
    open_end: str = ""
    plain: bool = True

    def __repr__(self) -> str:
        return f"Candidate({self.entity}, {self.start}, {self.end}, {self.score:.2f})"


class _Query(NamedTuple):
    """What a window is asked: the range in question, entities, language, least score, and whether the view is the
    plain one.
    """

    begin: int
    end: int
    entities: frozenset[str]
    language: str
    least: float
    plain: bool


@dataclass(slots=True, repr=False)
class _Rule:
    """A recognizer made ready on its first use."""

    recognizer: Recognizer
    finder: Any = None
    tail: Any = None
    grouped: bool = False
    up: frozenset[str] = frozenset()
    down: frozenset[str] = frozenset()

    def ready(self) -> Any:
        if self.finder is None:
            r = self.recognizer
            self.up = frozenset(r.context)
            self.down = frozenset(r.against)
            self.tail = regex.compile(f"(?:{r.open_end})*") if r.open_end else None
            finder = _expression(r)
            self.grouped = "v" in finder.groupindex
            self.finder = finder
        return self.finder


# A pattern that begins with one plain character or class and is no alternation at its top.
_HEAD = re.compile(r"(?:\[\^?[^\]\\]+\]|[0-9A-Za-z])(?![{*+?])")
_BEHIND = re.compile(r"\(\?<!((?:\[(?:[^\]\\]|\\.)+\]|\\.|[^()|\\])+)\)")


def _expression(recognizer: Recognizer) -> Any:
    """Boundaries and pattern together.

    The standard library's engine confirms Cloister's own patterns: it is twice as fast where a pattern begins with a
    character class, so what
    must not stand before a match is looked up after its first character. The `regex` engine, which can be stopped,
    confirms foreign ones.
    """
    before, pattern, after = recognizer.before, recognizer.pattern, recognizer.after
    caseless = 0 if recognizer.cased else int(re.IGNORECASE)
    if recognizer.loose:
        flags = regex.VERSION0 | regex.DOTALL | regex.MULTILINE | (0 if recognizer.cased else regex.IGNORECASE)
        return regex.compile(f"{before}(?:{pattern}){after}", flags)
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


def _search(finder: Any, text: str, position: int) -> Any:
    """The first match at or after a position; only the engine that can be stopped is."""
    if isinstance(finder, re.Pattern):
        return finder.search(text, position)
    return finder.search(text, position, timeout=TIMEOUT)


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
        self._lexicon = Lexicon(word for r in recognizers for word in (*r.context, *r.against))
        for expression in GATES.values():
            gates.setdefault(Gate(expression), [])
        self._opened = tuple(frozenset(numbers) for numbers in gates.values())
        self._kinds = {
            index: kind
            for index, gate in enumerate(gates)
            for kind, expression in GATES.items()
            if gate == Gate(expression)
        }
        self.gates = tuple(gates)
        self.prefilter = engine(self.gates)

    def quiet(self, text: str) -> bool:
        """Whether no gate at all occurs in `text` (original): then nothing is found in it or in any part of it."""
        return not self.prefilter.fired(text if text.isascii() else fold(text).text)

    def find(
        self, window: str, owned: tuple[int, int], entities: frozenset[str], language: str, least: float
    ) -> list[Candidate]:
        """Candidates in `window` (original text) among `entities`, in code points of the window.

        Args:
            window: original text.
            owned: the range that is asked about; what ends before it or begins after it is not reported.
            entities: entities to look for.
            language: `en`, `zh`, or `any` for the recognizers of both.
            least: no candidate below this score is asked for; some may come all the same.

        Raises:
            RedactionError: a check failed or a pattern took too long.
        """
        begin, end = owned
        view = fold(window)
        fired = self.prefilter.fired(view.text)
        found = list(self._confirm(view, fired, _Query(begin, end, entities, language, least, True))) if fired else []
        for _ in range(LAYERS):
            kinds = frozenset(self._kinds[gate] for gate in fired if gate in self._kinds)
            deeper = decode(view, kinds) if kinds else None
            if deeper is None:
                break
            view, fired = deeper, self.prefilter.fired(deeper.text)
            found.extend(self._confirm(view, fired, _Query(begin, end, entities, language, least, False)))
        return found

    def _confirm(self, view: View, fired: list[int], query: _Query) -> Iterator[Candidate]:
        numbers = sorted(set().union(*(self._opened[gate] for gate in fired)))
        words: Occurrences | None = None
        for number in numbers:
            rule = self._rules[number]
            recognizer = rule.recognizer
            if recognizer.entity in query.entities and (
                query.language == "any" or query.language in recognizer.languages
            ):
                rule.ready()
                if rule.up or rule.down:
                    words = words or self._lexicon.occurrences(view.text)
                    # Without a word that lifts it, nothing this recognizer finds would count.
                    if recognizer.score < query.least and recognizer.refine is None and rule.up.isdisjoint(words.words):
                        continue
                try:
                    yield from _matches(rule, view, words, query)
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


def _matches(rule: _Rule, view: View, words: Occurrences | None, query: _Query) -> Iterator[Candidate]:
    text = view.text
    recognizer = rule.recognizer
    finder = rule.ready()
    validate = recognizer.validate
    position = 0
    while position < len(text) and (match := _search(finder, text, position)) is not None:
        # What is rejected may hide a value that begins inside it; what is accepted is done with.
        position = match.start() + 1
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
        low, high = view.original(start, end)
        if low >= query.end:
            # Later matches begin later; only a value found to the left of its match may still begin early enough.
            if recognizer.refine is None and not rule.grouped:
                return
            continue
        if high <= query.begin:
            continue
        if words is not None and (rule.up or rule.down):
            verdict = words.verdict(start, end, rule.up, rule.down)
            if verdict > 0:
                score = max(score, recognizer.context_score)
            elif verdict < 0:
                score = min(score, recognizer.against_score)
        if score < query.least or (validate is not None and not validate(text[start:end])):
            continue
        open_end = ""
        if rule.tail is not None:
            end = rule.tail.match(text, end).end()
            if end == len(text):
                open_end = recognizer.open_end
            low, high = view.original(start, end)
        elif end == len(text):
            open_end = CONTINUED
        position = max(position, match.end())
        yield Candidate(low, high, recognizer.entity, score, recognizer.name, open_end, query.plain)
