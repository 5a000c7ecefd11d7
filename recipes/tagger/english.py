"""Labelled English text for the tagger: templates filled with identities, places and other values, then roughened.

    python -m recipes.tagger.english --count 12000 --part train --seed 1 OUT.jsonl

A text is a list of segments, each with a label or none; noise changes segments, and offsets are counted at the
very end, so that a label never slips. Everything follows from the seed: the same in every process and on every machine.
"""

import argparse
import json
import random
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from .english_documents import NEUTRAL
from .english_templates import of_part, template_id, templates
from .identities import GENDERS, ORIGINS, Gender, Identity, Part, identity
from .noise import Casing, Segment, roughen
from .places import address_lines, city, location, street
from .values import INSTITUTIONS, PLAIN, company, group, institution, organization, plain, title, when
from .words import COUNTRIES, LANDMARKS, REGIONS

LABELS = ("PERSON", "LOCATION", "ORGANIZATION", "ADDRESS", "DATE_TIME", "NRP", "TITLE")
PRONOUNS = {
    "he": ("she", "he"),
    "him": ("her", "him"),
    "his": ("her", "his"),
    "He": ("She", "He"),
    "His": ("Her", "His"),
}
DATES = ("date", "dob", "time", "weekday", "relative", "past", "future", "month", "year", "iso")
GROUPS = ("nrp", "nationality", "religion", "politics", "people")
PERSONS = ("person", "first", "last", "last_first", "initials", "given_names", "last_initial")
PLACES = ("city", "country", "region", "location", "landmark")
SLOT = re.compile(r"\{([a-z]+(?:_[a-z]+)*|H(?:e|is))(?:_([1-9]))?(?:\|(lower|upper))?\}")
CHOICE = re.compile(r"\[\[([^\[\]]*\|[^\[\]]*)\]\]")

