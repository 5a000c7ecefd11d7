"""Fine-tune MiniLM on BANKING77 and WNUT-17, export to int8, and measure both on the test data.

`python -m benchmarks.training.tune DATA WORK`: the commands a user runs, in the folder WORK.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

from benchmarks import workbench as wb
from benchmarks.training import sets
from cloister.export.labelled import read_labelled
from cloister.export.metrics import entity_counts, entity_f1
from cloister.runtime import Classification, Tagging, load

RECIPES = {
    "banking77": ("text-classification", "banking77-test.jsonl", ["--epochs", "4", "--batch-size", "16"]),
    "wnut17": ("token-classification", "wnut17-dev.jsonl", ["--epochs", "4"]),
}


def cloister(*arguments: str | Path) -> dict[str, Any]:
    """A command's report."""
    command = [sys.executable, "-m", "cloister.cli", *map(str, arguments), "--json"]
    return cast(dict[str, Any], json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def quality(bundle: Path, test: Path) -> float:
    """Accuracy, or F1 of exact spans, of a bundle."""
    data = read_labelled(test)
    found = load(bundle).predict(data.inputs, truncate=data.kind != "tagging")
    if data.kind == "tagging":
        got = [{(e.start, e.end, e.label) for e in cast(Tagging, answer).entities} for answer in found]
        wanted = [{(e.start, e.end, e.label) for e in example.entities} for example in data.examples]
        return entity_f1(entity_counts(wanted, got))
    right = [cast(Classification, a).label == e.labels[0] for a, e in zip(found, data.examples, strict=True)]
    return sum(right) / len(right)


def main() -> None:
    """Print a row for each set."""
    data, work = Path(sys.argv[1]), Path(sys.argv[2])
    sys.argv[1:] = [str(data), str(work)]
    sets.main()
    print(wb.machine())
    for name, (task, test, recipe) in RECIPES.items():
        train, model, bundle = work / f"{name}-train.jsonl", work / name, work / f"{name}-int8"
        tuned = cloister(
            "finetune", wb.model_folder(), train, model, "--task", task, "--eval", work / test, "--force", *recipe
        )
        figures = ", ".join(f"{metric} {value:.4f}" for metric, value in tuned["metrics"].items())
        print(f"{name}: {tuned['steps']} steps in {tuned['seconds']:.0f} s; float on {test}: {figures}")
        cloister("export", model, bundle, "--calibration", train, "--force")
        print(f"  int8 bundle: {quality(bundle, work / test):.4f}", flush=True)


if __name__ == "__main__":
    main()
