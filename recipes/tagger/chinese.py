"""Labelled Chinese texts for the character tagger: templates with slots, and sentences strung from a dictionary.

    python -m recipes.tagger.chinese --count 1000 --part train --seed 7 OUT.jsonl

The same seed, count and part give the same texts in every process. Parts share no template (a committed list says which
are held out) and no given name. Sentences of the dictionary are in the training part only: they are no language that
anybody writes, but show the model that 高兴 is a word and 高欣 a name, whatever stands around them.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .chinese_messages import messages
from .chinese_slots import LABELS, Part, Slots
from .chinese_templates import NEGATIVE, TEMPLATES
from .chinese_words import namelike, segmented, simplified, traditional, words

__all__ = ["WITHOUT", "Example", "Span", "examples", "parsed", "plain_lines", "save", "template_part", "write"]

_HELD_OUT = Path(__file__).with_name("heldout_templates_zh.json")
_SLOT = re.compile(r"\{([a-z]+)(?::(\d))?\}")

# Sentences by part of speech; capitals are slots. A subject or object is a person, a place or a thing.
_SENTENCES = [
    line.strip()
    for line in """
    PERSON d v n|PERSON v 了 n|v PERSON v|p PERSON v 了 n|PERSON 和 PERSON v|PERSON 、 PERSON 、 PERSON d v|n PERSON v n
    r d v PERSON|PERSON 的 n d a|v 了 PERSON 的 n|t PERSON v n|t r v 了 PERSON|PERSON p CITY v|n PERSON d v 过 n|PERSON
    v PERSON 吗|把 n v 给 PERSON|PERSON ， d v n|a 的 PERSON|b n PERSON|PERSON v ， n v|与 PERSON v|i ， PERSON v
    PERSON p ORG v|ORG 的 PERSON|PERSON DATE v|DATE PERSON v n|住 p ADDRESS|PERSON v 到 ADDRESS|ADDRESS 的 n|CITY 的 n v
    p PLACE v|COMPANY v n|n p ORG v|从 CITY 到 CITY|PERSON n PERSON n|n ： PERSON|PERSON ： i|r p PERSON d v|NICK d v 了
    r d v n|n d v|n 的 n v 了 n|a 的 n|v n|d a|n v n|p n v|i|l|r v 了 m q n|t n v|n 和 n|n 、 n 、 n|v n 的 n d a|b n
    s v n|n p s v|d v n|vn n|n vn|a n v|ad v n|f v n|z 的 n|j n|v 着 n|n f|c n v ， d v|把 n v 了|被 n v|nz n|v 不 v
    n ： n|m q n|r 的 n|i ， i|an v|n v v n|v v|d d v|a a|n n n
    """.replace("\n", "|").split("|")
    if line.strip()
]
_SENTENCE_SLOTS = {
    "PERSON": "person",
    "NICK": "nick",
    "CITY": "city",
    "PLACE": "place",
    "ORG": "org",
    "COMPANY": "company",
    "ADDRESS": "address",
    "DATE": "date",
}
WITHOUT = frozenset({*NEGATIVE, "messages"})
"""Genres of examples that have no entity."""
_ENTITIES = frozenset(LABELS.values())
_REPLACED = frozenset({"n", "v", "a", "vn", "t", "i", "l", "d"})
_NOUNS = frozenset({"n", "t", "r", "s"})
_EXCHANGEABLE = frozenset({"person", "han", "given", "nick"})
_EXCHANGED, _NAMELIKE = 0.3, 0.3
_HALF = str.maketrans("，：；（）！？。", ",:;()!?.")
_MARKS = re.compile(r"[，。！？；]")


@dataclass(frozen=True)
class Span:
    """An entity: code points [start, end) of the text, and its label."""

    start: int
    end: int
    label: str


@dataclass(frozen=True)
class Example:
    """A text with its entities in order, ids of the templates it was made of, its genre and script (`hans`, `hant`)."""

    text: str
    entities: tuple[Span, ...]
    template: str
    genre: str
    script: str

    def row(self) -> dict[str, Any]:
        """The line of a labelled file."""
        return {
            "text": self.text,
            "entities": [{"start": s.start, "end": s.end, "label": s.label} for s in self.entities],
            "template": self.template,
            "genre": self.genre,
            "script": self.script,
        }


@dataclass(frozen=True)
class _Piece:
    text: str
    label: str | None = None


@cache
def _held_out() -> dict[str, Part]:
    lists = json.loads(_HELD_OUT.read_text("utf-8"))
    found: dict[str, Part] = dict.fromkeys(lists["validation"], "validation")
    return found | dict.fromkeys(lists["test"], "test")


def plain_lines(part: Part) -> list[str]:
    """Every line without an entity of a part, once, as it is written but for its filled slots."""
    source = random.Random(f"lines {part}")
    slots = Slots(source, part)
    ids = [i for genre, found in _templates(part).items() if genre in NEGATIVE for i in found]
    return [
        "".join(p.text for p in _template(source, slots, i, i.rpartition("-")[0].endswith("_tw"), 0.0, 0.0))
        for i in ids
    ]


def template_part(template: str) -> Part:
    """The part that a template's id belongs to."""
    return _held_out().get(template, "train")


