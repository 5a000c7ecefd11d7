"""The trainings that `finetune` knows: labelled data, and texts alone; each with its model, targets and figures."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import InvalidInput
from ..runtime import heads
from ..runtime.manifest import TokenizerSettings
from ..runtime.tokens import TextTokenizer
from . import features, metrics
from .features import Features
from .labelled import Kind, Labelled
from .labels import align
from .options import TrainingOptions
from .source import Base
from .training import (
    Loss,
    Schedule,
    Trained,
    Training,
    classifier,
    masked_language_model,
    masked_once,
    masking,
    seeded,
    tagger,
)

Floats = NDArray[np.float32]

_PROBLEMS: dict[Kind, str] = {
    "single_label": "single_label_classification",
    "multi_label": "multi_label_classification",
    "regression": "regression",
}
_LOSSES: dict[Kind, Loss] = {
    "single_label": "classes",
    "multi_label": "flags",
    "regression": "numbers",
    "tagging": "tokens",
}
_METRICS: dict[Kind, str] = {
    "single_label": "accuracy",
    "multi_label": "micro_f1",
    "regression": "spearman",
    "tagging": "entity_f1",
}
_HEAVIEST = 20.0
"""Most that a rare class weighs more than the average one."""


@dataclass(frozen=True, repr=False)
class Parts:
    """Data of a run: either labelled, or texts."""

    train: Labelled | list[str]
    validation: Labelled | list[str] | None
    held_out: Labelled | list[str] | None
    duplicates: int = 0
    contradictions: int = 0
    overlap: int = 0

    @property
    def sizes(self) -> dict[str, int]:
        """How many examples each part has."""
        named = {"train": self.train, "validation": self.validation, "held_out": self.held_out}
        return {k: 0 if v is None else len(v.examples if isinstance(v, Labelled) else v) for k, v in named.items()}


def _schedule(base: Base, options: TrainingOptions, metric: str, *, more_is_better: bool) -> Schedule:
    small = getattr(base.config, "hidden_size", 768) <= 384
    return Schedule(
        epochs=options.epochs,
        learning_rate=options.learning_rate or (2e-4 if small else 5e-5),
        batch_size=options.batch_size,
        seed=options.seed,
        patience=options.patience,
        metric=metric,
        more_is_better=more_is_better,
    )


def _tokenizer(base: Base) -> TextTokenizer:
    settings = TokenizerSettings(
        file="tokenizer.json",
        window=base.window,
        padding_id=getattr(base.config, "pad_token_id", None) or 0,
        token_types=base.token_types,
        first_position=base.first_position,
    )
    return TextTokenizer(base.tokenizer_json.encode(), settings)


@dataclass(frozen=True, repr=False)
class Job:
    """A training with its data."""

    run: Training
    train: Callable[[Any], Trained]
    figures: Callable[[], dict[str, float]]
    labels: Sequence[str]
    truncated: int


def labelled_job(base: Base, parts: Parts, options: TrainingOptions, work: Path) -> Job:
    """Classification, regression and tagging."""
    train, validation, held = (
        p if isinstance(p, Labelled) else None for p in (parts.train, parts.validation, parts.held_out)
    )
    if train is None:
        raise TypeError("labelled data expected")
    tags = train.kind == "tagging"
    names = train.labels or ["score"]
    labels = features.bio(names) if tags else names
    tokenizer = _tokenizer(base)
    seeded(options.seed)  # new layers are drawn when the model is made
    model = tagger(base, labels) if tags else classifier(base, labels, _PROBLEMS[train.kind])

    def made(data: Labelled, known: Sequence[tuple[int, ...]] = ()) -> Features:
        if tags:
            return features.tagging(data, tokenizer, labels, known)
        return features.classification(data, tokenizer, align(data, names))

    rows = made(train)
    chosen = None if validation is None else made(validation, rows.partial)
    metric = _METRICS[train.kind]
    job = Training(
        model,
        _LOSSES[train.kind],
        _schedule(base, options, metric, more_is_better=True),
        padding_id=getattr(base.config, "pad_token_id", None) or 0,
        work=work,
        weights=_weights(rows, train, labels) if options.balanced else None,
        partial=(chosen or rows).partial,
    )
    job.begin(rows.rows)

    def measure(logits: Sequence[Floats]) -> Mapping[str, float]:
        return {} if validation is None or chosen is None else quality(validation, chosen, logits, labels, names)

    def figures() -> dict[str, float]:
        if held is None:
            return {}
        there = made(held)
        return quality(held, there, job.predict(there.rows), labels, names)

    return Job(
        job,
        lambda advance: job.run(rows, chosen, measure if chosen else None, advance=advance),
        figures,
        labels if not tags else names,
        rows.truncated,
    )


def quality(
    data: Labelled, rows: Features, logits: Sequence[Floats], labels: Sequence[str], names: Sequence[str]
) -> dict[str, float]:
    """Figures of logits on labelled data, as fits its kind. Shape: each of logits `[labels]` or `[n, labels]`."""
    if data.kind == "tagging":
        flat = iter(logits)
        found = []
        for example, windows in zip(data.examples, rows.windows, strict=True):
            text = example.input if isinstance(example.input, str) else example.input[0]
            parts = [next(flat)[: len(window.tokens)] for window in windows]
            entities = heads.tagging(text, windows, parts, labels).entities
            found.append({(e.start, e.end, e.label) for e in entities if example.judged(e.label)})
        wanted = [{(e.start, e.end, e.label) for e in example.entities} for example in data.examples]
        return {"entity_f1": metrics.entity_f1(metrics.entity_counts(wanted, found))}
    table = np.stack(logits)
    if data.kind == "regression":
        scores = np.array([example.score for example in data.examples], np.float64)
        error = float(np.abs(scores - table[:, 0]).mean())
        return {"spearman": metrics.spearman(scores, table[:, 0].astype(np.float64)), "mean_absolute_error": error}
    places = align(data, names)
    if data.kind == "multi_label":
        flags = np.array([[i in {places[x] for x in e.labels} for i in range(len(names))] for e in data.examples])
        micro, macro = metrics.multi_label_f1(flags, table >= 0)
        return {"micro_f1": micro, "macro_f1": macro}
    classes = np.array([places[example.labels[0]] for example in data.examples])
    best = table.argmax(1)
    return {"accuracy": metrics.accuracy(classes, best), "macro_f1": metrics.macro_f1(classes, best)}


def _weights(rows: Features, data: Labelled, labels: Sequence[str]) -> list[float] | None:
    """Inverse frequencies, with mean 1 over the examples; for several labels the ratio of without to with."""
    if data.kind == "regression":
        return None
    if data.kind == "multi_label":
        with_label = np.array([data.counts()[label] for label in labels], np.float64)
        ratio = (len(data.examples) - with_label) / np.maximum(with_label, 1)
        return [float(weight) for weight in np.clip(ratio, 1 / _HEAVIEST, _HEAVIEST)]
    targets = np.concatenate([np.atleast_1d(row["labels"]) for row in rows.rows])
    known = (targets != features.IGNORED) & (targets < len(labels))
    counts = np.bincount(targets[known], minlength=len(labels)).astype(np.float64)
    weights = counts.sum() / (len(labels) * np.maximum(counts, 1))
    return [float(weight) for weight in np.minimum(weights, _HEAVIEST)]


def language_job(base: Base, parts: Parts, options: TrainingOptions, work: Path) -> Job:
    """Masked-language pre-training."""
    tokenizer = _tokenizer(base)
    if base.tokenizer.mask_token_id is None:
        raise InvalidInput(
            "the base's tokenizer has no mask token", hint="--task fill-mask needs a masked language model"
        )
    seeded(options.seed)
    model = masked_language_model(base)

    def made(texts: Labelled | list[str] | None) -> Features | None:
        if not isinstance(texts, list):
            return None
        rows = features.language(texts, tokenizer).rows
        if not rows:
            raise InvalidInput("the texts have no tokens", hint="give texts with words")
        return Features(rows, [])

    rows, validation, held = made(parts.train), made(parts.validation), made(parts.held_out)
    if rows is None:
        raise TypeError("texts expected")
    masked = None if validation is None else Features(masked_once(validation.rows, base, options.seed), [])
    collate = masking(base, options.seed)
    job = Training(
        model,
        "tokens",
        _schedule(base, options, "loss", more_is_better=False),
        padding_id=getattr(base.config, "pad_token_id", None) or 0,
        work=work,
    )

    def figures() -> dict[str, float]:
        if held is None:
            return {}
        loss = job.mean_loss(masked_once(held.rows, base, options.seed))
        return {"masked_loss": loss, "perplexity": math.exp(min(loss, 100.0))}

    return Job(job, lambda advance: job.run(rows, masked, None, collator=collate, advance=advance), figures, [], 0)
