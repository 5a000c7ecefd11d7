"""Labelled data and a task -> what to run, and figures of what came out, for each metric the task has."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .. import InvalidInput
from ..runtime.manifest import Manifest
from ..runtime.results import Answer, Classification, Embedding, Prediction, Score, Tagging
from ..runtime.tasks import Prepared, Wanted, prepare
from ..runtime.tokens import TextTokenizer
from . import metrics
from .labelled import Kind, Labelled, Text
from .labels import align, entity_labels

Rows = NDArray[np.intp]
Table = NDArray[np.generic]


@dataclass(frozen=True, repr=False)
class Answers:
    """What one model answered, one entry per example.

    Attributes:
        table: what the metric reads, first axis examples; it holds no text.
        identity: what two models are compared by, None where answers are numbers.
    """

    table: Table
    identity: list[Any] | None


@dataclass(frozen=True, repr=False)
class Evaluation:
    """Labelled data, ready to run and to score.

    Attributes:
        metric: name of the figure.
        examples: how many.
        prepared: tokens to run and how outputs become predictions.
        answers: predictions, as `prepared.finish` gives them, to a table.
        score: a table and the rows of a sample (repeats allowed) to the figure.
    """

    metric: str
    examples: int
    prepared: Prepared
    answers: Callable[[Sequence[Prediction]], Answers]
    score: Callable[[Table, Rows], float]


@dataclass(frozen=True)
class _Scored:
    kinds: tuple[Kind, ...]
    metrics: tuple[str, ...]  # the first is the default


_TASKS: dict[tuple[str, str | None], _Scored] = {
    ("text-classification", "single_label"): _Scored(("single_label",), ("accuracy", "macro-f1")),
    ("text-classification", "multi_label"): _Scored(("multi_label",), ("micro-f1", "macro-f1")),
    ("text-classification", "regression"): _Scored(("regression",), ("spearman",)),
    ("token-classification", None): _Scored(("tagging",), ("entity-f1",)),
    ("feature-extraction", None): _Scored(("regression",), ("spearman",)),
    ("sentence-similarity", None): _Scored(("regression",), ("spearman",)),
    ("text-ranking", None): _Scored(("regression",), ("spearman",)),
    ("question-answering", None): _Scored(("question_answering",), ("exact-match", "token-f1")),
}


_OF_PAIRS = ("feature-extraction", "sentence-similarity", "text-ranking")


def evaluation(data: Labelled, manifest: Manifest, tokenizer: TextTokenizer, metric: str | None) -> Evaluation:
    """Match data with a model's task and labels.

    Raises:
        InvalidInput: no metric for the task, another kind of data than it needs, labels that the model does not have,
            or a metric that the task does not have.
    """
    scored = _TASKS.get((manifest.task, manifest.problem))
    if scored is None:
        raise InvalidInput(f"{manifest.task} has no metric", hint="export without labelled data")
    data.require(*scored.kinds)
    name = scored.metrics[0] if metric is None else metric
    if name not in scored.metrics:
        raise InvalidInput(
            f"{manifest.task} has no such metric", hint=f"the metric is one of: {', '.join(scored.metrics)}"
        )
    if manifest.task in _OF_PAIRS and not data.paired:
        raise InvalidInput(f"{data.name} has single texts", hint='pairs are compared: "text", "text_pair", "score"')
    answers, score = _READERS[data.kind](data, manifest, name)
    inputs: list[Text] = data.inputs
    if manifest.task == "feature-extraction":
        inputs = [text for pair in data.inputs for text in pair]
    prepared = prepare(manifest, tokenizer, inputs, Wanted(truncate=True))
    return Evaluation(name, len(data.examples), prepared, answers, score)


_Reader = tuple[Callable[[Sequence[Prediction]], Answers], Callable[[Table, Rows], float]]


def _single(data: Labelled, manifest: Manifest, metric: str) -> _Reader:
    places = align(data, manifest.labels)
    index = {label: i for i, label in enumerate(manifest.labels)}
    wanted = np.array([places[e.labels[0]] for e in data.examples])
    figure = metrics.accuracy if metric == "accuracy" else metrics.macro_f1

    def answers(predictions: Sequence[Prediction]) -> Answers:
        got = np.array([index[cast(Classification, p).label] for p in predictions])
        _check_order(wanted, got, data.name)
        return Answers(got, got.tolist())

    return answers, lambda table, rows: figure(wanted[rows], cast(metrics.Integers, table)[rows])


def _check_order(wanted: NDArray[np.integer], got: NDArray[np.integer], name: str) -> None:
    """Refuse names that are permuted: nearly every label comes out as one other label, each as a different one."""
    right = float((wanted == got).mean())
    classes = int(max(wanted.max(), got.max())) + 1
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (wanted, got), 1)
    present = np.flatnonzero(table.sum(1))
    likeliest = table[present].argmax(1)
    renamed = float(table[present, likeliest].sum() / len(wanted))
    if len(set(likeliest.tolist())) == len(present) > 1 and right < 0.5 and renamed > max(0.8, 2 * right):
        raise InvalidInput(
            f"the labels of {name} and the model's mean the same in another order: {right:.0%} of the answers are "
            f"right, and {renamed:.0%} would be if the names were exchanged",
            hint="id2label in the model's config.json does not have the order the model was trained with",
            code="labels_mismatch",
        )


def _multiple(data: Labelled, manifest: Manifest, metric: str) -> _Reader:
    places = align(data, manifest.labels)
    wanted = np.zeros((len(data.examples), len(manifest.labels)), bool)
    for row, example in enumerate(data.examples):
        wanted[row, [places[label] for label in example.labels]] = True
    which = 0 if metric == "micro-f1" else 1

    def answers(predictions: Sequence[Prediction]) -> Answers:
        chosen = [set(cast(Classification, p).labels or ()) for p in predictions]
        got = np.array([[label in names for label in manifest.labels] for names in chosen])
        return Answers(got, [tuple(sorted(names)) for names in chosen])

    return answers, lambda table, rows: metrics.multi_label_f1(wanted[rows], cast(metrics.Flags, table)[rows])[which]


def _number(data: Labelled, manifest: Manifest, metric: str) -> _Reader:
    wanted = np.array([e.score for e in data.examples], np.float64)

    def answers(predictions: Sequence[Prediction]) -> Answers:
        if manifest.task != "feature-extraction":
            return Answers(np.array([cast(Classification | Score, p).score for p in predictions]), None)
        vectors = np.array([cast(Embedding, p).vector for p in predictions], np.float64)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return Answers((vectors[0::2] * vectors[1::2]).sum(1), None)

    return answers, lambda table, rows: metrics.spearman(wanted[rows], cast(metrics.Numbers, table)[rows])


def _entities(data: Labelled, manifest: Manifest, metric: str) -> _Reader:
    names = entity_labels(manifest.labels)
    places = align(data, names)
    wanted = [{(e.start, e.end, names[places[e.label]]) for e in x.entities} for x in data.examples]
    unjudged = [
        set() if x.annotated is None else set(names) - {names[places[label]] for label in x.annotated}
        for x in data.examples
    ]

    def answers(predictions: Sequence[Prediction]) -> Answers:
        got = [{(e.start, e.end, e.label) for e in cast(Tagging, p).entities} for p in predictions]
        judged = [{e for e in spans if e[2] not in out} for spans, out in zip(got, unjudged, strict=True)]
        return Answers(metrics.entity_counts(wanted, judged), [tuple(sorted(spans)) for spans in got])

    return answers, lambda table, rows: metrics.entity_f1(cast(metrics.Integers, table)[rows])


def _spans(data: Labelled, manifest: Manifest, metric: str) -> _Reader:
    figure = metrics.exact_match if metric == "exact-match" else metrics.token_f1

    def answers(predictions: Sequence[Prediction]) -> Answers:
        found = [cast(Answer, p) for p in predictions]
        table = np.array([figure(e.answers, a.answer) for e, a in zip(data.examples, found, strict=True)])
        return Answers(table, [(a.start, a.end) for a in found])

    return answers, lambda table, rows: float(cast(metrics.Numbers, table)[rows].mean())


_READERS: dict[Kind, Callable[[Labelled, Manifest, str], _Reader]] = {
    "single_label": _single,
    "multi_label": _multiple,
    "regression": _number,
    "tagging": _entities,
    "question_answering": _spans,
}
