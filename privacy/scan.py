"""All recognizers over one window of text: prefilter, confirmation, checks, context.

A window is a stretch of original text with enough on both sides of what it is asked about. What is found depends on
the window alone, never
on the engine that runs the prefilter.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .. import CloisterError
from .context import Lexicon, Occurrences
from .decode import GATES, LAYERS, decode
from .prefilter import Gate, Prefilter
from .recognizers.model import REACH, Recognizer
from .rules import Rule
from .runs import Settled
from .text import View, fold

__all__ = ["Candidate", "Limits", "RedactionError", "Scanner"]

# One search looks for matches that begin in so many characters, and sees so many more: no pattern is as wide.
_BLOCK, _BEYOND = 512, 1024
# How many sets of gates a scanner remembers the rules of.
_ORDERS = 2048
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


class Deadline:
    """How long a search may take, in seconds of its own thread: a busy machine is no reason to refuse a text."""

    __slots__ = ("_began", "_wall", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._began = time.thread_time()
        self._wall = time.perf_counter() + seconds

    def check(self) -> None:
        """Raises TimeoutError when the time is over. The thread's clock is slow to read, so the other goes first."""
        now = time.perf_counter()
        if now > self._wall:
            left = self.seconds - (time.thread_time() - self._began)
            if left <= 0:
                raise TimeoutError
            self._wall = now + left


class _Query(NamedTuple):
    """What a window is asked.

    Attributes:
        begin, end: the range in question, in code points of the window.
        entities, language, least: as for `Scanner.find`.
        final: least score by entity from which on a candidate is sure to be acted upon.
        deadline: when the search must be over.
        plain: whether the view is the plain one.
    """

    begin: int
    end: int
    entities: frozenset[str]
    language: str
    least: float
    final: Mapping[str, float]
    deadline: Deadline
    plain: bool = True


def _searching(rule: Rule, query: _Query) -> Callable[[str, int, int], Any]:
    """How a rule searches. Foreign patterns may take any time, so their engine is told when to stop."""
    finder = rule.ready()
    if not rule.recognizer.loose:
        return finder.search  # type: ignore[no-any-return]

    def search(text: str, position: int, limit: int) -> Any:
        return finder.search(text, position, limit, timeout=query.deadline.seconds)

    return search


