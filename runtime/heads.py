"""Arrays of a graph -> typed predictions. Pure numpy."""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .manifest import Activation, Problem, ZeroShot
from .results import Answer, Candidate, Classification, Embedding, Entity, Mask, Score, Tagging
from .tokens import Window, spans

Floats = NDArray[np.float32]

_LONGEST_ANSWER = 30
"""Most tokens of an answer, as in BERT's SQuAD script (Devlin et al., 2018) and transformers' default twice over."""
_MULTI_LABEL_THRESHOLD = 0.5


def softmax(logits: Floats) -> NDArray[np.float64]:
    """Over the last axis, in double precision."""
    shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    exponents = np.exp(shifted)
    return np.asarray(exponents / exponents.sum(-1, keepdims=True))


def unit_length(vector: Floats) -> Floats:
    """A vector of length one. Shape: `[D]` -> `[D]`.

    Done here and not in the graph, for the reason given at `encoder.pooled`.
    """
    length = np.sqrt(np.square(vector).sum())
    return np.asarray(vector / np.maximum(length, np.float32(1e-12)))


def embedding(vector: Floats, truncated: bool, *, normalized: bool) -> Embedding:
    """Shape: vector `[D]`."""
    return Embedding(unit_length(vector) if normalized else vector, truncated)


def sigmoid(logits: Floats) -> NDArray[np.float64]:
    """Elementwise, in double precision."""
    return np.asarray(1 / (1 + np.exp(-logits.astype(np.float64))))


def classification(
    logits: Floats,
    labels: Sequence[str],
    problem: Problem,
    thresholds: Sequence[float] | None = None,
    *,
    truncated: bool,
    out_of_scope: float | None = None,
) -> Classification:
    """A text's class. `thresholds`, one for each label, are the least probabilities of a multi-label model's labels.

    Shape: logits `[labels]`.
    """
    if problem == "single_label":
        scores = softmax(logits)
    elif problem == "multi_label":
        scores = sigmoid(logits)
    else:
        scores = logits.astype(np.float64)
    best = int(scores.argmax())
    chosen = None
    if problem == "multi_label":
        least = [_MULTI_LABEL_THRESHOLD] * len(labels) if thresholds is None else thresholds
        chosen = tuple(label for label, s, t in zip(labels, scores, least, strict=True) if s >= t)
    by_label = dict(zip(labels, map(float, scores), strict=True))
    return Classification(labels[best], float(scores[best]), by_label, chosen, out_of_scope, truncated)


def zero_shot(
    logits: Floats, labels: Sequence[str], settings: ZeroShot, *, multi_label: bool, truncated: bool
) -> Classification:
    """Which label's hypothesis a text entails (Yin et al., 2019, arXiv:1909.00161), as transformers' pipeline has it.

    Where one label fits, the labels compete by their entailment; where several may, each label's entailment competes
    with its contradiction alone.

    Shape: logits `[labels given, labels of the model]`.
    """
    entailed = logits[:, settings.entailment]
    if multi_label and settings.contradiction is not None:
        scores = softmax(np.stack([logits[:, settings.contradiction], entailed], axis=1))[:, 1]
    else:
        scores = softmax(entailed)
    best = int(scores.argmax())
    by_label = dict(zip(labels, map(float, scores), strict=True))
    chosen = tuple(label for label, s in by_label.items() if s >= _MULTI_LABEL_THRESHOLD) if multi_label else None
    return Classification(labels[best], float(scores[best]), by_label, labels=chosen, truncated=truncated)


def score(logits: Floats, activation: Activation, *, truncated: bool) -> Score:
    """How well a pair goes together, by a model of pairs. Shape: logits `[1]`."""
    value = sigmoid(logits) if activation == "sigmoid" else logits
    return Score(float(value[0]), truncated)


def similarity(one: Floats, other: Floats, *, truncated: bool) -> Score:
    """Cosine of two embeddings, in double precision. Shape: `[D]`, `[D]`."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    return Score(float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12)), truncated)


def filling(logits: Floats, places: Sequence[tuple[int, int]], top_k: int, token: Callable[[int], str]) -> list[Mask]:
    """The most probable tokens of each mask, best first; among equals the lower id first.

    Args:
        logits: one row for each mask.
        places: first and last code point of each mask in the text.
        top_k: most candidates of a mask.
        token: text of a token id.

    Shape: logits `[masks, vocabulary]`.
    """
    found = []
    for row, (start, end) in zip(logits, places, strict=True):
        probabilities = softmax(row)
        best = np.argsort(-probabilities, kind="stable")[:top_k]
        found.append(Mask(start, end, tuple(Candidate(token(int(i)), float(probabilities[i])) for i in best)))
    return found


def tagging(text: str, windows: Sequence[Window], logits: Sequence[Floats], labels: Sequence[str]) -> Tagging:
    """Entities from the token labels of a text's windows. Shape: each of logits `[tokens, labels]`, as the window."""
    kept = list(spans(windows))
    scores = np.concatenate(
        [softmax(x[w.content][s]) for x, w, s in zip(logits, windows, kept, strict=True)], dtype=np.float64
    )
    offsets = np.concatenate([w.offsets[s] for w, s in zip(windows, kept, strict=True)])
    words = np.concatenate([w.words[s] for w, s in zip(windows, kept, strict=True)])
    scheme = _has_scheme(labels)
    entities: list[Entity] = []
    current: _Open | None = None
    for word in words_of(text, offsets, words):
        best = int(scores[word[0]].argmax())
        prefix, kind = _split(labels[best], scheme)
        start, end = int(offsets[word[0], 0]), int(offsets[word[-1], 1])
        if current is not None and (not current.continues(prefix, kind)):
            entities.append(current.close(text))
            current = None
        if kind is None:
            continue
        if current is None:
            current = _Open(kind, start, end, [], prefix)
        current.end, current.prefix = end, prefix
        current.scores.append(float(scores[word[0], best]))
    if current is not None:
        entities.append(current.close(text))
    return Tagging(tuple(e for e in entities if e.end > e.start))


