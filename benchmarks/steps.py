"""int8 steps: each row its own, or one for all rows. What each costs in fidelity, on texts far from calibration too?

    python -m benchmarks.steps [DATA]

DATA is a folder with data sets as their sources publish them: 200 texts of each file are compared as well.
"""

import json
import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import workbench as wb
from benchmarks.fidelity import source_vectors
from benchmarks.lab.workloads import Texts
from benchmarks.precisions import drafts_of
from cloister.export import quantize
from cloister.export.scales import FIXED_LOSS
from cloister.runtime.heads import unit_length

OWN, NORMS, LITTLE, ALL = "each row its own", "one behind layer norms", "one where little is lost", "one everywhere"
_OF_EACH = 200
_LARGEST_FILE = 30_000_000


def main() -> None:
    """Print cosines with PyTorch fp32 for each set of texts, then times."""
    print(wb.machine())
    drafts, tokenizer = drafts_of()
    everywhere = [replace(layer, normalized=True) for layer in drafts.layers]
    plans = {
        OWN: quantize.plan(drafts.layers, drafts.observed, loss=0.0),
        NORMS: quantize.plan(drafts.layers, drafts.observed),
        LITTLE: quantize.plan(everywhere, drafts.observed),
        ALL: quantize.plan(everywhere, drafts.observed, loss=float("inf")),
    }
    encoders: dict[str, Any] = {}
    for name, choices in plans.items():
        encoders[name] = drafts.encoder(drafts.draft("int8", choices))
        fixed = sum(choice.step is not None for choice in choices)
        print(f"  {name:<26}{fixed} of {len(choices)} groups of layers")
    print(f'"little": at most {FIXED_LOSS} times the error on calibration rows')
    sets = {"the 500 sentences": wb.texts()}
    if len(sys.argv) > 1:
        sets |= far(Path(sys.argv[1]))
    else:
        print("texts far from calibration are left out: no folder with data sets was named")
    found: dict[str, list[Any]] = {name: [] for name in encoders}
    for title, texts in sets.items():
        wanted, tokens = source_vectors(texts), tokenizer.encode(texts, truncate=True)[0]
        for name, encoder in encoders.items():
            rows = np.array([unit_length(row) for row in encoder.forward(tokens)])
            found[name].append((rows * wanted).sum(1))
        print(f"\n{title}, {len(texts)} texts")
        for name, cosines in found.items():
            _row(name, cosines[-1])
    print(f"\nall {sum(map(len, sets.values()))} texts")
    for name, cosines in found.items():
        _row(name, np.concatenate(cosines))
    made = Texts(wb.model_folder(), 256)
    for load in (
        made.mixed(),
        *(made.uniform(n, length, f"{n} x {length}") for n, length in ((8, 128), (8, 16), (1, 16))),
    ):
        tokens = tokenizer.encode(list(load.texts), truncate=True)[0]
        repeat = 30 if len(load.texts) == 1 else 1
        sides = {
            name: lambda encoder=encoder: [encoder.forward(tokens) for _ in range(repeat)]  # noqa: B023
            for name, encoder in encoders.items()
        }
        title = load.name if repeat == 1 else f"{load.name}, {repeat} times"
        wb.report(title, wb.interleaved(sides, rounds=25), against=OWN)


def _row(name: str, cosines: Any) -> None:
    worst = f"1% {np.quantile(cosines, 0.01):.5f}  least {cosines.min():.5f}"
    print(f"  {name:<26}mean {cosines.mean():.5f}  {worst}")


def far(data: Path) -> dict[str, list[str]]:
    """Texts of every data set in a folder, this project's source code, and random symbols."""
    chance = random.Random(0)
    sets = {str(path.relative_to(data)): list(_texts(path)) for path in sorted(data.rglob("*")) if path.is_file()}
    code = [p.read_text("utf-8").split("\n\n") for p in sorted((wb.ROOT / "runtime").glob("*.py"))]
    sets["source code"] = [part[:800] for parts in code for part in parts if len(part) > 40]
    letters = "!?#$%^&*()0123456789abcXYZ 😀é—"
    sets["random symbols"] = ["".join(chance.choices(letters, k=chance.randint(5, 200))) for _ in range(_OF_EACH)]
    return {name: chance.sample(texts, _OF_EACH) for name, texts in sets.items() if len(texts) >= _OF_EACH}


def _texts(path: Path) -> Iterator[str]:
    if path.suffix not in (".json", ".jsonl", ".csv", ".txt") or path.stat().st_size > _LARGEST_FILE:
        return
    whole = path.read_text("utf-8", errors="replace")
    lines = whole.split("\n")
    documents = {".json": [whole], ".jsonl": [line for line in lines[:3000] if line.strip()]}.get(path.suffix)
    found = lines if documents is None else [text for one in documents for text in _strings(json.loads(one))]
    yield from (text[:1500] for text in found if len(text) > 20)


def _strings(document: Any) -> Iterator[str]:
    if isinstance(document, str):
        yield document
    elif isinstance(document, dict | list):
        for one in document.values() if isinstance(document, dict) else document:
            yield from _strings(one)


if __name__ == "__main__":
    main()
