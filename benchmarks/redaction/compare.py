"""Presidio's patterns beside Cloister: speed, recall, precision, evasion, as one table of the documentation.

Run: python benchmarks/redaction/compare.py --data DIR [--count N] [--out docs/presidio.md]
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from evasion import SHARED, beside, cloister, measure, share
from peers import presidio
from recall import ENGLISH, english_sentences, rows
from speed import CLEAN, DENSE, busy

from cloister.privacy import Policy, Redactor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets of README.md")
    parser.add_argument("--count", type=int, default=20, help="values of each kind in the evasion suite")
    parser.add_argument("--out", type=Path, help="file to write; standard output without it")
    options = parser.parse_args()
    text = table(options.data, options.count)
    if options.out is None:
        sys.stdout.write(text)
    else:
        options.out.write_text(text, encoding="utf-8")


def table(data: Path, count: int) -> str:
    """The whole document."""
    balanced = Redactor("balanced", tagger=None)
    balanced.prepare()
    redactor = Redactor(Policy.parse('name = "everything"\ndefault = "replace"'), tagger=None)
    analyze = presidio()
    analyze(DENSE)
    lines = [
        "# Beside Presidio",
        "",
        "Written by `make redaction-compare` (`benchmarks/redaction/compare.py`).",
        f"Presidio's English pattern recognizers (presidio-analyzer {importlib.metadata.version('presidio-analyzer')})",
        "run one by one, without the context step of its `AnalyzerEngine`, which wants a language model; results below",
        "0.4, which it calls weak, do not count in recall and precision, and count in the evasion suite.",
        "Cloister's patterns were adjusted on the same English sentences",
        "(`benchmarks/redaction/README.md`): its recall and precision here are in-sample.",
        "",
        "| | Cloister | Presidio |",
        "|---|---|---|",
    ]
    for name, text, repeat in (("clean, 300 characters", CLEAN, 1000), (f"dense, {len(DENSE)} characters", DENSE, 100)):
        ours = busy(partial(_often, balanced.redact, text, repeat), 5) / repeat * 1e6
        theirs = busy(partial(_often, analyze, text, 20), 5) / 20 * 1e6
        lines.append(f"| {name}, processor time | {ours:.0f} µs | {theirs:.0f} µs |")
    gold = list(english_sentences(data))
    one = rows(lambda t: [(s.start, s.end, s.entity) for s in redactor.redact(t, "en").spans], gold, ENGLISH)
    two = rows(lambda t: [(r.start, r.end, r.entity_type) for r in analyze(t) if r.score >= 0.4], gold, ENGLISH)
    for (entity, values, recall, precision), (_, _, other, otherwise) in zip(one, two, strict=True):
        lines.append(f"| {entity}, {values} values: recall | {recall:.3f} | {other:.3f} |")
        if "(" not in entity:
            lines.append(f"| {entity}: precision | {_shown(precision)} | {_shown(otherwise)} |")
    ours_by, _ = measure(count, cloister(), SHARED)
    theirs_by, _ = measure(count, beside(), SHARED)
    for layer, words in (("plain", "plain"), ("one layer", "one transform"), ("two layers", "two encodings")):
        total = ours_by[layer, True] + ours_by[layer, False]
        name = f"evasion suite, shared entities, {words}, {total} texts"
        lines.append(f"| {name}: recall | {share(ours_by, layer):.3f} | {share(theirs_by, layer):.3f} |")
    return "\n".join(lines) + "\n"


def _often(run: Callable[[str], Any], text: str, times: int) -> None:
    for _ in range(times):
        run(text)


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