@cache
def _templates(part: Part) -> dict[str, list[str]]:
    """Templates of a part by genre, as ids."""
    found = {
        genre: [f"{genre}-{i}" for i in range(len(lines)) if template_part(f"{genre}-{i}") == part]
        for genre, lines in TEMPLATES.items()
    }
    return {genre: ids for genre, ids in found.items() if ids}


def examples(seed: int, count: int, part: Part) -> Iterator[Example]:
    """`count` examples of a part, always the same for the same arguments."""
    source = random.Random(f"{seed} {part}")
    slots = Slots(source, part)
    genres = _templates(part)
    written = [g for g in genres if g not in NEGATIVE]
    weights = [len(genres[g]) for g in written]
    plain = [g for g in genres if g in NEGATIVE]
    plain_weights = [len(genres[g]) for g in plain]
    strung, negative = (0.25, 0.75) if part == "train" else (0.0, 0.88)
    for _ in range(count):
        kind = source.random()
        if kind < strung:
            yield _strung(source, slots)
        elif kind > 0.93:
            yield _told(source, part)
        elif kind > negative:
            yield _filled(source, slots, source.choices(plain, plain_weights)[0], genres, part)
        else:
            yield _filled(source, slots, source.choices(written, weights)[0], genres, part)


def _told(source: random.Random, part: Part) -> Example:
    """One to four messages of programs: real sentences without entities."""
    taiwan = source.random() < 0.2
    pieces: list[_Piece] = []
    for place in range(source.choice((1, 1, 1, 2, 2, 3, 4))):
        if place:
            pieces.append(_Piece(source.choice(("，", "。", "\n", " ", ""))))
        pieces.append(_Piece(source.choice(messages(part, traditional=taiwan))))
    return _example(source, pieces, "messages", "messages", taiwan)


def _filled(source: random.Random, slots: Slots, genre: str, genres: dict[str, list[str]], part: Part) -> Example:
    """One to three templates of a genre, filled, with the small disorder of real text."""
    taiwan = genre.endswith("_tw")
    converted = taiwan or source.random() < 0.1
    number = source.choice((1, 1, 1, 2, 3)) if source.random() < 0.92 else source.randint(4, 8)
    ids = [source.choice(genres[genre]) for _ in range(number)]
    if number > 1 and genre not in NEGATIVE and source.random() < 0.3:
        others = [g for g in genres if g in NEGATIVE and g.endswith("_tw") == taiwan]
        ids[source.randrange(number)] = source.choice([i for g in others for i in genres[g]])
    # Other words in the place of the template's own, so that it is no single text that teaches the context of a name.
    replaced = 0.3 if part == "train" and not taiwan and source.random() < 0.5 else 0.0
    # Words in the place of names, and names in the place of words: what stands around is not all that counts.
    exchanged = _EXCHANGED if part == "train" and source.random() < 0.35 else 0.0
    pieces: list[_Piece] = []
    for place, identity in enumerate(ids):
        if place:
            pieces.append(_Piece(source.choice(("，", "。", "\n", " ", "；"))))
        if source.random() < 0.07:
            told = source.choice(messages(part, traditional=taiwan))
            pieces.append(_Piece(told + source.choice(("，", "。", "\n", " "))))
        pieces.extend(_template(source, slots, identity, taiwan, replaced, exchanged))
    return _example(source, pieces, "+".join(ids), genre, converted)


