"""Labelled data and a base model -> a model folder that `cloister export` takes, with figures on what was held out."""

import dataclasses
import hashlib
import json
import os
import shutil
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from .. import InvalidInput
from ..privacy.storage import new_folder, system_errors
from . import split, training
from .data import read_texts
from .folder import check_folder
from .jobs import Parts, labelled_job, language_job
from .labelled import Labelled, read_labelled
from .labels import align
from .options import TrainingOptions
from .redaction import DataRedactor
from .source import Base, read_base
from .steps import Step

FineTuneTask = Literal["text-classification", "token-classification", "fill-mask"]

REPORT = "training.json"


@dataclass(frozen=True)
class FineTuneReport:
    """What was trained, the fields of `cloister finetune --json`. Figures only: no text, no digest of one.

    Attributes:
        examples: how many were used for `train`, `validation` and `held_out`.
        metrics: on the held-out examples, empty where there are none.
        overlap: texts of the evaluation file that the training data has too.
        truncated: training examples that were cut to the model's window.
        steps, best_step: steps done, and the step whose weights were kept.
        resumed_from: the step that an interrupted run had reached, 0 for none.
        redacted: replaced values by entity, None without a policy.
    """

    model: str
    task: str
    base: str
    labels: list[str]
    examples: dict[str, int]
    duplicates: int
    contradictions: int
    metrics: dict[str, float]
    overlap: int
    truncated: int
    steps: int
    best_step: int
    resumed_from: int
    seed: int
    redacted: dict[str, int] | None
    seconds: float


def finetune(
    base: str | os.PathLike[str],
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    task: str,
    evaluation: str | os.PathLike[str] | None = None,
    options: TrainingOptions | None = None,
    policy: str | os.PathLike[str] | None = None,
    force: bool = False,
    step: Step = nullcontext,
) -> FineTuneReport:
    """Fine-tune a model, or go on pre-training it, and write a model folder whole or not at all.

    A run that was interrupted goes on from its last checkpoint when it is started again with the same arguments. A base
    that pools (sentence-transformers) is continued as a classifier over its pooled vector.

    Args:
        base: a model folder or hub id; for fill-mask also a folder with config and tokenizer alone.
        data: labelled data (see `read_labelled`); for fill-mask a file of texts.
        out: folder to write.
        task: `text-classification` (also several labels, scores and pairs), `token-classification` or `fill-mask`.
        evaluation: file for the report, instead of a part of the data.
        options: how to train.
        policy: redact the data first, by a preset or a TOML file.
        force: replace a model that is already at `out`.
        step: called with the name of each step, to show progress; what it yields is called with the share done.

    Raises:
        InvalidInput: the data does not fit the task, or evaluation data has labels that the training data has not.
        ExportError: the base cannot be read.
        OutputExists, StorageError: `out` cannot be written.
    """
    started = time.monotonic()
    if task not in get_args(FineTuneTask):
        raise InvalidInput("this task cannot be trained", hint=f"--task is one of: {', '.join(get_args(FineTuneTask))}")
    target = check_folder(out, force=force)
    chosen = options or TrainingOptions()
    redactor = None if policy is None else DataRedactor(policy)
    with step("Reading the data"):
        read = _read_texts if task == "fill-mask" else _read_labelled
        parts = read(Path(data), None if evaluation is None else Path(evaluation), task, chosen, redactor)
    with step("Reading the base model"):
        found = read_base(os.fspath(base))
        if not found.has_weights and task != "fill-mask":
            raise InvalidInput("the base has no weights", hint="pre-train it first: --task fill-mask")
    work = target.parent / f".{target.name}.training"
    _same_run(work, _fingerprint(found, parts, task, chosen))
    job = language_job(found, parts, chosen, work) if task == "fill-mask" else labelled_job(found, parts, chosen, work)
    with step("Training") as advance:
        trained = job.train(advance if callable(advance) else None)
    with step("Measuring"):
        figures = job.figures()
    report = FineTuneReport(
        model=str(target),
        task=task,
        base=found.name,
        labels=list(job.labels),
        examples=parts.sizes,
        duplicates=parts.duplicates,
        contradictions=parts.contradictions,
        metrics=figures,
        overlap=parts.overlap,
        truncated=job.truncated,
        steps=trained.steps,
        best_step=trained.best_step,
        resumed_from=trained.resumed_from,
        seed=chosen.seed,
        redacted=None if redactor is None else dict(redactor.report.replaced),
        seconds=round(time.monotonic() - started, 2),
    )
    with step("Writing the model"), system_errors("write the model"), new_folder(target, replace=force) as folder:
        training.save(job.run.model, found, folder, found.window)
        figures_only = {k: v for k, v in dataclasses.asdict(report).items() if k not in ("model", "seconds")}
        (folder / REPORT).write_text(json.dumps(figures_only, indent=2, ensure_ascii=False) + "\n", "utf-8")
    shutil.rmtree(work, ignore_errors=True)
    return report


