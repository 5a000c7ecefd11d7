"""What a tagger is worth: by corpus, with the patterns, by origin of names, int8 against fp32, and how fast it is.

`python -m recipes.tagger.figures WORK BUNDLE [FP32-BUNDLE]`: WORK holds what `make tagger` wrote. Test parts only.
"""

import argparse
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from benchmarks.workbench import machine, texts
from cloister.export.labelled import Labelled, read_labelled
from cloister.export.metrics import entity_counts, entity_f1
from cloister.privacy import Redactor
from cloister.runtime import Engine, Tagging, load
from cloister.runtime.engine import Options
from cloister.runtime.tagger import BundleTagger

Span = tuple[int, int, str]


@dataclass(frozen=True)
class Rates:
    """Precision and recall from counts."""

    right: int
    found: int
    wanted: int

    @property
    def precision(self) -> float:
        return self.right / max(self.found, 1)

    @property
    def recall(self) -> float:
        return self.right / max(self.wanted, 1)

    def f(self, beta: float = 1.0) -> float:
        """The F measure (van Rijsbergen, 1979); recall counts `beta` times as much as precision."""
        weighted = beta**2 * self.precision + self.recall
        return (1 + beta**2) * self.precision * self.recall / weighted if weighted else 0.0

    def __str__(self) -> str:
        return f"P {self.precision:.3f}  R {self.recall:.3f}  F1 {self.f():.3f}  ({self.wanted})"


def exact(wanted: Sequence[set[Span]], found: Sequence[set[Span]]) -> Rates:
    """Entities whose both ends and label are right."""
    right = sum(len(w & f) for w, f in zip(wanted, found, strict=True))
    return Rates(right, sum(map(len, found)), sum(map(len, wanted)))


def characters(wanted: Sequence[set[Span]], found: Sequence[set[Span]]) -> Rates:
    """Characters, white space apart or not: what a redaction hides and leaves."""
    right = got = asked = 0
    for w, f in zip(wanted, found, strict=True):
        a, b = _covered(w), _covered(f)
        right, got, asked = right + len(a & b), got + len(b), asked + len(a)
    return Rates(right, got, asked)


def _covered(spans: Iterable[Span]) -> set[int]:
    return {at for start, end, _ in spans for at in range(start, end)}


def of(label: str, spans: Iterable[Span]) -> set[Span]:
    """Spans with one label."""
    return {span for span in spans if span[2] == label}


def wanted_in(data: Labelled) -> list[set[Span]]:
    """The annotated spans of each text."""
    return [{(e.start, e.end, e.label) for e in example.entities} for example in data.examples]


def found_in(engine: Engine, data: Labelled) -> list[set[Span]]:
    """The tagger's spans of each text, of the labels that were looked for."""
    answers = engine.predict(data.inputs)
    return [
        {(e.start, e.end, e.label) for e in cast(Tagging, answer).entities if example.judged(e.label)}
        for answer, example in zip(answers, data.examples, strict=True)
    ]


def by_label(name: str, wanted: Sequence[set[Span]], found: Sequence[set[Span]]) -> None:
    """Print a row for each label."""
    print(f"\n{name}: {len(wanted)} texts")
    for label in sorted({span[2] for spans in wanted for span in spans}):
        w, f = [of(label, s) for s in wanted], [of(label, s) for s in found]
        print(f"  {label:13} exact {exact(w, f)}   characters {characters(w, f)}")


def with_patterns(engine: Engine, work: Path) -> None:
    """All personal data of presidio-research's held-out templates, found by patterns and tagger together."""
    rows = [json.loads(line) for line in (work / "presidio-all-test.jsonl").read_text("utf-8").split("\n") if line]
    for name, redactor in (
        ("patterns alone", Redactor("strict", tagger=None)),
        ("patterns and tagger", Redactor("strict", tagger=BundleTagger(engine))),
    ):
        wanted = [{(s["start"], s["end"], "") for s in row["spans"]} for row in rows]
        found = [{(s.start, s.end, "") for s in redactor.redact(row["text"]).spans} for row in rows]
        rates = characters(wanted, found)
        print(f"  {name:20} characters {rates}  F2 {rates.f(2):.3f}")


