"""What the scan passes over (text without numbers, what is settled) would not have changed the outcome."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType

import pytest

from cloister.privacy.engines import default_engine
from cloister.privacy.recognizers import recognizers
from cloister.privacy.scan import Candidate, Limits, Scanner
from cloister.privacy.spans import resolve

ENTITIES = frozenset(recognizer.entity for recognizer in recognizers())
OPEN = Limits(0.5, {}, 10.0)
SETTLING = Limits(0.5, dict.fromkeys(ENTITIES, 0.5), 10.0)


@pytest.fixture(scope="module")
def texts(bench: dict[str, ModuleType]) -> list[str]:
    def make() -> Iterator[str]:
        values = list(bench["values"].values(1, seed=77))
        for index, (entity, name, value, english, chinese) in enumerate(values):
            forms = [value, *(way(value) for way in bench["transforms"].TRANSFORMS(entity, name).values())]
            for form in forms[::3]:
                yield bench["values"].carrier(index, english, chinese, form)[1]
        for start in range(0, len(values), 4):
            yield " / ".join(f"{word} {value}" for _, _, value, word, _ in values[start : start + 4])
        for _, text in bench["lookalikes"].suite(1, seed=78):
            yield text

    return list(make())


def found(scanner: Scanner, text: str, limits: Limits) -> list[Candidate]:
    return scanner.find(text, (0, len(text)), ENTITIES, "any", limits)


def test_runs_of_digits(texts: list[str]) -> None:
    """A rule for numbers finds the same when it looks at the whole text."""
    quick = Scanner(recognizers(), default_engine)
    thorough = Scanner([replace(recognizer, digits=0) for recognizer in recognizers()], default_engine)
    for text in texts:
        one, two = (
            {(c.start, c.end, c.entity, c.score, c.recognizer) for c in found(scanner, text, OPEN)}
            for scanner in (quick, thorough)
        )
        assert one == two, text


def test_what_is_settled(texts: list[str]) -> None:
    """Passing over what would lose leaves the same winners."""
    scanner = Scanner(recognizers(), default_engine)
    for text in texts:
        one, two = (
            [(c.start, c.end, c.entity, c.score) for c in resolve(found(scanner, text, limits), text)]
            for limits in (OPEN, SETTLING)
        )
        assert one == two, text
