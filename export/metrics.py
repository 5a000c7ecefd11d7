"""Figures of quality, from labels that were wanted and labels that came out. Pure numpy.

Each takes arrays with one row per example, so that a resample is an index: `macro_f1(wanted[rows], got[rows])`.
"""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
Numbers = NDArray[np.float64]
Statistic = Callable[[Rows], float]

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = frozenset(string.punctuation)
_HAN = re.compile(r"([\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])")


def accuracy(wanted: Integers, got: Integers) -> float:
    """Share of equal labels. Shape: `[n]`, `[n]`."""
    return float(np.mean(wanted == got))


def macro_f1(wanted: Integers, got: Integers) -> float:
    """Mean over classes of the harmonic mean of precision and recall; classes in neither array do not count.

    Shape: `[n]`, `[n]`, class indices from 0.
    """
    classes = int(max(wanted.max(), got.max())) + 1
    hits = np.bincount(wanted[wanted == got], minlength=classes)
    support = np.bincount(wanted, minlength=classes) + np.bincount(got, minlength=classes)
    present = support > 0
    return float(np.mean(2 * hits[present] / support[present]))


def multi_label_f1(wanted: Flags, got: Flags) -> tuple[float, float]:
    """Micro and macro F1 of several labels at once; a label that is nowhere counts 0 in the macro average.

    Shape: `[n, labels]`, `[n, labels]`.
    """
    hits = (wanted & got).sum(0)
    support = wanted.sum(0) + got.sum(0)
    each = np.divide(2 * hits, support, out=np.zeros(len(hits)), where=support > 0)
    return float(2 * hits.sum() / max(int(support.sum()), 1)), float(each.mean())


def entity_counts(
    wanted: Sequence[Collection[tuple[int, int, str]]], got: Sequence[Collection[tuple[int, int, str]]]
) -> Integers:
    """Entities found, wanted and given out, for each text; found means same start, same end, same label.

    Shape: n texts -> `[n, 3]`.
    """
    rows = [(len(set(w) & set(g)), len(set(w)), len(set(g))) for w, g in zip(wanted, got, strict=True)]
    return np.array(rows, np.int64).reshape(-1, 3)


def entity_f1(counts: Integers) -> float:
    """Micro F1 of exact spans (as the CoNLL-2003 task scores) from `entity_counts`; 0 where there is no entity.

    Shape: `[n, 3]`.
    """
    hits, wanted, got = counts.sum(0)
    return float(2 * hits / (wanted + got)) if wanted + got else 0.0


def ranks(values: Numbers) -> Numbers:
    """Ranks from 1, ties at their mean rank. Shape: `[n]` -> `[n]`."""
    _, position, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((last - (count - 1) / 2)[position], np.float64)


def spearman(wanted: Numbers, got: Numbers) -> float:
    """Spearman's rank correlation, -1 to 1; 0 where one side is constant. Shape: `[n]`, `[n]`."""
    a, b = ranks(wanted), ranks(got)
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale else 0.0


def auroc(positive: Flags, scores: Numbers) -> float:
    """Area under the ROC curve: how often a positive scores above a negative, ties counting half (Mann-Whitney).

    Shape: `[n]`, `[n]`.

    Raises:
        ValueError: all positive, or none.
    """
    ones = int(positive.sum())
    zeros = len(positive) - ones
    if not ones or not zeros:
        raise ValueError("AUROC needs examples of both kinds")
    return float((ranks(scores)[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def normalized_answer(text: str) -> list[str]:
    """Words of an answer as SQuAD compares them: lower case, without punctuation and English articles.

    Han characters count as words of their own, as in CMRC 2018.
    """
    kept = "".join(c for c in text.lower() if c not in _PUNCTUATION and not unicodedata.category(c).startswith("P"))
    return _HAN.sub(r" \1 ", _ARTICLES.sub(" ", kept)).split()


def exact_match(wanted: Collection[str], got: str) -> float:
    """1 where the answer equals one of those accepted after normalization, else 0 (Rajpurkar et al., 2016)."""
    return float(any(normalized_answer(answer) == normalized_answer(got) for answer in wanted))


def token_f1(wanted: Collection[str], got: str) -> float:
    """Largest F1 of words shared with an accepted answer (Rajpurkar et al., 2016)."""
    return max(_token_f1(normalized_answer(answer), normalized_answer(got)) for answer in wanted)


def _token_f1(wanted: list[str], got: list[str]) -> float:
    if not wanted or not got:
        return float(wanted == got)
    shared = sum((Counter(wanted) & Counter(got)).values())
    return 2 * shared / (len(wanted) + len(got))


def flips(first: Sequence[object], second: Sequence[object]) -> int:
    """How many examples have another result in the second run."""
    return sum(a != b for a, b in zip(first, second, strict=True))


@dataclass(frozen=True)
class Interval:
    """A bootstrap interval: `low` to `high` holds the difference with probability `level`."""

    low: float
    high: float
    level: float


def paired_interval(
    first: Statistic, second: Statistic, examples: int, *, level: float = 0.95, resamples: int = 1000, seed: int = 0
) -> Interval:
    """Percentile interval of `second - first` when both are measured on the same resampled examples.

    Pairing takes out what both share, the difficulty of the examples (Efron and Tibshirani, 1993, chapter 13).

    Args:
        first, second: the figure on given rows (repeats allowed).
        examples: how many rows there are.
    """
    random = np.random.default_rng(seed)
    differences = np.empty(resamples)
    for i in range(resamples):
        rows = random.integers(0, examples, examples)
        differences[i] = second(rows) - first(rows)
    low, high = np.quantile(differences, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level)
