"""The gate: outputs of a bundle's variant against the source model in PyTorch, and the limits on their difference."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .. import DriftError, ExportError
from ..runtime.encoder import Encoder
from ..runtime.heads import softmax
from ..runtime.manifest import Pooling
from ..runtime.measured import Parity
from ..runtime.packing import Tokens
from .original import Floats, outputs, tokenized
from .source import Source, Text


@dataclass(frozen=True)
class Limits:
    """What a variant may lose; a figure outside refuses the export.

    Attributes:
        cosine_mean, cosine_min: least cosine of output vectors.
        relative_error: largest `max |difference| / max |reference|` over all outputs.
        probability_shift: largest mean change of the most probable label's probability.
    """

    cosine_mean: float
    cosine_min: float
    relative_error: float
    probability_shift: float


# fp32: rounding of other kernels, nothing else. int8: room above what the families in tests/ and MiniLM lose (mean
# .9985, least .994), and well above what one activation scale for a whole batch costs (mean .94, least .88).
LIMITS = {
    "fp32": Limits(cosine_mean=0.99999, cosine_min=0.9999, relative_error=1e-3, probability_shift=1e-4),
    "int8": Limits(cosine_mean=0.99, cosine_min=0.95, relative_error=0.25, probability_shift=0.05),
    "int4": Limits(cosine_mean=0.97, cosine_min=0.90, relative_error=0.40, probability_shift=0.10),
    "fp16": Limits(cosine_mean=0.9999, cosine_min=0.999, relative_error=2e-2, probability_shift=5e-3),
}


def reference(source: Source, texts: Sequence[Text]) -> list[Floats]:
    """Outputs of the source model, one text at a time, without any padding or batch.

    Shape: as `Engine.forward`: `[D]` or `[labels]` per text, `[n, labels]` or `[n, 2]` per token, `[m, vocabulary]` per
    mask token.
    """
    try:
        rows = [outputs(source, tokens) for tokens in tokenized(source, texts)]
    except (IndexError, RuntimeError, ValueError, AttributeError, TypeError) as error:
        raise ExportError(
            f"the source model itself fails on texts of up to {source.window} tokens",
            hint="the tokenizer's model_max_length or the config's max_position_embeddings is wrong",
            code="source_fails",
        ) from error
    return [_finished(source, one) for one in rows]


def forward(source: Source, tokens: Tokens) -> Floats:
    """Output of the source model for one text that is tokenized already. Shape: as `reference`."""
    return _finished(source, outputs(source, tokens))


def _finished(source: Source, rows: Floats) -> Floats:
    pooled = _pooled(rows, source.pooling)
    return pooled if source.dense is None else source.dense(pooled)


def _pooled(rows: Floats, pooling: Pooling | None) -> Floats:
    match pooling:
        case None:
            return rows
        case "mean":
            return np.asarray(rows.mean(0))
        case "max":
            return np.asarray(rows.max(0))
        case "cls":
            return np.asarray(rows[0])
        case "last":
            return np.asarray(rows[-1])


def run(source: Source, encoder: Encoder, texts: Sequence[Text], tokens: Sequence[Tokens]) -> list[Floats]:
    """Outputs of an exported graph, as `reference` gives the model's.

    Args:
        source: the model.
        encoder: the graph.
        texts: probe texts.
        tokens: the same, tokenized.

    Raises:
        ExportError: the graph fails on inputs that the model takes, such as texts and pairs in one batch for heads that
            count end-of-text tokens (BART's).
    """
    try:
        encoder.forward(_pair_and_text(texts, tokens))
        return encoder.forward(tokens)
    except Exception as error:
        raise ExportError(
            f"the graph of model type {source.config.model_type} fails on texts or pairs that the model takes",
            hint="try another --task: its head for this one cannot be exported for every input",
            code="graph_fails",
        ) from error


def _pair_and_text(texts: Sequence[Text], tokens: Sequence[Tokens]) -> list[Tokens]:
    """The shortest pair and a text cut to its length, which always run as one group; nothing where there is neither."""
    pairs = [t for text, t in zip(texts, tokens, strict=True) if not isinstance(text, str)]
    singles = [t for text, t in zip(texts, tokens, strict=True) if isinstance(text, str)]
    if not pairs or not singles:
        return []
    pair, single = min(pairs, key=len), max(singles, key=len)
    if len(single) < len(pair):
        return []
    kept = [*range(len(pair) - 1), len(single) - 1]  # what ends a text stays
    return [pair, Tokens(single.ids[kept], None if single.types is None else single.types[kept])]


def same_tokens(source: Source, texts: Sequence[Text], tokens: Sequence[Tokens]) -> None:
    """Cloister's tokenization must be the source's, token for token.

    Raises:
        ExportError: it is not.
    """
    for text, ours in zip(texts, tokens, strict=True):
        pair = (text,) if isinstance(text, str) else text
        theirs = cast(Any, source.tokenizer)(*pair, truncation="longest_first", max_length=source.window)
        if theirs["input_ids"] != ours.ids.tolist():
            raise ExportError(
                "the tokenizer gives other tokens outside transformers",
                hint="save it with a recent transformers (tokenizer.save_pretrained) and export again",
                code="tokenizer_mismatch",
            )


def compare(source: Source, wanted: Sequence[Floats], got: Sequence[Floats]) -> Parity:
    """Figures of the difference between two runs over the same texts."""
    ours = [np.atleast_2d(g).astype(np.float64) for g in got]
    theirs = [np.atleast_2d(w).astype(np.float64) for w in wanted]
    rows = list(zip(theirs, ours, strict=True))
    if all(a.size == 1 for a in theirs):  # a score has no direction of its own: all of them together have
        rows = [(np.concatenate(theirs), np.concatenate(ours))]
    cosines = np.array([_cosine(a.ravel(), b.ravel()) for a, b in rows])
    error = max(float(np.abs(a - b).max(initial=0.0)) for a, b in zip(theirs, ours, strict=True))
    agreement, shift = _labels(source, theirs, ours)
    return Parity(
        samples=len(wanted),
        cosine_min=float(cosines.min()),
        cosine_mean=float(cosines.mean()),
        max_abs_error=error,
        label_agreement=agreement,
        mean_probability_shift=shift,
    )


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12))


def _labels(
    source: Source, wanted: list[NDArray[np.float64]], got: list[NDArray[np.float64]]
) -> tuple[float | None, float | None]:
    if source.head != "masked" and (not source.labels or source.problem == "regression"):
        return None, None
    a, b = np.concatenate(wanted), np.concatenate(got)
    if source.problem == "multi_label":
        pa, pb = 1 / (1 + np.exp(-a)), 1 / (1 + np.exp(-b))
        return float(((pa >= 0.5) == (pb >= 0.5)).mean()), float(np.abs(pa - pb).mean())
    pa, pb = softmax(a.astype(np.float32)), softmax(b.astype(np.float32))
    best = pa.argmax(1)
    rows = np.arange(len(best))
    return float((best == pb.argmax(1)).mean()), float(np.abs(pa[rows, best] - pb[rows, best]).mean())


def gate(parity: Parity, wanted: Sequence[Floats], precision: str) -> None:
    """Refuse a variant that drifted past the limits of its precision.

    Raises:
        DriftError: the first figure that is out of its limit.
    """
    limits = LIMITS[precision]
    largest = max(float(np.abs(w).max(initial=0.0)) for w in wanted)
    relative = parity.max_abs_error / max(largest, 1e-6)
    shift = parity.mean_probability_shift or 0.0
    problems = [
        (not parity.cosine_mean >= limits.cosine_mean, f"mean cosine {parity.cosine_mean:.5f}", limits.cosine_mean),
        (not parity.cosine_min >= limits.cosine_min, f"least cosine {parity.cosine_min:.5f}", limits.cosine_min),
        (not relative <= limits.relative_error, f"relative error {relative:.4f}", limits.relative_error),
        (not shift <= limits.probability_shift, f"mean probability shift {shift:.4f}", limits.probability_shift),
    ]
    for failed, figure, limit in problems:
        if failed:
            raise DriftError(
                f"the {precision} graph drifts from the source model: {figure}, the limit is {limit}",
                hint="give texts of your domain with --calibration, or export with --precision fp32",
                code="parity_failed",
            )
