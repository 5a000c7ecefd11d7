"""`cloister finetune`: labelled data and a base model in, a model folder out."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated

import typer


def finetune(
    base: Annotated[str, typer.Argument(help="Model folder or hub id to start from.")],
    data: Annotated[Path, typer.Argument(help="Labelled data, JSON Lines or CSV; for fill-mask a file of texts.")],
    out: Annotated[Path, typer.Argument(help="Model folder to write.")],
    task: Annotated[str, typer.Option(help="text-classification, token-classification or fill-mask.")],
    evaluation: Annotated[
        Path | None, typer.Option("--eval", help="Data for the report, instead of a part held out of DATA.")
    ] = None,
    policy: Annotated[str | None, typer.Option(help="Redact the data first: a preset or a TOML file.")] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the data.")] = 3,
    learning_rate: Annotated[
        float | None, typer.Option(help="Highest rate. [default: 2e-4 for small models, else 5e-5]")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Examples a step.")] = 32,
    patience: Annotated[
        int, typer.Option(help="Stop after so many evaluations without a gain, keep the best; 0 trains to the end.")
    ] = 0,
    balanced: Annotated[
        bool, typer.Option("--balanced", help="Let rare classes weigh as much as frequent ones.")
    ] = False,
    held_out: Annotated[float, typer.Option(help="Share of DATA held out for the report without --eval.")] = 0.1,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace a model that is already there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON document.")] = False,
) -> None:
    """Fine-tune a model on labelled data, or go on pre-training it on texts.

    An interrupted run goes on from its last checkpoint when started again with the same arguments.

    Example: cloister finetune all-MiniLM-L6-v2 train.jsonl my-model --task text-classification
    """
    from ..export import TrainingOptions
    from ..export import finetune as run
    from .progress import steps

    options = TrainingOptions(
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        seed=seed,
        patience=patience,
        balanced=balanced,
        held_out=held_out,
    )
    report = run(
        base, data, out, task=task, evaluation=evaluation, options=options, policy=policy, force=force, step=steps()
    )
    if as_json:
        sys.stdout.write(json.dumps(dataclasses.asdict(report), ensure_ascii=False) + "\n")
        return
    rows = {
        "model": report.model,
        "task": report.task,
        "labels": str(len(report.labels)) if report.labels else "none",
        "examples": ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in report.examples.items() if count),
        "held out": ", ".join(f"{name} {value:.4f}" for name, value in report.metrics.items()) or "not measured",
        "steps": f"{report.steps}, kept those of step {report.best_step}"
        + (f", resumed from {report.resumed_from}" if report.resumed_from else ""),
        "time": f"{report.seconds:.1f} s",
    }
    for name, count in (
        ("duplicates", report.duplicates),
        ("contradictions", report.contradictions),
        ("in both files", report.overlap),
        ("truncated", report.truncated),
    ):
        if count:
            rows[name] = str(count)
    if report.redacted is not None:
        rows["redacted"] = ", ".join(f"{entity} {n}" for entity, n in report.redacted.items()) or "nothing found"
    from .table import show

    show(rows)
