"""Makes the Chinese tagger, from nothing to a bundle, by the project's own path.

    python -m recipes.tagger.chinese_train WORK [--seed 7]

WORK gets `base` (random weights), `parsed` (taught words and parts of speech of dictionary sentences), `model` (taught
names, by templates and dictionary sentences), `further` (the same on more texts, at half the rate), `bundle` (int8, its
accuracy measured on the validation part) and `provenance.json`.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from itertools import islice
from pathlib import Path

from cloister.export import Contract, TrainingOptions, export, finetune
from cloister.export.labelled import read_labelled

from .chinese import examples, parsed, save, write
from .chinese_messages import PACKAGES
from .chinese_model import write_base

__all__ = ["Recipe", "make", "provenance"]

RECIPE_VERSION = 2


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What the tagger is made with. Counts are texts; a training text has about 32 characters."""

    seed: int = 7
    layers: int = 4
    hidden: int = 128
    inner: int = 256
    parsed: int = 6_000
    texts: int = 40_000
    more: int = 0
    validation: int = 1_000
    batch_size: int = 64
    learning_rate: float = 3e-3
    max_drop: float = 0.003


def provenance(recipe: Recipe) -> dict[str, object]:
    """What the tagger was made of: the recipe's numbers, versions of the data's packages and of the libraries."""
    packages = ("faker", "jieba", "opencc-python-reimplemented", *PACKAGES)
    libraries = ("torch", "transformers", "tokenizers", "onnxruntime")
    return {
        "recipe": RECIPE_VERSION,
        "made_with": asdict(recipe),
        "data": {name: version(name) for name in packages},
        "libraries": {name: version(name) for name in libraries},
    }


def make(work: Path, recipe: Recipe) -> Path:
    """Make the bundle in `work` and return its folder. Steps that are there already are not done again."""
    work.mkdir(parents=True, exist_ok=True)
    base, first, model, bundle = (work / name for name in ("base", "parsed", "model", "bundle"))
    train, further, words, validation, calibration = (
        work / f"{name}.jsonl" for name in ("train", "more", "words", "validation", "calibration")
    )
    if not train.exists():
        write(train, recipe.seed, recipe.texts, "train")
    if not validation.exists():
        write(validation, recipe.seed, recipe.validation, "validation")
    if recipe.parsed and not words.exists():
        save(words, parsed(recipe.seed, recipe.parsed))
    if not calibration.exists():
        save(calibration, examples(recipe.seed + 1, 512, "train"))
    options = TrainingOptions(
        epochs=1, learning_rate=recipe.learning_rate, batch_size=recipe.batch_size, seed=recipe.seed, held_out=0.0
    )
    if not base.is_dir():
        write_base(base, recipe.seed, layers=recipe.layers, hidden=recipe.hidden, inner=recipe.inner)
    if not recipe.parsed:
        first = base
    elif not first.is_dir():
        finetune(base, words, first, task="token-classification", options=options)
    if not model.is_dir():
        report = finetune(first, train, model, task="token-classification", evaluation=validation, options=options)
        print(json.dumps({"validation": report.metrics, "seconds": report.seconds}))
    last = work / "further"
    if not recipe.more:
        last = model
    elif not last.is_dir():
        if not further.exists():
            save(further, islice(examples(recipe.seed, recipe.texts + recipe.more, "train"), recipe.texts, None))
        slower = replace(options, learning_rate=recipe.learning_rate / 2)
        report = finetune(model, further, last, task="token-classification", evaluation=validation, options=slower)
        print(json.dumps({"validation": report.metrics, "seconds": report.seconds}))
    texts = [json.loads(line)["text"] for line in calibration.read_text("utf-8").splitlines()]
    made = export(
        last,
        bundle,
        calibration=texts,
        contract=Contract(read_labelled(validation), max_drop=recipe.max_drop),
        force=True,
    )
    (work / "provenance.json").write_text(json.dumps(provenance(recipe), indent=2) + "\n", "utf-8")
    print(json.dumps({"bytes": made.size_bytes, "accuracy": made.accuracy, "digest": made.digest}, default=str))
    return bundle


def _main() -> None:
    parser = argparse.ArgumentParser(description="Makes the Chinese tagger.")
    parser.add_argument("work", type=Path)
    for field, value in asdict(Recipe()).items():
        parser.add_argument(f"--{field.replace('_', '-')}", type=type(value), default=value)
    chosen = vars(parser.parse_args())
    work = chosen.pop("work")
    make(work, Recipe(**chosen))


if __name__ == "__main__":
    _main()