def _read_labelled(
    path: Path, evaluation: Path | None, task: str, options: TrainingOptions, redactor: DataRedactor | None
) -> Parts:
    def read(file: Path) -> Labelled:
        data = read_labelled(file)
        if task == "token-classification":
            data.require("tagging")
        else:
            data.require("single_label", "multi_label", "regression")
        return data if redactor is None else redactor.labelled(data)

    whole = read(path)
    held = None if evaluation is None else read(evaluation)
    if held is not None:
        held.require(whole.kind)
        align(held, whole.labels)
        if held.paired != whole.paired:
            raise InvalidInput(f"{held.name} and {whole.name} differ: one has pairs", hint="give both a text_pair")
    train = whole
    if held is None and options.held_out:
        train, held = split.hold_out(whole, options.held_out, options.seed)
    validation = None
    if options.patience:
        train, validation = split.hold_out(train, 0.1, options.seed + 1)
    if not train.examples or (validation is not None and not validation.examples):
        raise InvalidInput(
            f"{whole.name} has too few examples", hint="give more, or take patience and held-out share 0"
        )
    overlap = 0 if evaluation is None or held is None else split.overlap(whole, held)
    kept = held if held is not None and held.examples else None
    return Parts(train, validation, kept, whole.duplicates, whole.contradictions, overlap)


def _read_texts(
    path: Path, evaluation: Path | None, task: str, options: TrainingOptions, redactor: DataRedactor | None
) -> Parts:
    def read(file: Path) -> list[str]:
        texts = read_texts(file)
        return texts if redactor is None else [text for text in map(redactor.text, texts) if text.strip()]

    whole = read(path)
    held = None if evaluation is None else read(evaluation)
    train = list(dict.fromkeys(whole))
    if held is None and options.held_out:
        train, held = split.hold_out_texts(whole, options.held_out, options.seed)
    validation = None
    if options.patience:
        train, validation = split.hold_out_texts(train, 0.1, options.seed + 1)
    if not train or validation == []:
        raise InvalidInput(f"{path.name} has too few texts", hint="give more, or take patience and held-out share 0")
    overlap = 0 if evaluation is None or held is None else len(set(held) & set(whole))
    return Parts(train, validation, held or None, len(whole) - len(set(whole)), 0, overlap)


def _fingerprint(base: Base, parts: Parts, task: str, options: TrainingOptions) -> str:
    """What a run must have in common with an interrupted one to go on from it. It never leaves the work folder."""
    digest = hashlib.sha256(repr((task, options, base.name, base.config.to_dict())).encode())
    for part in (parts.train, parts.validation):
        rows = part.examples if isinstance(part, Labelled) else part or ()
        for row in rows:
            fields = (
                row
                if isinstance(row, str)
                else (row.input, row.labels, row.score, row.annotated, [dataclasses.astuple(e) for e in row.entities])
            )
            digest.update(repr(fields).encode())
    return digest.hexdigest()


def _same_run(work: Path, fingerprint: str) -> None:
    """Keep an interrupted run's checkpoints where it was the same run, else start with an empty work folder."""
    marker = work / "run"
    if marker.is_file() and marker.read_text() == fingerprint:
        return
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    marker.write_text(fingerprint)