def _blocks(places: Iterable[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """The same places in pieces, so that there is a moment to look at the clock between two searches."""
    for begin, stop, limit in places:
        while stop - begin > _BLOCK:
            yield begin, begin + _BLOCK, min(limit, begin + _BLOCK + _BEYOND)
            begin += _BLOCK
        yield begin, stop, min(limit, stop + _BEYOND)


class Scanner:
    """Recognizers with the prefilter over their gates.

    Args:
        recognizers: what to look for.
        engine: builds the prefilter from the gates, see `engines.py`.
    """

    def __init__(self, recognizers: Sequence[Recognizer], engine: Callable[[Sequence[Gate]], Prefilter]) -> None:
        gates: dict[Gate, list[int]] = {}
        self._rules = [Rule(recognizer) for recognizer in recognizers]
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
        self._orders: dict[tuple[frozenset[int], frozenset[str], str], tuple[Rule, ...]] = {}
        self.gates = tuple(gates)
        self.prefilter = engine(self.gates)

    def quiet(self, text: str) -> bool:
        """Whether no gate at all occurs in `text` (original): then nothing is found in it or in any part of it."""
        return not self.prefilter.any_fired(text if text.isascii() else fold(text).text)

    def find(
        self,
        window: str,
        owned: tuple[int, int],
        entities: frozenset[str],
        language: str,
        limits: Limits,
    ) -> list[Candidate]:
        """Candidates in `window` (original text) among `entities`, in code points of the window.

        Args:
            window: original text.
            owned: the range that is asked about; what ends before it or begins after it is not reported.
            entities: entities to look for.
            language: `en`, `zh`, or `any` for the recognizers of both.
            limits: least score, what is sure to be acted upon, and the time there is.

        Raises:
            RedactionError: a check failed or took too long.
        """
        begin, end = owned
        deadline = Deadline(limits.seconds)
        query = _Query(begin, end, entities, language, limits.least, limits.final, deadline)
        found: list[Candidate] = []
        try:
            self._search(window, query, found)
        except RedactionError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever breaks, what was not searched must not pass
            raise RedactionError(
                f"The search failed with {type(error).__name__}.", hint="Report this; the text was refused."
            ) from None
        return found

    def _search(self, window: str, query: _Query, found: list[Candidate]) -> None:
        """Add the candidates of the plain view and of each deeper one."""
        view = fold(window)
        fired = self.prefilter.fired(view.text)
        if fired:
            self._confirm(view, fired, query, found)
        for _ in range(LAYERS):
            kinds = frozenset(self._kinds[gate] for gate in fired if gate in self._kinds)
            deeper = decode(view, kinds) if kinds else None
            if deeper is None:
                break
            view, fired = deeper, self.prefilter.fired(deeper.text)
            self._confirm(view, fired, query._replace(plain=False), found)

    def _behind(self, fired: list[int], query: _Query) -> tuple[Rule, ...]:
        """The rules behind gates that are asked for, the surest first. A few sets of gates come again and again."""
        key = (frozenset(fired), query.entities, query.language)
        rules = self._orders.get(key)
        if rules is None:
            numbers = sorted(set().union(*(self._opened[gate] for gate in fired)))
            wanted = (self._rules[number] for number in numbers)
            rules = tuple(
                sorted(
                    (
                        rule
                        for rule in wanted
                        if rule.recognizer.entity in query.entities
                        and (query.language == "any" or query.language in rule.recognizer.languages)
                    ),
                    key=_surest,
                )
            )
            if len(self._orders) >= _ORDERS:
                self._orders.clear()
            self._orders[key] = rules
        return rules

    def _confirm(self, view: View, fired: list[int], query: _Query, found: list[Candidate]) -> None:
        """Add what the rules behind the gates find, the surest first: what is settled is not checked twice."""
        words: Occurrences | None = None
        settled = Settled(view, ((c.start, c.end, c.entity, c.score) for c in found), query.final)
        for rule in self._behind(fired, query):
            recognizer = rule.recognizer
            rule.ready()
            if rule.up or rule.down:
                words = words or self._lexicon.occurrences(view.text)
                # Without a word that lifts it, nothing this recognizer finds would count.
                if recognizer.score < query.least and recognizer.refine is None and rule.up.isdisjoint(words.words):
                    continue
            try:
                for candidate in _matches(rule, view, words, query, settled):
                    found.append(candidate)
                    settled.add(candidate.start, candidate.end, candidate.entity, candidate.score)
                query.deadline.check()
            except TimeoutError:
                raise RedactionError(
                    f"Looking for personal data took too long (in the recognizer {recognizer.name}).",
                    hint="The text was refused; [stream] seconds in the policy is the time a segment may take.",
                    code="redaction_timeout",
                ) from None
            except Exception as error:  # noqa: BLE001 - a recognizer that breaks must not let its value through
                # What the error says may quote the text.
                raise RedactionError(
                    f"The recognizer {recognizer.name} failed with {type(error).__name__}.",
                    hint="Report the recognizer's name; the text was refused.",
                ) from None


def _surest(rule: Rule) -> float:
    return -rule.best


class Limits(NamedTuple):
    """What bounds a search.

    Attributes:
        least: no candidate below this score is asked for; some may come all the same.
        final: by entity, the score from which on a candidate is sure to be acted upon.
        seconds: how long one window may take.
    """

    least: float
    final: Mapping[str, float]
    seconds: float


def _matches(rule: Rule, view: View, words: Occurrences | None, query: _Query, settled: Settled) -> Iterator[Candidate]:
    text = view.text
    search = _searching(rule, query)
    recognizer = rule.recognizer
    refine, validate, best, entity = recognizer.refine, recognizer.validate, rule.best, recognizer.entity
    beside = words is not None and bool(words.words) and bool(rule.up or rule.down)
    check = query.deadline.check
    first, last = view.index(query.begin), view.index(query.end)
    # A match that begins before the range was looked at with the range before; a label may stand there. The value of a
    # match right of the range may begin within it.
    first = max(0, first - REACH) if rule.grouped else first
    last = len(text) if recognizer.leftward else min(last, len(text))
    position = 0
    places = settled.places(recognizer.digits, best, entity, (first, last))
    for begin, stop, limit in places if recognizer.loose else _blocks(places):
        position = max(position, begin)
        check()
        while position < stop and (match := search(text, position, limit)) is not None:
            # What is rejected may hide a value that begins inside it; what is accepted is done with.
            start, end = match.span()
            if start >= stop:
                break
            position, after = start + 1, end
            check()
            if rule.grouped:
                start, end = match.span("v")
            if end <= start:
                continue
            low, high = view.original(start, end)
            if high <= query.begin:  # no value reaches farther than its match
                continue
            if refine is None and settled.covers(low, high, best, entity):
                position = after
                continue
            score = recognizer.score
            if refine is not None:
                refined = refine(text, start, end)
                if refined is None:
                    continue
                start, end, score = refined
                low, high = view.original(start, end)
            # Later matches begin later, but a value found to the left of its match may still begin early enough.
            if low >= query.end or high <= query.begin:
                continue
            if beside and words is not None:
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
            position = max(position, after)
            yield Candidate(low, high, entity, score, recognizer.name, open_end, query.plain)
