"""Public data sets as labelled data files: `python -m benchmarks.training.sets DATA OUT`.

DATA holds `banking77/{train,test}.csv`, `clinc150/data_full.json` and `ner_en_wnut17/{wnut17train,emerging.dev}.conll`,
as their sources publish them (see benchmarks/README.md).
"""

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

HELD = 1000
"""Texts held out of BANKING77's train split for the accuracy contract."""

Row = dict[str, Any]


def write(path: Path, rows: Iterable[Row]) -> Path:
    """JSON Lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def banking77(data: Path, split: str) -> list[Row]:
    """Texts with their intents; `split` is train or test."""
    with (data / "banking77" / f"{split}.csv").open(encoding="utf-8", newline="") as file:
        return [{"text": row["text"], "label": row["category"]} for row in csv.DictReader(file)]


def clinc150(data: Path, split: str) -> list[Row]:
    """Texts with their intents; `split` is train, test, or oos_test for texts of no intent."""
    whole = json.loads((data / "clinc150" / "data_full.json").read_text("utf-8"))
    return [{"text": text, "label": label} for text, label in whole[split]]


def wnut17(data: Path, name: str) -> list[Row]:
    """Sentences with entities; words are joined by single spaces."""
    rows: list[Row] = []
    words: list[tuple[str, str]] = []
    for line in [*(data / "ner_en_wnut17" / name).read_text("utf-8").split("\n"), ""]:
        if line.strip():
            word, tag = line.rstrip("\r").split("\t")
            words.append((word, tag))
        elif words:
            rows.append(_sentence(words))
            words = []
    return rows


def _sentence(words: Sequence[tuple[str, str]]) -> Row:
    text = ""
    entities: list[Row] = []
    inside = None
    for word, tag in words:
        start = len(text) + (1 if text else 0)
        text = f"{text} {word}" if text else word
        prefix, _, label = tag.partition("-")
        if prefix == "B" or (prefix == "I" and inside != label):
            entities.append({"start": start, "end": len(text), "label": label})
        elif prefix == "I":
            entities[-1]["end"] = len(text)
        inside = label or None
    return {"text": text, "entities": entities}


def few(rows: Sequence[Row], count: int, seed: int) -> list[Row]:
    """So many examples of each label, drawn at random."""
    labels = np.array([row["label"] for row in rows])
    random = np.random.default_rng(seed)
    return [rows[i] for label in np.unique(labels) for i in random.permutation(np.flatnonzero(labels == label))[:count]]


def main() -> None:
    """Write the files that the commands in benchmarks/README.md name."""
    data, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    train = banking77(data, "train")
    order = np.random.default_rng(0).permutation(len(train))
    write(out / "banking77-train.jsonl", (train[i] for i in sorted(order[HELD:])))
    write(out / "banking77-eval.jsonl", (train[i] for i in sorted(order[:HELD])))
    write(out / "banking77-test.jsonl", banking77(data, "test"))
    write(out / "wnut17-train.jsonl", wnut17(data, "wnut17train.conll"))
    write(out / "wnut17-dev.jsonl", wnut17(data, "emerging.dev.conll"))


if __name__ == "__main__":
    main()
