"""What real text looks like: casing, typos, missing marks and accents, stray white space, quoting. Labels stay."""

import random
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Casing = Literal["original", "lower", "upper", "title"]


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of text with the label of the whole piece, or none."""

    text: str
    label: str | None


def _title(text: str) -> str:
    """First letters raised; unlike `str.title` not after an apostrophe."""
    return re.sub(r"(?<![\w'’])[^\W\d_]", lambda found: found[0].upper(), text)


def recase(made: list[Segment], casing: Casing) -> list[Segment]:
    """All letters lower-case or upper-case, or every word with a capital."""
    changes: dict[Casing, Callable[[str], str]] = {
        "original": str,
        "lower": str.lower,
        "upper": str.upper,
        "title": _title,
    }
    change = changes[casing]
    return [Segment(change(segment.text), segment.label) for segment in made]


def misspell(rng: random.Random, text: str) -> str:
    """One letter swapped with its neighbour, dropped or doubled, if there is a word of four letters or more."""
    words = list(re.finditer(r"[^\W\d_]{4,}", text))
    if not words:
        return text
    word = rng.choice(words)
    at = rng.randrange(word.start() + 1, word.end() - 1)
    how = rng.randrange(3)
    if how == 0:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + text[at + 1 :] if how == 1 else text[:at] + text[at] + text[at:]


def _typos(rng: random.Random, made: list[Segment]) -> list[Segment]:
    """Misspellings: in most texts outside of entities only."""
    everywhere = rng.random() < 0.2

    def misspelt(segment: Segment) -> bool:
        return (everywhere or segment.label is None) and rng.random() < 0.4

    return [Segment(misspell(rng, s.text), s.label) if misspelt(s) else s for s in made]


def _no_final_mark(made: list[Segment]) -> list[Segment]:
    last = made[-1]
    return [*made[:-1], Segment(last.text.rstrip(".!? \n"), None)] if last.label is None else made


def _no_commas(made: list[Segment]) -> list[Segment]:
    """Commas before white space go, inside of labelled spans too: `Lovelace Ada`."""
    return [Segment(re.sub(r",(?=\s)", "", s.text), s.label) for s in made]


def _typed(made: list[Segment]) -> list[Segment]:
    """What a keyboard without accents gives: `Jose` for `José`."""
    decomposed = ((unicodedata.normalize("NFD", s.text), s.label) for s in made)
    return [Segment("".join(c for c in text if not unicodedata.combining(c)), label) for text, label in decomposed]


def _typeset(made: list[Segment]) -> list[Segment]:
    """Apostrophes as phones and word processors set them."""
    return [Segment(re.sub(r"(?<=\w)'(?=\w)", "’", s.text), s.label) for s in made]


def _double_spaces(rng: random.Random, made: list[Segment]) -> list[Segment]:
    return [Segment(re.sub(" ", lambda _: "  " if rng.random() < 0.25 else " ", s.text), s.label) for s in made]


def _wrap(rng: random.Random, made: list[Segment]) -> list[Segment]:
    """Lines no longer than a mail program allows; a break may fall into a span."""
    width, column, wrapped = rng.choice([36, 48, 60, 72]), 0, []
    for segment in made:
        text = ""
        for character in segment.text:
            column = 0 if character == "\n" or (character == " " and column >= width) else column + 1
            text += "\n" if column == 0 else character
        wrapped.append(Segment(text, segment.label))
    return wrapped


def _prefix(rng: random.Random, made: list[Segment]) -> list[Segment]:
    """Quoted or marked up: a mark before every line where no span has several lines, else before the first alone."""
    mark = rng.choice(["> ", "> ", ">> ", "* ", "- ", "# ", "**Note:** ", "| ", "  "])
    if mark in ("> ", ">> ", "| ") and not any(s.label and "\n" in s.text for s in made):
        made = [Segment(s.text.replace("\n", "\n" + mark), s.label) for s in made]
    return [Segment(mark, None), *made]


def roughen(rng: random.Random, made: list[Segment]) -> tuple[list[Segment], Casing]:
    """Noise on a share of the texts; the kinds are drawn apart, so that some texts have several."""
    casing: Casing = rng.choices(("original", "lower", "upper", "title"), (78, 12, 6, 4))[0]
    made = recase(made, casing)
    if rng.random() < 0.12:
        made = _typos(rng, made)
    if rng.random() < 0.12:
        made = _no_final_mark(made)
    if rng.random() < 0.06:
        made = _no_commas(made)
    if rng.random() < 0.08:
        made = _typed(made)
    if rng.random() < 0.15:
        made = _typeset(made)
    if rng.random() < 0.05:
        made = _double_spaces(rng, made)
    if rng.random() < 0.06:
        made = _wrap(rng, made)
    if rng.random() < 0.05:
        made = _prefix(rng, made)
    return made, casing
