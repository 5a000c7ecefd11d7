"""The Chinese tagger beside the rules: what each finds, and what both find together.

    python -m recipes.tagger.chinese_figures BUNDLE [--part test] [--data FOLDER] [--clean FILE]

Texts come from templates and given names that no training saw (`--part validation` is for choices, `test` for the
figures). `--data` names the folder with the public data sets: Chinese messages of another generator. `--clean` names a
file of lines without any entity. A span is found where one of the same entity overlaps it, and found exactly where
both ends are the same. `rules` is `Redactor(tagger=None)`, `both` is a `Redactor` with the tagger, each with a policy
that replaces everything; `tagger` is the bundle alone.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cloister.privacy import Policy, Redactor
from cloister.privacy.detector import Tagger
from cloister.runtime.results import Entity
from cloister.runtime.tagger import BundleTagger, from_bundle

from .chinese import WITHOUT, Span, examples, plain_lines
from .chinese_slots import Part
from .chinese_templates import TEMPLATES

__all__ = ["Figures", "Sure", "compare", "measure"]

_GROUPS = {
    "PERSON": "PERSON",
    "ADDRESS": "ADDRESS",
    "CN_ADDRESS": "ADDRESS",
    "STREET_ADDRESS": "ADDRESS",
    "LOCATION": "LOCATION",
    "ORGANIZATION": "ORGANIZATION",
    "CN_COMPANY": "ORGANIZATION",
    "DATE_TIME": "DATE_TIME",
}
_FILES = {"messages": "chat_seed42.jsonl", "forms": "formal_seed42.jsonl"}
_SEED = 20_240

PERSON, OTHER = 0.95, 0.8
"""Least scores of the tagger's spans that count, chosen on the validation part for the precision of the rules."""

Finder = Callable[[Sequence[str]], list[list[Span]]]
Labelled = tuple[str, Sequence[Span]]


@dataclass(frozen=True)
class Figures:
    """What was found of one entity: shares of what is there and of what was said; `exact_` with both ends right."""

    there: int
    said: int
    recall: float
    precision: float
    f1: float
    exact_recall: float
    exact_precision: float
    exact_f1: float


def measure(rows: Sequence[Labelled], found: Sequence[Sequence[Span]], entity: str) -> Figures:
    """Figures of one entity over texts."""
    there = said = hit = right = exact = 0
    for (_, wanted), spans in zip(rows, found, strict=True):
        gold = [s for s in wanted if s.label == entity]
        here = [s for s in spans if s.label == entity]
        there, said = there + len(gold), said + len(here)
        hit += sum(any(_overlap(one, other) for other in here) for one in gold)
        right += sum(any(_overlap(one, other) for other in gold) for one in here)
        exact += len({(s.start, s.end) for s in gold} & {(s.start, s.end) for s in here})
    return Figures(
        there,
        said,
        *_rates(hit, there, right, said),
        *_rates(exact, there, exact, said),
    )


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def _rates(hit: int, there: int, right: int, said: int) -> tuple[float, float, float]:
    recall, precision = hit / there if there else 1.0, right / said if said else 1.0
    return recall, precision, 2 * recall * precision / (recall + precision) if recall + precision else 0.0


class Sure:
    """A tagger that keeps only the spans it is sure of.

    Args:
        tagger: what it asks.
        person: least score of a person.
        other: least score of anything else.
    """

    def __init__(self, tagger: BundleTagger, person: float, other: float) -> None:
        self._tagger = tagger
        self._person = person
        self._other = other

    def __call__(self, texts: list[str], /) -> list[list[Entity]]:
        """Spans of every text."""
        return [[e for e in entities if e.score >= self._least(e.label)] for entities in self._tagger(texts)]

    def _least(self, label: str) -> float:
        return self._person if label == "PERSON" else self._other


def finders(tagger: Tagger) -> dict[str, Finder]:
    """What is compared, by name."""
    policy = Policy.parse('name = "everything"\ndefault = "replace"')

    def redacting(redactor: Redactor) -> Finder:
        return lambda texts: [
            [Span(s.start, s.end, _GROUPS[s.entity]) for s in redactor.redact(t).spans if s.entity in _GROUPS]
            for t in texts
        ]

    def alone(texts: Sequence[str]) -> list[list[Span]]:
        return [[Span(e.start, e.end, _GROUPS[e.label]) for e in entities] for entities in tagger(list(texts))]

    return {
        "rules": redacting(Redactor(policy, tagger=None)),
        "tagger": alone,
        "both": redacting(Redactor(policy, tagger=tagger)),
    }


