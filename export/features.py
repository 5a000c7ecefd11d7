"""Labelled data -> what a model is trained on: token ids with targets. The tokens are those the bundle will see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..runtime import heads
from ..runtime.packing import Tokens
from ..runtime.tokens import TextTokenizer, Window
from .labelled import Entity, Example, Labelled

IGNORED = -100
"""Target of a token that counts for nothing, as torch's cross-entropy has it."""

Feature = dict[str, Any]


@dataclass(frozen=True, repr=False)
class Features:
    """What goes into training or evaluation.

    Attributes:
        rows: each `{"input_ids": [n], "token_type_ids": [n]?, "labels": …}`.
        windows: for tagging the windows of each text; empty otherwise.
        truncated: examples cut to the model's window.
        partial: the labels that a target past the last label allows, from the first such target on.
    """

    rows: list[Feature]
    windows: list[list[Window]]
    truncated: int = 0
    partial: tuple[tuple[int, ...], ...] = ()

    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return [len(row["input_ids"]) for row in self.rows]


def bio(entities: Sequence[str]) -> list[str]:
    """Token labels of entity labels: O, and B- and I- of each."""
    return ["O", *(f"{prefix}-{label}" for label in entities for prefix in "BI")]


def classification(data: Labelled, tokenizer: TextTokenizer, labels: Mapping[str, int]) -> Features:
    """One row a text or pair, truncated to the window; the target is an index, a row of 0 and 1, or a number."""
    tokens, cut = tokenizer.encode(data.inputs, truncate=True)
    rows = [
        {**_inputs(one), "labels": _target(data, example, labels)}
        for one, example in zip(tokens, data.examples, strict=True)
    ]
    return Features(rows, [], sum(cut))


def _target(data: Labelled, example: Example, labels: Mapping[str, int]) -> Any:
    if data.kind == "single_label":
        return labels[example.labels[0]]
    if data.kind == "regression":
        return example.score
    chosen = np.zeros(len(set(labels.values())), np.float32)
    chosen[[labels[label] for label in example.labels]] = 1
    return chosen


def tagging(
    data: Labelled, tokenizer: TextTokenizer, labels: Sequence[str], known: Sequence[tuple[int, ...]] = ()
) -> Features:
    """One row a window; each word's first token carries the word's label, as taggers are read.

    Of a pair the first text is tagged, beside the whole second one. An unmarked word of a text in which only some
    labels were looked for may carry any of the others: its target stands for O and all of these. `Features.partial`
    says which, and goes on from `known`, so that several sets of data share their targets.
    """
    index = {label: number for number, label in enumerate(labels)}
    partial = {allowed: len(labels) + number for number, allowed in enumerate(known)}
    rows, every = [], []
    for number, example in enumerate(data.examples):
        text, second = (example.input, None) if isinstance(example.input, str) else example.input
        windows = tokenizer.windows(text, number, second)
        every.append(windows)
        unmarked = index["O"]
        allowed = tuple(i for i, label in enumerate(labels) if label == "O" or not example.judged(label[2:]))
        if len(allowed) > 1:
            unmarked = partial.setdefault(allowed, len(labels) + len(partial))
        for window in windows:
            targets = np.full(len(window.tokens), IGNORED)
            tags = word_tags(text, window, example.entities)
            for word, tag in tags:
                targets[window.content[word[0]]] = unmarked if tag == "O" else index[tag]
            rows.append({**_inputs(window.tokens), "labels": targets})
    return Features(rows, every, partial=tuple(partial))


def word_tags(text: str, window: Window, entities: Sequence[Entity]) -> list[tuple[list[int], str]]:
    """Words of a window, as positions in its content, each with its BIO tag.

    A word belongs to the entity that covers most of it, where spans cut through words.
    """
    result: list[tuple[list[int], str]] = []
    before: Entity | None = None
    for word in heads.words_of(text, window.offsets, window.words):
        start, end = int(window.offsets[word[0], 0]), int(window.offsets[word[-1], 1])
        covered = [(min(end, e.end) - max(start, e.start), e) for e in entities if e.start < end and e.end > start]
        entity = max(covered, key=lambda item: item[0])[1] if covered else None
        # An entity whose beginning lies in an earlier window goes on here.
        inside = entity is not None and (entity == before or (before is None and not result and entity.start < start))
        tag = "O" if entity is None else f"{'I' if inside else 'B'}-{entity.label}"
        result.append((word, tag))
        before = entity
    return result


def language(texts: Sequence[str], tokenizer: TextTokenizer) -> Features:
    """Texts without labels; a long one gives several rows."""
    windows = [window for number, text in enumerate(texts) for window in tokenizer.windows(text, number)]
    return Features([_inputs(window.tokens) for window in windows if len(window.content)], [])


def _inputs(tokens: Tokens) -> Feature:
    inputs: Feature = {"input_ids": tokens.ids}
    if tokens.types is not None:
        inputs["token_type_ids"] = tokens.types
    return inputs


def padded(rows: Sequence[Feature], padding_id: int) -> dict[str, NDArray[Any]]:
    """A batch. Shape: `input_ids`, `attention_mask` and perhaps `token_type_ids` `[B, S]`; targets as the task has."""
    longest = max(len(row["input_ids"]) for row in rows)
    shape = len(rows), longest
    batch: dict[str, NDArray[Any]] = {
        "input_ids": np.full(shape, padding_id, np.int64),
        "attention_mask": np.zeros(shape, np.int64),
    }
    if "token_type_ids" in rows[0]:
        batch["token_type_ids"] = np.zeros(shape, np.int64)
    per_token = "labels" in rows[0] and np.ndim(rows[0]["labels"]) == 1 and _is_integer(rows[0]["labels"])
    if per_token:
        batch["labels"] = np.full(shape, IGNORED, np.int64)
    elif "labels" in rows[0]:
        targets = np.array([row["labels"] for row in rows])
        batch["labels"] = targets.astype(np.int64 if _is_integer(targets) else np.float32)
    for number, row in enumerate(rows):
        size = len(row["input_ids"])
        batch["attention_mask"][number, :size] = 1
        for name in ("input_ids", "token_type_ids", *(["labels"] if per_token else [])):
            if name in batch:
                batch[name][number, :size] = row[name]
    return batch


def _is_integer(values: Any) -> bool:
    return np.issubdtype(np.asarray(values).dtype, np.integer)
