"""`cloister export`: a fine-tuned model in, a verified bundle out."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from .. import InvalidInput, StorageError
from .progress import steps
from .table import accuracy, generation, show


def export(
    source: Annotated[str, typer.Argument(help="Model folder (save_pretrained, sentence-transformers) or hub id.")],
    out: Annotated[Path, typer.Argument(help="Bundle folder to write.")],
    task: Annotated[
        str | None,
        typer.Option(
            help="text-classification, token-classification, question-answering, feature-extraction, fill-mask, "
            "zero-shot-classification, sentence-similarity, text-ranking or text-generation; told from "
            "the model unless given."
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            help="int8, int4, fp16 (for CUDA) or fp32; several with commas, the preferred one first. Default int8; "
            "int4 for text-generation."
        ),
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="Texts of your domain: .jsonl or .csv with a text field, or plain lines.")
    ] = None,
    evaluation: Annotated[
        Path | None, typer.Option("--eval", help="Labelled data to measure on: .jsonl or .csv; see docs/export.md.")
    ] = None,
    max_drop: Annotated[float | None, typer.Option(help="Largest loss of the metric, e.g. 0.003.")] = None,
    max_flips: Annotated[float | None, typer.Option(help="Largest share of answers that may change.")] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="accuracy, macro-f1, micro-f1, entity-f1, spearman, exact-match or token-f1, by task."),
    ] = None,
    policy: Annotated[
        str | None, typer.Option(help="Redact --eval and --calibration first: a preset or a TOML file.")
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(help="Multi-label: least probability of every label (0.4) or of one (name=0.4; repeatable)."),
    ] = None,
    template: Annotated[str | None, typer.Option(help="Zero-shot: the hypothesis, with {} for the label.")] = None,
    multi_label: Annotated[bool, typer.Option("--multi-label", help="Zero-shot: several labels may fit.")] = False,
    provenance: Annotated[
        Path | None, typer.Option(help="JSON object of texts about data, code and seeds, to stand in the manifest.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a bundle that is already there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON document.")] = False,
) -> None:
    """Export a model to a quantized bundle that is measured against the original.

    With --eval and --max-drop, layers return to float until the budget is kept, or nothing is written.

    Example: cloister export distilbert-base-uncased-finetuned-sst-2-english sentiment
    """
    from ..export import HeadOptions
    from ..export import export as run
    from ..export.data import read_texts
    from ..runtime.manifest import Precision

    named = None if precision is None else [name.strip() for name in precision.split(",")]
    if named is not None and (not set(named) <= set(get_args(Precision)) or len(set(named)) != len(named)):
        raise typer.BadParameter(f"--precision is one or more of {', '.join(get_args(Precision))}, each once")
    budgets = (max_drop, max_flips, metric)
    if evaluation is None and any(b is not None for b in budgets):
        raise typer.BadParameter("--max-drop, --max-flips and --metric need --eval")
    if policy is not None and evaluation is None and calibration is None:
        raise typer.BadParameter("--policy redacts --eval and --calibration: give one of them")
    redactor = contract = None
    if policy is not None:
        from ..export.redaction import DataRedactor

        redactor = DataRedactor(policy)
    if evaluation is not None:
        from ..export import Contract
        from ..export.labelled import read_labelled

        examples = read_labelled(evaluation)
        contract = Contract(examples if redactor is None else redactor.labelled(examples), *budgets)
    texts = None if calibration is None else read_texts(calibration)
    if texts is not None and redactor is not None:
        texts = [redactor.text(text) for text in texts]
    report = run(
        source,
        out,
        task=task,
        precision=named,
        calibration=texts,
        contract=contract,
        head=HeadOptions(threshold=_thresholds(threshold), template=template, multi_label=multi_label),
        provenance=None if provenance is None else _provenance(provenance),
        force=force,
        step=steps(),
    )
    if as_json:
        fields = dataclasses.asdict(report)
        sys.stdout.write(json.dumps(fields, ensure_ascii=False) + "\n")
        return
    rows = {
        "bundle": f"{report.bundle} ({report.size_bytes / 1e6:.1f} MB)",
        "task": report.task,
        "path": f"{report.path} ({report.path_reason})",
    }
    for made in report.variants:
        rows |= _variant(made)
    rows |= {"digest": report.digest, "time": f"{report.seconds:.1f} s"}
    show(rows)


def _provenance(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise StorageError(f"cannot read {path.name}: {error.strerror}", hint="check the path") from error
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise InvalidInput(f"{path.name} is not a JSON object of texts", hint='write {"data": "…", "licence": "…"}')
    return found


def _variant(made: dict[str, Any]) -> dict[str, str]:
    figures = made["parity"]
    name = made["name"]
    rows = {
        name: f"{made['size_bytes'] / 1e6:.1f} MB for {', '.join(made['providers'])}; {made['quantized_nodes']} linear "
        f"layers in integers, {made['float_nodes']} in float",
        f"{name} parity": f"cosine with the source model: mean {figures['cosine_mean']:.5f}, least "
        f"{figures['cosine_min']:.5f} over {figures['samples']} texts"
        + (", measured on a CPU twin" if made["measured_on"] == "cpu twin" else ""),
    }
    if figures["label_agreement"] is not None:
        rows[f"{name} labels"] = f"{figures['label_agreement']:.1%} equal to the source model's"
    if made["generation"] is not None:
        rows[f"{name} text"] = generation(made["generation"])
    if made["accuracy"] is not None:
        rows[f"{name} accuracy"] = accuracy(made["accuracy"])
    return rows


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