_NEGATIVE = 0.18  # share of texts that begin with a negative template
_LENGTHS = (75, 15, 7, 3)  # chances of one, two, three and four templates in a text


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled text; written as one line of Cloister's labelled data.

    Attributes:
        entities: `start`, `end` in code points and `label`, in order, without overlaps.
        template: id of the template, or two with `+` between.
        origin: region of origin and gender of the first person in it; empty where there is none.
        casing: what noise did to its letters.
    """

    text: str
    entities: list[dict[str, Any]]
    template: str
    genre: str
    origin: str = ""
    gender: str = ""
    casing: str = "original"


@dataclass
class Filler:
    """Values of one text: a slot and its number stand for one value in all of it, a number for one person."""

    rng: random.Random
    part: Part
    origin: str | None = None
    gender: Gender | None = None
    people: dict[str, Identity] = field(default_factory=dict)
    values: dict[tuple[str, str], str] = field(default_factory=dict)

    def person(self, number: str) -> Identity:
        """The person of a number; the first has the origin and gender asked for."""
        if number not in self.people:
            wanted = (self.origin, self.gender) if not self.people else (None, None)
            self.people[number] = identity(self.rng, self.part, *wanted)
        return self.people[number]

    def fill(self, slot: str, number: str) -> tuple[str, str | None]:
        """Value and label of a slot.

        Raises:
            KeyError: no slot has this name.
        """
        label = label_of(slot)
        if slot in PRONOUNS:
            return PRONOUNS[slot][GENDERS.index(self.person(number).gender)], None
        key = slot, number
        if key not in self.values:
            self.values[key] = self._value(slot, number)
        return self.values[key], label

    def _value(self, slot: str, number: str) -> str:
        rng, part = self.rng, self.part
        if slot in PERSONS:
            return spelled(rng, self.person(number), slot)
        if slot in ("title", "doctor"):
            return title(rng, self.person(number), slot)
        if slot in PLAIN:
            person = self.person(number) if slot == "email" and number in self.people else identity(rng, part)
            return plain(rng, slot, person)
        if slot in DATES:
            return when(rng, slot)
        if slot in GROUPS:
            return group(rng, slot)
        if slot in INSTITUTIONS:
            return institution(rng, part, slot)
        if slot == "address_lines":
            return "\n".join(address_lines(rng, part))
        if slot == "address":
            return rng.choice([", ", ", ", ", ", " "]).join(address_lines(rng, part))
        if slot == "country":
            return rng.choice(COUNTRIES)
        if slot == "region":
            return rng.choice(REGIONS)
        if slot == "landmark":
            return rng.choice(LANDMARKS)
        makers = {"org": organization, "company": company, "city": city, "location": location, "street": street}
        return makers[slot](rng, part)


def label_of(slot: str) -> str | None:
    """The label that a slot's value carries.

    Raises:
        KeyError: no slot has this name.
    """
    for label, slots in (
        ("PERSON", PERSONS),
        ("LOCATION", PLACES),
        ("ORGANIZATION", ("org", "company", *INSTITUTIONS)),
        ("ADDRESS", ("address", "address_lines", "street")),
        ("DATE_TIME", DATES),
        ("NRP", GROUPS),
        ("TITLE", ("title", "doctor")),
    ):
        if slot in slots:
            return label
    if slot in PLAIN or slot in PRONOUNS:
        return None
    raise KeyError(slot)


def spelled(rng: random.Random, person: Identity, slot: str) -> str:
    """A person's name as a slot asks for it; full names come in several forms."""
    first, last = person.first, person.last
    if slot == "first":
        return first
    if slot == "given_names":
        return f"{first} {person.middle}"
    if slot == "last_first":
        return f"{last}, {first}" + rng.choice(["", "", "", f" {person.middle[0]}.", f" {person.middle}"])
    if slot == "last_initial":
        return rng.choice([f"{last}, {first[0]}.", f"{last} {first[0]}", f"{last} {first[0]}."])
    if slot == "initials":
        one, two = first[0], person.middle[0]
        return rng.choice(
            [f"{one}. {last}", f"{one}. {two}. {last}", f"{one}.{two}. {last}", f"{one} {last}", f"{first} {last[0]}."]
        )
    if person.origin == "latin_america" and rng.random() < 0.3:
        last = f"{last} {person.second}"
    if slot == "last":
        return last
    draw = rng.random()
    if person.family_first:
        return f"{last} {first}"
    if person.origin == "east_asia":
        return f"{first} {last}"
    if draw < 0.06:
        return f"{first} {person.middle[0]}. {last}"
    if draw < 0.12:
        return f"{first} {person.middle} {last}"
    if draw < 0.15 and " " not in last and "-" not in last:
        return f"{first} {last}-{person.second}"
    return f"{first} {last}"


def segments(template: str, filler: Filler) -> list[Segment]:
    """A template with choices made and slots filled; a person's first and last name side by side are one span."""
    choose = filler.rng.choice
    while CHOICE.search(template):
        template = CHOICE.sub(lambda found: choose(found[1].split("|")), template, count=1)
    made: list[Segment] = []
    owners: list[str] = []  # for each segment the person it names
    at = 0
    for found in SLOT.finditer(template):
        slot, number, casing = found[1], found[2] or "1", found[3]
        if found.start() > at:
            made.append(Segment(template[at : found.start()], None))
            owners.append("")
        value, label = filler.fill(slot, number)
        if casing:
            value = value.lower() if casing == "lower" else value.upper()
        owner = f"{number}{slot}" if label == "PERSON" else ""
        together = len(made) > 1 and owner and owners[-2] in (f"{number}first", f"{number}last") and owner != owners[-2]
        if together and made[-1].text in (" ", ", ") and slot in ("first", "last", "given_names"):
            between, before = made.pop(), made.pop()
            del owners[-2:]
            value = before.text + between.text + value
        made.append(Segment(value, label))
        owners.append(owner)
        at = found.end()
    if at < len(template):
        made.append(Segment(template[at:], None))
    return made