def fairness(engine: Engine, work: Path) -> None:
    """Recall of names that were never trained on, by region of origin and gender."""
    rows = [json.loads(line) for line in (work / "fairness.jsonl").read_text("utf-8").split("\n") if line]
    data = read_labelled(work / "fairness.jsonl")
    found = dict(zip(data.inputs, found_in(engine, data), strict=True))
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        covered = _covered(of("PERSON", found[row["text"]]))
        for e in row["entities"]:
            if e["label"] == "PERSON":
                there = sum(at in covered for at in range(e["start"], e["end"]))
                for group in (row["origin"], f"{row['origin']}, {row['gender']}"):
                    groups[group].update(right=there, wanted=e["end"] - e["start"])
    table = {group: counts["right"] / counts["wanted"] for group, counts in groups.items()}
    origins = {group: recall for group, recall in table.items() if ", " not in group}
    print("\nrecall of names by region of origin (characters; names and templates never trained on)")
    for origin, recall in sorted(origins.items(), key=lambda item: -item[1]):
        parts = "  ".join(
            f"{g}: {table[f'{origin}, {g}']:.3f}" for g in ("female", "male") if f"{origin}, {g}" in table
        )
        print(f"  {origin:28} {recall:.3f}   {parts}")
    print(f"  gap {100 * (max(origins.values()) - min(origins.values())):.1f} points")


def _best(run: Callable[[], Any], times: int) -> float:
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def speed(bundle: Path) -> None:
    """One text of 300 characters, a batch, and how long loading takes."""
    start = time.perf_counter()
    engine = load(bundle, options=Options(provider="cpu"))
    engine.predict(["ready"])
    ready = time.perf_counter() - start
    pool = [text for text in texts() if len(text) >= 300]
    one = [pool[0][:300]]
    engine.predict(one)
    single = _best(lambda: engine.predict(one), 100)
    many = [text[:300] for text in pool[:64]]
    batch = _best(lambda: engine.predict(many), 8)
    print(f"\n300 characters: {1000 * single:.1f} ms; {len(many)} such texts at once: {len(many) / batch:.0f} texts/s")
    mixed = texts()[:256]
    print(
        f"mixed real texts: {len(mixed) / _best(lambda: engine.predict(mixed), 5):.0f} texts/s; ready in {ready:.2f} s"
    )


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("work", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("fp32", type=Path, nargs="?")
    given = parser.parse_args()
    print(machine())
    size = sum(path.stat().st_size for path in given.bundle.iterdir())
    engine = load(given.bundle)
    print(f"{given.bundle}: {size / 1e6:.2f} MB, digest {engine.digest}")
    other = None if given.fp32 is None else load(given.fp32)
    pooled: tuple[list[set[Span]], list[set[Span]], list[set[Span]]] = ([], [], [])
    for name in ("presidio", "wnut17", "btc", "sec", "restaurant8k", "generated"):
        data = read_labelled(given.work / f"{name}-test.jsonl")
        wanted, found = wanted_in(data), found_in(engine, data)
        by_label(name, wanted, found)
        if other is not None:
            same = found_in(other, data)
            scores = [100 * entity_f1(entity_counts(wanted, spans)) for spans in (found, same)]
            print(f"  entity F1: int8 {scores[0]:.2f}, fp32 {scores[1]:.2f}, difference {scores[0] - scores[1]:+.2f}")
            for every, spans in zip(pooled, (wanted, found, same), strict=True):
                every.extend(spans)
    if other is not None:
        scores = [100 * entity_f1(entity_counts(pooled[0], spans)) for spans in pooled[1:]]
        print(f"\nall test parts: int8 {scores[0]:.2f}, fp32 {scores[1]:.2f}, difference {scores[0] - scores[1]:+.2f}")
    print("\npresidio-research, held-out templates, every kind of personal data")
    with_patterns(engine, given.work)
    fairness(engine, given.work)
    speed(given.bundle)


if __name__ == "__main__":
    main()
