"""`cloister fewshot`: a few examples and an embedding bundle in, a classification bundle out."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated

import typer


def fewshot(
    bundle: Annotated[Path, typer.Argument(help="Embedding bundle.")],
    data: Annotated[
        Path,
        typer.Argument(
            help='Examples {"text", "label"} as JSON Lines or CSV; {"label", "description"} for labels without any.'
        ),
    ],
    out: Annotated[Path, typer.Argument(help="Bundle folder to write.")],
    policy: Annotated[str | None, typer.Option(help="Redact the data first: a preset or a TOML file.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a bundle that is already there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON document.")] = False,
) -> None:
    """Make a classification bundle from 8 to 64 examples of each class, in seconds and without torch.

    The encoder stays frozen; a logistic head is fitted on its embeddings. Results have an out-of-scope score.

    Example: cloister fewshot minilm examples.jsonl intents
    """
    from ..export import fewshot as run
    from .progress import steps

    report = run(bundle, data, out, policy=policy, force=force, step=steps())
    if as_json:
        sys.stdout.write(json.dumps(dataclasses.asdict(report), ensure_ascii=False) + "\n")
        return
    fewest, most = min(report.examples.values()), max(report.examples.values())
    rows = {
        "bundle": f"{report.bundle} ({report.size_bytes / 1e6:.1f} MB)",
        "labels": f"{len(report.labels)}, with {fewest if fewest == most else f'{fewest} to {most}'} examples each",
        "accuracy": "not measured: too few examples to hold any out"
        if report.accuracy is None
        else f"{report.accuracy:.1%} in cross-validation",
        "out of scope": "scored" if report.out_of_scope else "not scored",
        "digest": report.digest,
        "time": f"{report.seconds:.1f} s",
    }
    if report.redacted is not None:
        rows["redacted"] = ", ".join(f"{entity} {n}" for entity, n in report.redacted.items()) or "nothing found"
    from .table import show

    show(rows)
