"""`make lab-redaction`: Cloister's patterns beside tools that find personal data without a model from a hub.

    python -m benchmarks.lab.redaction [--rounds N] [--count N]

Texts: values that no pattern of Cloister was tuned on (`benchmarks/redaction/heldout_values.py`), of kinds that are not
Cloister's alone, each in an English sentence; and the committed sentences without personal data. A value is found when
every character of it is in a span, whatever the span is called. `make redaction-compare` has kinds and evasions.
"""

import argparse
import importlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import workbench as wb

from . import figures
from .peers import ROOT, Peer
from .process import PeerFailed, Worker
from .starting import LAB, versions

CLOISTER = "Cloister, patterns"
PEERS = (
    Peer(CLOISTER, ".venv", "redaction", {"tool": "cloister"}),
    Peer("Presidio, patterns", "redaction", "redaction", {"tool": "presidio"}),
    Peer("scrubadub", "redaction", "redaction", {"tool": "scrubadub"}),
    Peer("DataFog, regular expressions", "redaction", "redaction", {"tool": "datafog"}),
    Peer("CommonRegex", "redaction", "redaction", {"tool": "commonregex"}),
)
NOT_RUN = {
    "Presidio, GLiNER, LLM Guard and DataFog with a model": "their models come from a hub",
    "spaCy's English pipelines": "their authors publish them outside of the package index",
}
KINDS = (
    "CREDIT_CARD", "IBAN_CODE", "US_SSN", "EMAIL_ADDRESS", "PHONE_NUMBER", "IP_ADDRESS", "MAC_ADDRESS", "URL",
    "UK_NHS", "UK_NINO",
)  # fmt: skip

Span = tuple[int, int]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=12, help="values of each kind")
    given = parser.parse_args()
    target = LAB / "report" / "redaction.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(measured(PEERS, values(given.count), wb.texts(), given.rounds), indent=1))


def values(count: int, seed: int = 20) -> list[tuple[str, str, Span]]:
    """Kind, text, and where the value is in it."""
    sys.path.insert(0, str(ROOT / "benchmarks" / "redaction"))
    carriers = importlib.import_module("heldout").ENGLISH
    drawn = importlib.import_module("heldout_values").draw(count, seed)
    found = []
    for index, (kind, _, value, words, _) in enumerate(row for row in drawn if row[0] in KINDS and row[3]):
        before, after = carriers[index % len(carriers)].split("{v}")
        before = before.replace("{w}", words[index % len(words)]).replace("{{", "{").replace("}}", "}")
        found.append((kind, before + value + after, (len(before), len(before) + len(value))))
    return found


def measured(
    peers: Sequence[Peer], valued: Sequence[tuple[str, str, Span]], clean: Sequence[str], rounds: int
) -> dict[str, Any]:
    """Microseconds a text, share of values found by kind, share of clean texts with a finding; what failed and why."""
    failed = dict(NOT_RUN)
    workers: dict[str, Worker] = {}
    rows: dict[str, dict[str, Any]] = {}
    texts = {"values": [text for _, text, _ in valued], "clean": list(clean)}
    (LAB / "logs").mkdir(parents=True, exist_ok=True)
    try:
        for peer in peers:
            try:
                if not peer.python.exists():
                    raise PeerFailed(f"its environment is missing: make lab-redaction ({peer.environment})")
                log = LAB / "logs" / f"{peer.environment}.log"
                module = f"benchmarks.lab.adapters.{peer.adapter}"
                worker = workers[peer.name] = Worker(module, python=peer.python, threads=1, log=log)
                worker.ask("prepare", options=peer.options, model="", work="", threads=1)
                worker.ask("texts", texts=texts["values"])
                shares = by_kind(valued, worker.ask("spans")[0]["spans"])
                worker.ask("texts", texts=texts["clean"])
                alarms = sum(map(bool, worker.ask("spans")[0]["spans"])) / len(clean)
                rows[peer.name] = {"found": shares, "alarms": alarms, "ms": {name: [] for name in texts}}
            except PeerFailed as error:
                failed[peer.name] = str(error)
        for _ in range(rounds):
            for name, row in rows.items():
                for kind, given in texts.items():
                    workers[name].ask("texts", texts=given)
                    answer, _ = workers[name].ask("run", mode="default", tokenized=False, repeat=1)
                    row["ms"][kind].append(answer["ms"][0] / len(given))
    finally:
        for worker in workers.values():
            worker.close()
    for row in rows.values():
        row["microseconds"] = {kind: 1e3 * figures.summary(taken)["median"] for kind, taken in row.pop("ms").items()}
    return {
        "machine": wb.machine(), "date": time.strftime("%Y-%m-%d"), "values": len(valued), "clean": len(clean),
        "peers": rows, "failed": failed,
        "versions": {p.environment: versions(p) for p in peers if p.environment != ".venv"},
    }  # fmt: skip


def by_kind(valued: Sequence[tuple[str, str, Span]], spans: Sequence[Sequence[Sequence[int]]]) -> dict[str, float]:
    """Share of values whose every character is in a span; `all` is over all values."""
    whole: dict[str, list[bool]] = {}
    for (kind, text, (start, end)), found in zip(valued, spans, strict=True):
        covered = np.zeros(len(text), bool)
        for a, b in found:
            covered[a:b] = True
        whole.setdefault(kind, []).append(bool(covered[start:end].all()))
    shares = {kind: float(np.mean(got)) for kind, got in sorted(whole.items())}
    return {"all": float(np.mean([x for got in whole.values() for x in got])), **shares}


def about(document: Mapping[str, Any]) -> str:
    """What was asked of the tools, in a sentence or two."""
    return (
        f"{document['values']} values that no pattern of Cloister was tuned on, each in an English sentence, and "
        f"{document['clean']} sentences without personal data. A value is found when every character of it is in a "
        "span."
    )


def table(document: Mapping[str, Any]) -> list[list[str]]:
    """Cells of the report; the first row is the head."""
    kinds = list(next(iter(document["peers"].values()))["found"]) if document["peers"] else []
    head = ["tool", "µs a text with a value", "µs a clean text", "clean texts with a finding"]
    rows = [[*head, *(f"found, {kind}" for kind in kinds)]]
    for name, row in document["peers"].items():
        times = row["microseconds"]
        shown = [name, f"{times['values']:,.0f}", f"{times['clean']:,.0f}", f"{row['alarms']:.1%}"]
        rows.append([*shown, *(f"{row['found'][kind]:.0%}" for kind in kinds)])
    return rows


def read(folder: Path) -> dict[str, Any] | None:
    """The last run's document; None where there was none."""
    path = folder / "redaction.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else None


if __name__ == "__main__":
    main()