def _template(
    source: random.Random, slots: Slots, identity: str, taiwan: bool, replaced: float, exchanged: float
) -> Iterator[_Piece]:
    genre, _, place = identity.rpartition("-")
    line = TEMPLATES[genre][int(place)]
    known: dict[str, _Piece] = {}
    at, titled = 0, False
    named = exchanged if genre in NEGATIVE else 0.0
    for match in _SLOT.finditer(line):
        yield from _literal(source, slots, line[at : match.start()], taiwan, 0.0 if titled else replaced, named)
        at = match.end()
        slot = match[1]
        piece = known.get(match[0]) if match[2] else None
        if piece is None:
            if slot in _EXCHANGEABLE and source.random() < exchanged:
                word = namelike().draw(source)
                piece = _Piece(traditional(word) if taiwan else word)
            else:
                piece = _Piece(slots.fill(slot, traditional=taiwan), LABELS.get(slot))
            known[match[0]] = piece
        yield piece
        titled = slot == "surname"  # a surname is a person for its title's sake
    yield from _literal(source, slots, line[at:], taiwan, 0.0 if titled else replaced, named)


def _literal(
    source: random.Random, slots: Slots, text: str, taiwan: bool, replaced: float, named: float
) -> Iterator[_Piece]:
    """A template's own text; some words are exchanged for others of their part of speech, some nouns for names."""
    if not replaced and not named:
        yield _Piece(text)
        return
    made = ""
    for word, kind in segmented(simplified(text) if taiwan else text):
        if len(word) > 1 and kind in _NOUNS and source.random() < named:
            if made:
                yield _Piece(traditional(made) if taiwan else made)
                made = ""
            yield _Piece(slots.fill("person", traditional=taiwan), LABELS["person"])
        elif len(word) > 1 and kind in _REPLACED and source.random() < replaced:
            made += namelike().draw(source) if source.random() < _NAMELIKE else words()[kind].draw(source)
        else:
            made += word
    if made:
        yield _Piece(traditional(made) if taiwan else made)


def parsed(seed: int, count: int) -> Iterator[Example]:
    """Sentences of the dictionary where every word is a span with its part of speech, beside the entities.

    What a character model is shown first: where words begin and end, and what they are.
    """
    source = random.Random(f"{seed} parsed")
    slots = Slots(source, "train")
    for _ in range(count):
        yield _strung(source, slots, parse=True)


def _strung(source: random.Random, slots: Slots, *, parse: bool = False) -> Example:
    """Sentences of the dictionary, mostly one to five."""
    pieces: list[_Piece] = []
    for place in range(source.randint(1, 5) if source.random() < 0.92 else source.randint(6, 12)):
        if place:
            pieces.append(_Piece(source.choice(("，", "，", "。", "", "", " ", "！"))))
        for token in source.choice(_SENTENCES).split():
            slot = _SENTENCE_SLOTS.get(token)
            if slot:
                pieces.append(_Piece(slots.fill(slot, traditional=False), LABELS[slot]))
            else:
                known = token in words()
                pieces.append(
                    _Piece(words()[token].draw(source) if known else token, token if parse and known else None)
                )
    return _example(source, pieces, "dictionary", "dictionary", source.random() < 0.12)


def _example(source: random.Random, pieces: list[_Piece], template: str, genre: str, converted: bool) -> Example:
    text, spans, before = "", [], None
    disorder = source.random()
    for piece in pieces:
        value = piece.text
        if piece.label is None:
            if disorder < 0.1:
                value = value.translate(_HALF)
            elif disorder < 0.2:
                value = _MARKS.sub(source.choice(("", " ")), value)
        elif value:
            if (
                before == (len(text), piece.label) and piece.label in _ENTITIES
            ):  # two names that touch would be read as one
                text += " "
            spans.append(Span(len(text), len(text) + len(value), piece.label))
            before = (len(text) + len(value), piece.label)
        text += value
    return Example(
        traditional(text) if converted else text, tuple(spans), template, genre, "hant" if converted else "hans"
    )


def write(path: Path, seed: int, count: int, part: Part) -> None:
    """Write examples as a labelled file."""
    save(path, examples(seed, count, part))


def save(path: Path, made: Iterable[Example]) -> None:
    """Write examples, one a line."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(example.row(), ensure_ascii=False) + "\n" for example in made)


def _main() -> None:
    parser = argparse.ArgumentParser(description="Writes labelled Chinese texts.")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--part", choices=("train", "validation", "test"), default="train")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("out", type=Path)
    chosen = parser.parse_args()
    write(chosen.out, chosen.seed, chosen.count, chosen.part)


if __name__ == "__main__":
    _main()
