"""Recall and precision on labelled data: English sentences (Presidio beside), Chinese messages, secrets.

Run: python benchmarks/redaction/recall.py --data DIR [--presidio]
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from peers import presidio

from cloister.privacy import Policy, Redactor

Found = list[tuple[int, int, str]]
ENGLISH = {
    "CREDIT_CARD": "CREDIT_CARD",
    "US_SSN": "US_SSN",
    "EMAIL_ADDRESS": "EMAIL_ADDRESS",
    "PHONE_NUMBER": "PHONE_NUMBER",
    "DOMAIN_NAME": "URL",
    "US_DRIVER_LICENSE": "US_DRIVER_LICENSE",
}
CHINESE = {
    "person": "PERSON",
    "phone": "PHONE_NUMBER",
    "id_number": "CN_RESIDENT_ID",
    "bank_card": "CREDIT_CARD",
    "email": "EMAIL_ADDRESS",
    "address": "CN_ADDRESS",
    "license_plate": "CN_LICENSE_PLATE",
    "passport": "CN_PASSPORT",
}
# A country code or one of these beside the number: the part of the phones for which the project promises something.
_SAYS_PHONE = re.compile(r"(?i)phone|mobile|desk|fax|call|office|tel|\+|(?:^|\s)00")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets of the project's README")
    parser.add_argument("--presidio", action="store_true", help="Presidio's patterns beside, on the English sentences")
    options = parser.parse_args()
    redactor = Redactor(Policy.parse('name = "everything"\ndefault = "replace"'), tagger=None)

    def cloister(language: str) -> Callable[[str], Found]:
        return lambda text: [(s.start, s.end, s.entity) for s in redactor.redact(text, language).spans]

    english = list(english_sentences(options.data))
    _report("English sentences", cloister("en"), english, ENGLISH)
    if options.presidio:
        analyze = presidio()
        # Presidio's own default threshold is 0; its results below 0.4 are those it calls weak.
        _report(
            "English sentences, Presidio patterns",
            lambda t: [(r.start, r.end, r.entity_type) for r in analyze(t) if r.score >= 0.4],
            english,
            ENGLISH,
        )
    _report("Chinese messages", cloister("zh"), list(_chinese(options.data)), CHINESE)
    _secrets(options.data, Redactor("secrets", tagger=None))


def english_sentences(data: Path) -> Iterable[tuple[str, Found]]:
    for line in (data / "pii_presidio_research" / "split_shared.jsonl").read_text("utf-8").splitlines():
        record = json.loads(line)
        text = record["full_text"]
        gold = []
        for span in record["spans"]:
            start, end, entity = span["start_position"], span["end_position"], span["entity_type"]
            if entity == "PHONE_NUMBER" and not _SAYS_PHONE.search(text[max(0, start - 40) : end + 12]):
                entity = "PHONE_NUMBER (bare)"
            gold.append((start, end, entity))
        yield text, gold


def _chinese(data: Path) -> Iterable[tuple[str, Found]]:
    for name in ("chat_seed42", "formal_seed42"):
        for line in (data / "pii_zh_generated" / f"{name}.jsonl").read_text("utf-8").splitlines():
            record = json.loads(line)
            yield record["text"], [(e["start"], e["end"], e["type"]) for e in record["entities"]]


Row = tuple[str, int, float, float | None]


def rows(find: Callable[[str], Found], texts: list[tuple[str, Found]], names: dict[str, str]) -> list[Row]:
    """Gold entity, number of values, recall and precision, by overlap."""
    hit: Counter[str] = Counter()
    total: Counter[str] = Counter()
    right: Counter[str] = Counter()
    given: Counter[str] = Counter()
    wanted = {entity: gold for gold, entity in names.items()}
    for text, gold in texts:
        found = find(text)
        for start, end, entity in gold:
            name = names.get(entity.split(" ")[0])
            if name is not None:
                total[entity] += 1
                hit[entity] += any(e == name and s < end and start < t for s, t, e in found)
        for start, end, entity in found:
            if entity in wanted:
                given[entity] += 1
                right[entity] += any(g.split(" ")[0] == wanted[entity] and s < end and start < t for s, t, g in gold)
    return [
        (
            entity,
            total[entity],
            hit[entity] / total[entity],
            right[name] / given[name] if given[name := names[entity.split(" ")[0]]] else None,
        )
        for entity in sorted(total)
    ]


def _report(title: str, find: Callable[[str], Found], texts: list[tuple[str, Found]], names: dict[str, str]) -> None:
    sys.stdout.write(f"\n| {title} | values | recall | precision |\n|---|---|---|---|\n")
    for entity, count, recall, precision in rows(find, texts, names):
        shown = "-" if precision is None else f"{precision:.4f}"
        sys.stdout.write(f"| {entity} | {count} | {recall:.4f} | {shown} |\n")


def _secrets(data: Path, redactor: Redactor) -> None:
    counts: Counter[tuple[str, str, bool]] = Counter()
    for line in (data / "secrets_gitleaks" / "split_shared.jsonl").read_text("utf-8").splitlines():
        record: dict[str, Any] = json.loads(line)
        counts[record["rule"], record["kind"], bool(redactor.redact(record["text"]).spans)] += 1
    sys.stdout.write("\n| secrets, by rule | found | false alarms |\n|---|---|---|\n")
    for rule in sorted({key[0] for key in counts}):
        yes, no = counts[rule, "positive", True], counts[rule, "positive", False]
        false, true = counts[rule, "negative", True], counts[rule, "negative", False]
        sys.stdout.write(f"| {rule} | {yes}/{yes + no} | {false}/{false + true} |\n")
    totals = Counter[tuple[str, bool]]()
    for (_, kind, found), number in counts.items():
        totals[kind, found] += number
    positives, negatives = (
        totals["positive", True] + totals["positive", False],
        totals["negative", True] + totals["negative", False],
    )
    sys.stdout.write(f"| all | {totals['positive', True]}/{positives} | {totals['negative', True]}/{negatives} |\n")


if __name__ == "__main__":
    main()
