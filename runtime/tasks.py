"""What a task reads and answers: texts become tokens, and the graph's outputs for them become predictions.

Between the two lies the run, which is the engine's own or the scheduler's: neither knows of tasks.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import InvalidInput, Unsupported
from . import heads
from .linear import out_of_scope
from .manifest import Manifest
from .packing import Tokens
from .results import Filling, Prediction
from .tokens import Input, TextTokenizer, Window, validated

Floats = NDArray[np.float32]

TOP_K = 5
"""Candidates of a mask unless a request says otherwise, as in transformers' pipeline."""
MOST_LABELS = 256
"""Most labels of a zero-shot request: each costs a run for each text."""


@dataclass(frozen=True, repr=False)
class Prepared:
    """Inputs ready to run.

    Attributes:
        tokens: what the graph reads; a text may need several (windows).
        finish: outputs for `tokens`, in their order, to one prediction per input.
    """

    tokens: list[Tokens]
    finish: Callable[[Sequence[Floats]], list[Prediction]]

    def __repr__(self) -> str:
        return f"<Prepared {len(self.tokens)} to run>"


@dataclass(frozen=True, repr=False)
class Wanted:
    """What a request asks for beside its texts.

    Attributes:
        truncate: answer a text over the window from its beginning instead of refusing it.
        labels: for zero-shot classification each label and what stands for it in the hypothesis.
        top_k: for fill-mask the most candidates of a mask.
    """

    truncate: bool = False
    labels: Mapping[str, str] | None = None
    top_k: int = TOP_K


def labelled(labels: Sequence[str] | None) -> dict[str, str] | None:
    """Labels of a request, each standing for itself.

    Raises:
        InvalidInput: not a list of different, non-empty texts, none at all, or more than `MOST_LABELS`.
    """
    if labels is None:
        return None
    if isinstance(labels, str | bytes) or not isinstance(labels, Sequence):
        raise InvalidInput("labels are not a list of texts", hint='pass labels=["one", "two"]')
    if not labels:
        raise InvalidInput("the list of labels is empty", hint="pass at least one label")
    if len(labels) > MOST_LABELS:
        raise InvalidInput(f"there are more than {MOST_LABELS} labels", hint="every label costs a run for every text")
    if not all(isinstance(label, str) and label.strip() for label in labels):
        raise InvalidInput("a label is empty or no text", hint="labels are words or short phrases")
    if len({label.strip() for label in labels}) != len(labels):
        raise InvalidInput("a label occurs twice", hint="pass each label once")
    validated(labels)
    return {label: label for label in labels}


def prepare(manifest: Manifest, tokenizer: TextTokenizer, texts: Sequence[object], wanted: Wanted) -> Prepared:
    """Tokenize inputs for a bundle's task.

    Raises:
        InputTooLong: a text is over the window and `truncate` is off.
        InvalidInput: not a list of texts or pairs, a text that is not valid Unicode, a pair where the task reads single
            texts (or the other way round), labels for a task that takes none or none for one that does, or a text
            without a mask.
    """
    inputs = validated(texts)
    zero_shot = manifest.zero_shot
    if wanted.labels is not None and zero_shot is None:
        raise InvalidInput("labels were given to a bundle that takes none", hint="only zero-shot bundles take labels")
    if wanted.labels is None and zero_shot is not None:
        raise InvalidInput("no labels were given", hint='pass labels=["one", "two"] (--labels one,two)')
    if wanted.top_k < 1:
        raise InvalidInput("top_k is below 1", hint="ask for at least one candidate")
    if not inputs:
        return Prepared([], lambda outputs: [])
    truncate = wanted.truncate
    match manifest.task:
        case "text-classification":
            return _classify(manifest, tokenizer, inputs, truncate)
        case "feature-extraction":
            return _embed(manifest, tokenizer, inputs, truncate)
        case "token-classification":
            return _tag(manifest, tokenizer, inputs)
        case "question-answering":
            return _answer(tokenizer, inputs, truncate)
        case "zero-shot-classification":
            return _zero_shot(manifest, tokenizer, inputs, wanted)
        case "fill-mask":
            return _fill(tokenizer, inputs, wanted)
        case "text-ranking":
            return _score(manifest, tokenizer, inputs, truncate)
        case "sentence-similarity":
            compare = _score if manifest.pooling is None else _compare
            return compare(manifest, tokenizer, inputs, truncate)
        case _:
            raise Unsupported(
                "a model that writes text has no predictions of this kind", hint="use generate", code="task_unsupported"
            )


def _classify(manifest: Manifest, tokenizer: TextTokenizer, inputs: list[Input], truncate: bool) -> Prepared:
    tokens, cut = tokenizer.encode(inputs, truncate=truncate)
    problem = manifest.problem or "single_label"
    count = len(manifest.labels)
    scope = manifest.head.out_of_scope if manifest.head else None

    def finish(outputs: Sequence[Floats]) -> list[Prediction]:
        return [
            heads.classification(
                output[:count],
                manifest.labels,
                problem,
                manifest.thresholds,
                truncated=t,
                out_of_scope=None if scope is None else out_of_scope(output, scope),
            )
            for output, t in zip(outputs, cut, strict=True)
        ]

    return Prepared(tokens, finish)


