"""What is normal for a model, as histograms: in a bundle, or from the first requests that a service answers.

No text and no digest of a text: how often each label came, how scores and lengths are distributed.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

import msgspec
import numpy as np

from ... import BundleError

_Count = Annotated[int, msgspec.Meta(ge=0)]

OCTAVES = 32
"""Bins of lengths: bin b counts texts of 2^(b-1) to 2^b - 1 characters, bin 0 empty ones, the last one all longer."""

_UNIT_EDGES = [i / 20 for i in range(1, 20)]
NO_LABEL = ""


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Histograms of a model's answers; FORMAT.md describes the file.

    Attributes:
        samples: texts that were answered.
        labels: how often each label came; the empty name counts answers without one. Empty for tasks without labels.
        edges: inner edges of the bins of scores, ascending; a score at an edge belongs to the bin above it.
        scores: texts by score, one bin more than `edges`; both empty for tasks without scores.
        lengths: texts by length in characters, see `OCTAVES`.
    """

    samples: Annotated[int, msgspec.Meta(ge=1)]
    labels: dict[str, _Count]
    edges: list[float]
    scores: list[_Count]
    lengths: list[_Count]


def build(labels: Sequence[Sequence[str]], scores: Sequence[float], lengths: Sequence[int]) -> Reference:
    """Reference from the answers to some texts.

    Args:
        labels: of each text, none to several; empty where the task has no labels.
        scores: of the answers, empty where the task has none.
        lengths: characters of each text.
    """
    counted: Counter[str] = Counter()
    for of_text in labels:
        counted.update(of_text or (NO_LABEL,))
    edges = score_edges(scores) if scores else []
    binned = [0] * (len(edges) + 1) if scores else []
    for score in scores:
        binned[bisect_right(edges, score)] += 1
    octaves = [0] * OCTAVES
    for length in lengths:
        octaves[octave(length)] += 1
    return Reference(samples=len(lengths), labels=dict(counted), edges=edges, scores=binned, lengths=octaves)


def score_edges(scores: Sequence[float]) -> list[float]:
    """Twentieths for probabilities; for unbounded scores (a regression) the twentieths of their distribution."""
    if all(0.0 <= score <= 1.0 for score in scores):
        return list(_UNIT_EDGES)
    quantiles = np.quantile(np.asarray(scores, np.float64), _UNIT_EDGES)
    return sorted({float(q) for q in quantiles})


def octave(length: int) -> int:
    """The bin of a length."""
    return min(length.bit_length(), OCTAVES - 1)


def encode(reference: Reference) -> bytes:
    """The bytes of the file in a bundle."""
    return msgspec.json.encode(reference, order="deterministic") + b"\n"


def decode(data: bytes) -> Reference:
    """Read the file of a bundle.

    Raises:
        BundleError: not such a file, or its parts contradict each other.
    """
    hint = "export the model again"
    try:
        found = msgspec.json.decode(data, type=Reference)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError("the bundle's monitoring reference is invalid", hint=hint) from error
    edges = found.edges
    fits = (
        len(found.scores) == (len(edges) + 1 if found.scores else 0)
        and (bool(found.scores) or not edges)
        and all(a < b for a, b in pairwise(edges))
        and len(found.lengths) == OCTAVES
        and sum(found.lengths) == found.samples
        and sum(found.scores) in (0, found.samples)
    )
    if not fits:
        raise BundleError("the bundle's monitoring reference contradicts itself", hint=hint)
    return found