def compare(
    rows: Sequence[Labelled], finder: dict[str, Finder], entities: Iterable[str]
) -> dict[str, dict[str, Figures]]:
    """Figures by entity and finder."""
    texts = [text for text, _ in rows]
    found = {name: find(texts) for name, find in finder.items()}
    return {entity: {name: measure(rows, spans, entity) for name, spans in found.items()} for entity in entities}


def false_alarms(texts: Sequence[str], finder: dict[str, Finder]) -> dict[str, float]:
    """Spans said to be a person, by finder, for 1,000 characters of texts that name none."""
    characters = max(1, sum(map(len, texts)))
    return {
        name: 1000 * sum(s.label == "PERSON" for spans in find(texts) for s in spans) / characters
        for name, find in finder.items()
    }


def _messages(path: Path) -> list[Labelled]:
    rows = map(json.loads, path.read_text("utf-8").splitlines())
    kinds = {"person": "PERSON", "address": "ADDRESS"}
    return [
        (r["text"], [Span(e["start"], e["end"], kinds[e["type"]]) for e in r["entities"] if e["type"] in kinds])
        for r in rows
    ]


def _print(title: str, table: dict[str, dict[str, Figures]]) -> None:
    print(f"\n{title}\n{'':14}{'':8}{'there':>6}{'recall':>8}{'prec.':>8}{'F1':>8}{'exact R':>9}{'P':>7}{'F1':>7}")
    for entity, row in table.items():
        for name, f in row.items():
            print(
                f"{entity:14}{name:8}{f.there:6}{f.recall:8.3f}{f.precision:8.3f}{f.f1:8.3f}"
                f"{f.exact_recall:9.3f}{f.exact_precision:7.3f}{f.exact_f1:7.3f}"
            )


def _main() -> None:
    parser = argparse.ArgumentParser(description="Compares the Chinese tagger with the rules.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--part", choices=("validation", "test"), default="test")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--clean", type=Path)
    parser.add_argument("--person", type=float, default=PERSON, help="least score of the tagger's persons")
    parser.add_argument("--other", type=float, default=OTHER, help="least score of its other spans")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    finder = finders(Sure(from_bundle(chosen.bundle), chosen.person, chosen.other))
    part: Part = chosen.part
    made = list(examples(_SEED, chosen.count, part))
    rows: list[Labelled] = [(e.text, e.entities) for e in made]
    tables = {f"templates ({part})": compare(rows, finder, sorted(set(_GROUPS.values()), reverse=True))}
    for genre in TEMPLATES:
        own: list[Labelled] = [(e.text, e.entities) for e in made if e.genre == genre]
        if own and genre not in WITHOUT:
            tables[f"{genre} ({part})"] = compare(own, finder, ["PERSON"])
    if chosen.data is not None:
        for name, file in _FILES.items():
            tables[name] = compare(_messages(chosen.data / "pii_zh_generated" / file), finder, ["PERSON", "ADDRESS"])
    alarms = {
        genre: false_alarms(sorted({e.text for e in made if e.genre == genre}), finder) for genre in sorted(WITHOUT)
    }
    alarms["lines"] = false_alarms(plain_lines(part), finder)
    if chosen.clean is not None:
        alarms["clean"] = false_alarms([x for x in chosen.clean.read_text("utf-8").splitlines() if x.strip()], finder)
    if chosen.json:
        plain = {t: {e: {n: asdict(f) for n, f in r.items()} for e, r in table.items()} for t, table in tables.items()}
        print(json.dumps({"figures": plain, "false_alarms": alarms}))
        return
    for title, table in tables.items():
        _print(title, table)
    print("\nPERSON where there is none, for 1,000 characters")
    for title, found in alarms.items():
        print(f"{title:14}" + "".join(f"{name} {value:.2f}  " for name, value in found.items()))


if __name__ == "__main__":
    _main()
