"""`cloister export`: a fine-tuned model in, a verified bundle out."""

import dataclasses
import json
import sys
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import InvalidInput


class Precision(StrEnum):
    """Numbers the linear layers run in."""

    int8 = "int8"
    fp32 = "fp32"


def export(
    source: Annotated[str, typer.Argument(help="Model folder (save_pretrained, sentence-transformers) or hub id.")],
    out: Annotated[Path, typer.Argument(help="Bundle folder to write.")],
    task: Annotated[
        str | None,
        typer.Option(
            help="text-classification, token-classification, question-answering, feature-extraction, fill-mask, "
            "zero-shot-classification, sentence-similarity or text-ranking; told from the model unless given."
        ),
    ] = None,
    precision: Annotated[Precision, typer.Option(help="int8 row-wise, or fp32.")] = Precision.int8,
    calibration: Annotated[
        Path | None, typer.Option(help="Texts of your domain: .jsonl or .csv with a text field, or plain lines.")
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(help="Multi-label: least probability of every label (0.4) or of one (name=0.4; repeatable)."),
    ] = None,
    template: Annotated[str | None, typer.Option(help="Zero-shot: the hypothesis, with {} for the label.")] = None,
    multi_label: Annotated[bool, typer.Option("--multi-label", help="Zero-shot: several labels may fit.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a bundle that is already there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON document.")] = False,
) -> None:
    """Export a model to a quantized bundle that is measured against the original.

    Example: cloister export distilbert-base-uncased-finetuned-sst-2-english sentiment
    """
    from ..export import HeadOptions
    from ..export import export as run
    from ..export.data import read_texts

    texts = None if calibration is None else read_texts(calibration)
    report = run(
        source,
        out,
        task=task,
        precision=precision.value,
        calibration=texts,
        head=HeadOptions(threshold=_thresholds(threshold), template=template, multi_label=multi_label),
        force=force,
        step=_progress(),
    )
    if as_json:
        fields = dataclasses.asdict(report)
        sys.stdout.write(json.dumps(fields, ensure_ascii=False) + "\n")
        return
    figures = report.parity
    rows = {
        "bundle": f"{report.bundle} ({report.size_bytes / 1e6:.1f} MB)",
        "task": report.task,
        "path": f"{report.path} ({report.path_reason})",
        "precision": report.precision,
        "layers": f"{report.quantized_nodes} linear layers in integers, {report.float_nodes} in float",
        "parity": f"cosine with the source model: mean {figures['cosine_mean']:.5f}, least {figures['cosine_min']:.5f} "
        f"over {figures['samples']} texts",
        "digest": report.digest,
        "time": f"{report.seconds:.1f} s",
    }
    if figures["label_agreement"] is not None:
        rows["labels"] = f"{figures['label_agreement']:.1%} equal to the source model's"
    from .table import show

    show(rows)


def _thresholds(given: list[str] | None) -> float | dict[str, float] | None:
    """One number for every label, or numbers by label. The last `=` separates: a label may hold one itself."""
    if not given:
        return None
    try:
        if len(given) == 1 and "=" not in given[0]:
            return float(given[0])
        return {label: float(value) for label, _, value in (item.rpartition("=") for item in given)}
    except ValueError:
        raise InvalidInput(
            "--threshold is neither a number nor label=number", hint="for example 0.4, or spam=0.4"
        ) from None


def _progress() -> Any:
    """A spinner with the step's name on a terminal, nothing in a pipe."""
    if not sys.stderr.isatty():
        return nullcontext
    from rich.console import Console

    console = Console(stderr=True)

    def step(name: str) -> AbstractContextManager[Any]:
        return console.status(f"{name} …")

    return step
