"""How many steps a backtracking engine takes for one match attempt: few, whatever the text.

The standard library's engine cannot be stopped, so what confirms with it must be bounded by construction. A small
matcher that counts walks the engine's own parse tree over texts that are made from the pattern itself and spoilt.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloister.privacy.recognizers import Recognizer, recognizers
from cloister.privacy.rules import expression
from tests.support.samples import parser, sample

#: Steps for one attempt at one place. At some ten nanoseconds a step, 512 places take milliseconds.
MOST = 20_000
Next = Callable[[int], bool]


class Counter:
    """Matches one parse tree at one place of one text and counts the nodes it visits."""

    def __init__(self, text: str, caseless: bool) -> None:
        self.text = text.lower() if caseless else text
        self.caseless = caseless
        self.steps = 0
        self.groups: dict[int, tuple[int, int]] = {}

    def fold(self, code: int) -> str:
        return chr(code).lower() if self.caseless else chr(code)

    def inside(self, items: list[Any], character: str) -> bool:
        negated = bool(items) and items[0][0] is parser.NEGATE
        forms = {character, character.upper()} if self.caseless else {character}
        hit = any(self._is(item, form) for item in items[negated:] for form in forms)
        return hit != negated

    def _is(self, item: Any, character: str) -> bool:
        kind, value = item
        if kind is parser.LITERAL:
            return ord(character) == value if len(character) == 1 else False
        if kind is parser.RANGE:
            return len(character) == 1 and value[0] <= ord(character) <= value[1]
        pattern = {"CATEGORY_SPACE": r"\s", "CATEGORY_WORD": r"\w", "CATEGORY_DIGIT": r"\d"}
        pattern |= {"CATEGORY_NOT_SPACE": r"\S", "CATEGORY_NOT_WORD": r"\W"}
        return re.match(pattern[str(value)], character) is not None

    def sequence(self, nodes: list[Any], index: int, at: int, then: Next) -> bool:
        if index == len(nodes):
            return then(at)
        return self.node(nodes[index], at, lambda position: self.sequence(nodes, index + 1, position, then))

    def node(self, node: Any, at: int, then: Next) -> bool:
        self.steps += 1
        if self.steps > MOST:
            raise AssertionError
        kind, value = node
        text = self.text
        if kind is parser.LITERAL:
            return at < len(text) and text[at] == self.fold(value) and then(at + 1)
        if kind is parser.NOT_LITERAL:
            return at < len(text) and text[at] != self.fold(value) and then(at + 1)
        if kind is parser.ANY:
            return at < len(text) and then(at + 1)
        if kind is parser.IN:
            return at < len(text) and self.inside(value, text[at]) and then(at + 1)
        if kind is parser.AT:
            name = str(value)
            if name in ("AT_BEGINNING", "AT_BEGINNING_STRING"):
                return (at == 0 or text[at - 1] == "\n") and then(at)
            if name in ("AT_END", "AT_END_STRING"):
                return (at == len(text) or text[at] == "\n") and then(at)
            before = at > 0 and (text[at - 1].isalnum() or text[at - 1] == "_")
            behind = at < len(text) and (text[at].isalnum() or text[at] == "_")
            return ((before != behind) == (name == "AT_BOUNDARY")) and then(at)
        if kind is parser.SUBPATTERN:
            group, _, _, body = value

            def close(position: int) -> bool:
                if group is not None:
                    self.groups[group] = (at, position)
                return then(position)

            return self.sequence(list(body), 0, at, close)
        if kind is parser.BRANCH:
            return any(self.sequence(list(body), 0, at, then) for body in value[1])
        if kind is parser.GROUPREF:
            if value not in self.groups:
                return False
            start, end = self.groups[value]
            piece = text[start:end]
            return text.startswith(piece, at) and then(at + len(piece))
        if kind in (parser.ASSERT, parser.ASSERT_NOT):
            direction, body = value
            width = body.getwidth()[1] if direction < 0 else 0
            holds = at >= width and self.sequence(list(body), 0, at - width, lambda _: True)
            return holds == (kind is parser.ASSERT) and then(at)
        if kind in (parser.MAX_REPEAT, parser.MIN_REPEAT):
            low, high, body = value
            return self.repeat(list(body), low, int(high), 0, at, then, kind is parser.MAX_REPEAT)
        raise NotImplementedError(kind)

    def repeat(self, body: list[Any], low: int, high: int, done: int, at: int, then: Next, greedy: bool) -> bool:
        if len(body) == 1 and body[0][0] in (parser.IN, parser.LITERAL, parser.NOT_LITERAL, parser.ANY):
            # One character repeated: the engine counts how far it goes and gives back one by one.
            most = at
            while most < len(self.text) and most - at < high and self.node(body[0], most, lambda _: True):
                most += 1
            ends = range(most, at + low - 1, -1) if greedy else range(at + low, most + 1)
            return any(then(end) for end in ends)

        def again(position: int) -> bool:
            if position == at and done >= low:
                return False
            return self.repeat(body, low, high, done + 1, position, then, greedy)

        if done < low:
            return self.sequence(body, 0, at, again)
        if greedy:
            return (done < high and self.sequence(body, 0, at, again)) or then(at)
        return then(at) or (done < high and self.sequence(body, 0, at, again))


def texts(recognizer: Recognizer, tree: Any) -> Iterator[str]:
    """Texts that begin as the pattern wants and then go wrong."""
    r = random.Random(recognizer.name)
    for _ in range(4):
        text = sample(r, tree, {})
        cut = r.randrange(len(text) + 1)
        yield text + "x"
        yield text[:-1] + "\x00"
        yield text[:cut] + "\x00" + text[cut:]
        yield (text[: max(1, cut)] * 40)[:120]
        yield re.sub(r"[ \t\n./_-]+", "  ", text) + "9x"


@pytest.mark.parametrize("recognizer", [r for r in recognizers() if not r.loose], ids=lambda r: r.name)
def test_one_attempt_takes_few_steps(recognizer: Recognizer) -> None:
    finder = expression(recognizer)
    tree = list(parser.parse(finder.pattern, finder.flags & ~re.UNICODE))
    for text in texts(recognizer, tree):
        counter = Counter(text, bool(finder.flags & re.IGNORECASE))
        for place in range(min(len(text), 3)):
            counter.steps = 0
            counter.groups.clear()
            try:
                counter.sequence(tree, 0, place, lambda _: False)
            except AssertionError:
                pytest.fail(f"{recognizer.name}: more than {MOST} steps at {place} of {text!r}")