def assemble(made: list[Segment]) -> tuple[str, list[dict[str, Any]]]:
    """The text of segments and its entities."""
    text, entities = "", []
    for segment in made:
        if segment.label and segment.text.strip():
            entities.append({"start": len(text), "end": len(text) + len(segment.text), "label": segment.label})
        text += segment.text
    return text, entities


@cache
def _choices(part: Part, negative: bool) -> tuple[str, ...]:
    """Ids to draw from; the neutral ones are for the fairness table alone."""
    return tuple(i for i in of_part(part) if i.startswith("negative-") == negative and not i.startswith("neutral-"))


def _chosen(rng: random.Random, part: Part) -> list[str]:
    """Templates of one text, most often one. A text that begins with a negative one seldom has others."""
    number = rng.choices((1, 2, 3, 4), _LENGTHS)[0]
    if rng.random() >= _NEGATIVE:
        ids = [rng.choice(_choices(part, False)) for _ in range(number)]
        return [rng.choice(_choices(part, True)) if n and rng.random() < 0.25 else name for n, name in enumerate(ids)]
    if rng.random() < 0.2:
        return [rng.choice(_choices(part, n == 0)) for n in range(2)]
    more = rng.randrange(3)
    return [rng.choice(_choices(part, True)) for _ in range(number + more)]


def _example(rng: random.Random, part: Part) -> Example:
    chosen = _chosen(rng, part)
    made: list[Segment] = []
    people: list[Identity] = []
    for name in chosen:
        filler = Filler(rng, part)
        if made:
            made.append(Segment(rng.choice([" ", "\n", "\n\n"]), None))
        made += segments(templates()[name], filler)
        people += filler.people.values()
    casing: Casing
    made, casing = roughen(rng, made)
    text, entities = assemble(made)
    named = people[0] if people and any(e["label"] == "PERSON" for e in entities) else None
    origin, gender = (named.origin, named.gender) if named else ("", "")
    return Example(text, entities, "+".join(chosen), chosen[0].split("-")[0], origin, gender, casing)


def examples(seed: int, count: int, part: Part) -> Iterator[Example]:
    """Labelled texts of a part, no text twice.

    Names belong to the part (see `identities`) and templates too; about a sixth of the texts has no entity.
    """
    rng = random.Random(f"english {part} {seed}")
    seen: set[str] = set()
    while len(seen) < count:
        example = _example(rng, part)
        if example.text not in seen:
            seen.add(example.text)
            yield example


def fairness(seed: int, per_group: int) -> Iterator[Example]:
    """Test texts without noise on neutral templates: `per_group` for each origin and gender, with held-out names.

    The n-th text of every group has the same template, and every group therefore the same share of each.
    """
    for origin in ORIGINS:
        for gender in GENDERS:
            rng = random.Random(f"fairness {origin} {gender} {seed}")
            for number in range(per_group):
                template = NEUTRAL[number % len(NEUTRAL)]
                filler = Filler(rng, "test", origin, gender)
                filler.people["2"] = identity(rng, "test", origin, gender)
                filler.people["1"] = identity(rng, "test", origin, gender)
                text, entities = assemble(segments(template, filler))
                yield Example(text, entities, template_id("neutral", template), "neutral", origin, gender)


def main() -> None:
    """Write a part as JSON Lines."""
    parser = argparse.ArgumentParser(description="Generate labelled English text for the tagger.")
    parser.add_argument("out", type=Path, metavar="OUT.jsonl")
    parser.add_argument("--count", type=int, default=12000)
    parser.add_argument("--part", choices=["train", "validation", "test", "fairness"], default="train")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.part == "fairness":
        made = fairness(options.seed, options.count)
    else:
        made = examples(options.seed, options.count, options.part)
    with options.out.open("w", encoding="utf-8") as file:
        for example in made:
            file.write(json.dumps(asdict(example), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