def _zero_shot(manifest: Manifest, tokenizer: TextTokenizer, inputs: list[Input], wanted: Wanted) -> Prepared:
    settings, given = manifest.zero_shot, wanted.labels
    if settings is None or given is None:
        raise ValueError("prepare() lets neither through")
    texts = [_single(item, index, "zero-shot classification") for index, item in enumerate(inputs)]
    hypotheses = [settings.template.replace("{}", wording) for wording in given.values()]
    pairs: list[Input] = [(text, hypothesis) for text in texts for hypothesis in hypotheses]
    tokens, cut = tokenizer.encode(pairs, truncate=wanted.truncate)
    count, several = len(hypotheses), manifest.problem == "multi_label"

    def finish(outputs: Sequence[Floats]) -> list[Prediction]:
        return [
            heads.zero_shot(
                np.stack(outputs[start : start + count]),
                list(given),
                settings,
                multi_label=several,
                truncated=any(cut[start : start + count]),
            )
            for start in range(0, len(pairs), count)
        ]

    return Prepared(tokens, finish)


def _fill(tokenizer: TextTokenizer, inputs: list[Input], wanted: Wanted) -> Prepared:
    texts = [_single(item, index, "fill-mask") for index, item in enumerate(inputs)]
    found = tokenizer.masks(texts, truncate=wanted.truncate)

    def finish(outputs: Sequence[Floats]) -> list[Prediction]:
        return [
            Filling(tuple(heads.filling(logits, places, wanted.top_k, tokenizer.token)), cut)
            for logits, (_, places, cut) in zip(outputs, found, strict=True)
        ]

    return Prepared([tokens for tokens, _, _ in found], finish)


def _score(manifest: Manifest, tokenizer: TextTokenizer, inputs: list[Input], truncate: bool) -> Prepared:
    pairs: list[Input] = [_pair(item, index, manifest.task) for index, item in enumerate(inputs)]
    tokens, cut = tokenizer.encode(pairs, truncate=truncate)

    def finish(outputs: Sequence[Floats]) -> list[Prediction]:
        return [heads.score(logits, manifest.activation, truncated=t) for logits, t in zip(outputs, cut, strict=True)]

    return Prepared(tokens, finish)


def _compare(manifest: Manifest, tokenizer: TextTokenizer, inputs: list[Input], truncate: bool) -> Prepared:
    """Both texts of a pair by the same encoder; a text that several pairs have runs once."""
    pairs = [_pair(item, index, manifest.task) for index, item in enumerate(inputs)]
    places = {text: place for place, text in enumerate(dict.fromkeys(text for pair in pairs for text in pair))}
    tokens, cut = tokenizer.encode(list(places), truncate=truncate)

    def finish(outputs: Sequence[Floats]) -> list[Prediction]:
        both = [(places[one], places[other]) for one, other in pairs]
        return [heads.similarity(outputs[a], outputs[b], truncated=cut[a] or cut[b]) for a, b in both]

    return Prepared(tokens, finish)


def _embed(manifest: Manifest, tokenizer: TextTokenizer, inputs: list[Input], truncate: bool) -> Prepared:
    tokens, cut = tokenizer.encode(inputs, truncate=truncate)

    def finish(outputs: Sequence[Floats]) -> list[Prediction]:
        return [heads.embedding(v, t, normalized=manifest.normalized) for v, t in zip(outputs, cut, strict=True)]

    return Prepared(tokens, finish)


def _tag(manifest: Manifest, tokenizer: TextTokenizer, inputs: list[Input]) -> Prepared:
    """Pairs are tagged in their first text: the second says what the first is tagged for (a predicate, a question)."""
    pairs = [(item, None) if isinstance(item, str) else item for item in inputs]
    texts = [text for text, _ in pairs]
    windows = [tokenizer.windows(text, index, second) for index, (text, second) in enumerate(pairs)]

    def finish(outputs: Sequence[Floats]) -> list[Prediction]:
        return [
            heads.tagging(text, parts, logits, manifest.labels)
            for text, parts, logits in zip(texts, windows, _by_text(windows, outputs), strict=True)
        ]

    return Prepared([w.tokens for parts in windows for w in parts], finish)


def _answer(tokenizer: TextTokenizer, inputs: list[Input], truncate: bool) -> Prepared:
    pairs = [_pair(item, index, "question-answering") for index, item in enumerate(inputs)]
    windows = [tokenizer.pair_windows(*pair, i, truncate=truncate) for i, pair in enumerate(pairs)]

    def finish(outputs: Sequence[Floats]) -> list[Prediction]:
        return [
            heads.answer(context, parts, logits)
            for (_, context), parts, logits in zip(pairs, windows, _by_text(windows, outputs), strict=True)
        ]

    return Prepared([w.tokens for parts in windows for w in parts], finish)


def _by_text(windows: list[list[Window]], outputs: Sequence[Floats]) -> list[list[Floats]]:
    flat = iter(outputs)
    return [[next(flat) for _ in parts] for parts in windows]


def _single(item: Input, index: int, task: str) -> str:
    if isinstance(item, str):
        return item
    raise InvalidInput(f"input {index} is a pair", hint=f"{task} reads single texts")


_PAIRS = {
    "question-answering": "question answering reads pairs: (question, context)",
    "text-ranking": "ranking reads pairs: (query, document)",
    "sentence-similarity": "similarity reads pairs: (text, other text)",
}


def _pair(item: Input, index: int, task: str) -> tuple[str, str]:
    if isinstance(item, tuple):
        return item
    raise InvalidInput(f"input {index} is a single text", hint=_PAIRS[task])
