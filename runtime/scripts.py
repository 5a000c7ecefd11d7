"""Which script a text is written in, and whose word counts where two taggers read the same text. Pure functions."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum

from .results import Entity

Range = tuple[int, int]


class Script(StrEnum):
    """A script with a tagger of its own."""

    latin = "latin"
    han = "han"


# Letters by Unicode's Scripts.txt: Latin with its extensions and full-width forms, Han with the marks that stand for
# a character.
_LETTERS = {
    Script.latin: re.compile(
        r"[A-Za-z\u00AA\u00BA\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u02AF\u1E00-\u1EFF\uFF21-\uFF3A\uFF41-\uFF5A]"
    ),
    Script.han: re.compile(r"[\u3005\u3007\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFAFF\U00020000-\U0003FFFF]"),
}
_LETTER = re.compile("|".join(f"(?P<{script}>{letter.pattern})" for script, letter in _LETTERS.items()))


def has(text: str, script: Script) -> bool:
    """Whether a letter of the script stands in the text."""
    return _LETTERS[script].search(text) is not None


def runs(text: str) -> Iterator[tuple[Script, int, int]]:
    """The text as runs of one script, in order. What belongs to no script goes with the letter before it, and at the
    beginning with the first letter; a text without a letter has no runs.
    """
    current, start = None, 0
    for match in _LETTER.finditer(text):
        script = Script(str(match.lastgroup))
        if current is not None and script != current:
            yield current, start, match.start()
            start = match.start()
        current = script
    if current is not None:
        yield current, start, len(text)


def merged(text: str, found: dict[Script, Sequence[Entity]]) -> list[Entity]:
    """Spans of the taggers of several scripts over one text, in order and without overlaps.

    Where two claim the same characters, the tagger of their script has them; what is left of the other's span stays
    where it has a letter or digit.
    """
    kept: list[Entity] = []
    for script, entities in found.items():
        taken = [
            (max(low, entity.start), min(high, entity.end))
            for owner, low, high in runs(text)
            if owner != script
            for entity in found.get(owner, ())
            if entity.start < high and low < entity.end
        ]
        for entity in entities:
            kept += _rest(text, entity, sorted(taken))
    return sorted(kept, key=lambda entity: (entity.start, entity.end))


def _rest(text: str, entity: Entity, taken: Sequence[Range]) -> Iterator[Entity]:
    """What of an entity no range covers."""
    start = entity.start
    for low, high in (*taken, (entity.end, entity.end)):
        stop = min(low, entity.end)
        if start < stop and any(character.isalnum() for character in text[start:stop]):
            if (start, stop) == (entity.start, entity.end):
                yield entity
            else:
                yield _cut(text, entity, start, stop)
        start = max(start, high)


def _cut(text: str, entity: Entity, start: int, end: int) -> Entity:
    while text[start].isspace():
        start += 1
    while text[end - 1].isspace():
        end -= 1
    return replace(entity, start=start, end=end, text=text[start:end])
