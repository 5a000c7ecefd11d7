"""What a task reads and answers: texts become tokens, and the graph's outputs for them become predictions.

Between the two lies the run, which is the engine's own or the scheduler's: neither knows of tasks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import InvalidInput
from . import heads
from .linear import out_of_scope
from .manifest import Manifest
from .packing import Tokens
from .results import Prediction
from .tokens import Input, TextTokenizer, Window, validated

Floats = NDArray[np.float32]


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


def prepare(manifest: Manifest, tokenizer: TextTokenizer, texts: Sequence[object], *, truncate: bool) -> Prepared:
    """Tokenize inputs for a bundle's task.

    Raises:
        InputTooLong: a text is over the window and `truncate` is off.
        InvalidInput: not a list of texts or pairs, a text that is not valid Unicode, or a pair where the task reads
            single texts (or the other way round).
    """
    inputs = validated(texts)
    if not inputs:
        return Prepared([], lambda outputs: [])
    match manifest.task:
        case "text-classification":
            return _classify(manifest, tokenizer, inputs, truncate)
        case "feature-extraction":
            return _embed(manifest, tokenizer, inputs, truncate)
        case "token-classification":
            return _tag(manifest, tokenizer, inputs)
        case "question-answering":
            return _answer(tokenizer, inputs, truncate)


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
                truncated=t,
                out_of_scope=None if scope is None else out_of_scope(output, scope),
            )
            for output, t in zip(outputs, cut, strict=True)
        ]

    return Prepared(tokens, finish)


def _embed(manifest: Manifest, tokenizer: TextTokenizer, inputs: list[Input], truncate: bool) -> Prepared:
    tokens, cut = tokenizer.encode(inputs, truncate=truncate)

    def finish(outputs: Sequence[Floats]) -> list[Prediction]:
        return [heads.embedding(v, t, normalized=manifest.normalized) for v, t in zip(outputs, cut, strict=True)]

    return Prepared(tokens, finish)


def _tag(manifest: Manifest, tokenizer: TextTokenizer, inputs: list[Input]) -> Prepared:
    texts = [_single(item, index) for index, item in enumerate(inputs)]
    windows = [tokenizer.windows(text, index) for index, text in enumerate(texts)]

    def finish(outputs: Sequence[Floats]) -> list[Prediction]:
        return [
            heads.tagging(text, parts, logits, manifest.labels)
            for text, parts, logits in zip(texts, windows, _by_text(windows, outputs), strict=True)
        ]

    return Prepared([w.tokens for parts in windows for w in parts], finish)


def _answer(tokenizer: TextTokenizer, inputs: list[Input], truncate: bool) -> Prepared:
    pairs = [_pair(item, index) for index, item in enumerate(inputs)]
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


def _single(item: Input, index: int) -> str:
    if isinstance(item, str):
        return item
    raise InvalidInput(f"input {index} is a pair", hint="tagging reads single texts")


def _pair(item: Input, index: int) -> tuple[str, str]:
    if isinstance(item, tuple):
        return item
    raise InvalidInput(f"input {index} is a single text", hint="question answering reads pairs: (question, context)")