@dataclass
class _Open:
    """An entity that further words may still join."""

    kind: str
    start: int
    end: int
    scores: list[float]
    prefix: str

    def continues(self, prefix: str, kind: str | None) -> bool:
        return kind == self.kind and prefix in "IEL" and self.prefix not in ("E", "L", "S", "U")

    def close(self, text: str) -> Entity:
        start, end = self.start, self.end
        while start < end and text[start].isspace():  # sentencepiece tokens may include the space before a word
            start += 1
        return Entity(start, end, text[start:end], self.kind, float(np.mean(self.scores)))


def _split(label: str, scheme: bool) -> tuple[str, str | None]:
    """A token label as scheme prefix and entity label; without a scheme every label continues itself."""
    if label == "O":
        return "O", None
    if scheme:
        return label[0], label[2:]
    return "I", label


def _has_scheme(labels: Sequence[str]) -> bool:
    """Whether the labels follow IOB, BIO, BIOES or BILOU: all but O have a prefix."""
    return all(x == "O" or (len(x) > 2 and x[1] in "-_" and x[0] in "BIESLU") for x in labels)


def words_of(text: str, offsets: NDArray[np.int64], words: NDArray[np.int64]) -> list[list[int]]:
    """Tokens grouped into words; a word takes the label of its first token, as taggers are trained.

    Pre-tokenizers of models without spaces between words (sentencepiece on Chinese) call a whole sentence a word, so a
    token continues a word only where it goes on in the middle of letters or digits of a script that uses spaces.
    """
    result: list[list[int]] = []
    for i, (start, end) in enumerate(offsets.tolist()):
        if result:
            previous = result[-1][-1]
            joined = words[i] == words[previous] and offsets[previous, 1] == start and end > start > 0
            if (
                start < offsets[previous, 1]
            ):  # tokens that share a code point: bytes of an emoji, a ligature taken apart
                result[-1].append(i)
                continue
            if joined and _inside_word(text[start - 1], text[start]):
                result[-1].append(i)
                continue
            if start == end or (joined and unicodedata.combining(text[start])):
                result[-1].append(i)
                continue
        result.append([i])
    return result


def _inside_word(left: str, right: str) -> bool:
    return all(c.isalnum() and not _unspaced(c) for c in (left, right))


_UNSPACED = ((0x0E00, 0x109F), (0x1780, 0x17FF), (0x3040, 0x9FFF), (0x20000, 0x3FFFF))


def _unspaced(character: str) -> bool:
    """Scripts written without spaces between words: Thai to Myanmar, Khmer, Kana, Han."""
    code = ord(character)
    return (
        0x0E00 <= code <= 0x109F or 0x1780 <= code <= 0x17FF or 0x3040 <= code <= 0x9FFF or 0x20000 <= code <= 0x3FFFF
    )


def answer(context: str, windows: Sequence[Window], logits: Sequence[Floats]) -> Answer:
    """The best span over all windows of a context. Shape: each of logits `[tokens, 2]`, start and end.

    Spans compete by the sum of their start and end logits across windows (Devlin et al., 2018); the score is the
    product of the start's and the end's probability among all content tokens of all windows.
    """
    if not context.strip() or all(len(w.content) == 0 for w in windows):
        return Answer("", 0, 0, 0.0, truncated=any(w.truncated for w in windows))
    content = [x[w.content].astype(np.float64) for x, w in zip(logits, windows, strict=True)]
    every = np.concatenate(content)
    norms = np.logaddexp.reduce(every, axis=0)
    best, span = -np.inf, (0, 0)
    for values, window in zip(content, windows, strict=True):
        for length in range(min(_LONGEST_ANSWER, len(values))):
            totals = values[: len(values) - length, 0] + values[length:, 1]
            start = int(totals.argmax())
            if totals[start] > best:
                best = float(totals[start])
                span = int(window.offsets[start, 0]), int(window.offsets[start + length, 1])
    start, end = span
    while start < end and context[start].isspace():
        start += 1
    score = float(np.exp(best - norms.sum()))
    return Answer(context[start:end], start, end, score, truncated=windows[0].truncated)
