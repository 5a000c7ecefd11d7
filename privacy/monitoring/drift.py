"""Labels and scores of a model against a reference: population stability index and Kolmogorov-Smirnov distance.

Both compare histograms, window by window. PSI = sum of (p - q) ln(p / q) over bins; for samples of n and m draws from
one distribution, PSI / (1/n + 1/m) is about chi-square with bins - 1 degrees of freedom (Yurdakul, "Statistical
properties of the population stability index", 2018), and a limit that ignores this fires on small windows alone. The
distance is the largest difference of the cumulative shares at bin edges, at most the true one; its critical value is
sqrt(ln(2/alpha) / 2 · (n + m) / (n m)) (Smirnov, 1948).
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from statistics import NormalDist

from .reference import NO_LABEL, Reference, build
from .thresholds import Thresholds

_BINS = 32
_ALPHA = 1e-6
_DEVIATIONS = NormalDist().inv_cdf(1 - _ALPHA)
_UNSEEN = _BINS - 1


def psi(reference: Sequence[float], seen: Sequence[float]) -> float:
    """Population stability index of two histograms with the same bins; half a count is added to every bin.

    Shape: both `[bins]`, counts.
    """
    m, n = sum(reference) + len(reference) / 2, sum(seen) + len(seen) / 2
    total = 0.0
    for expected, actual in zip(reference, seen, strict=True):
        p, q = (actual + 0.5) / n, (expected + 0.5) / m
        total += (p - q) * math.log(p / q)
    return total


def psi_limit(bins: int, m: int, n: int, effect: float) -> float:
    """`effect`, but never less than what samples of m and n draws from one distribution exceed once in a million times.

    The quantile of chi-square is approximated (Wilson and Hilferty, 1931).
    """
    freedom = max(1, bins - 1)
    spread = 2 / (9 * freedom)
    return max(effect, (1 / n + 1 / m) * freedom * (1 - spread + _DEVIATIONS * math.sqrt(spread)) ** 3)


def ks_distance(reference: Sequence[float], seen: Sequence[float]) -> float:
    """Largest difference of the cumulative shares of two histograms. Shape: both `[bins]`, counts."""
    m, n = sum(reference), sum(seen)
    largest = below = above = 0.0
    for expected, actual in zip(reference, seen, strict=True):
        below += expected / m
        above += actual / n
        largest = max(largest, abs(below - above))
    return largest


def ks_critical(m: int, n: int) -> float:
    """Distance that two samples of m and n draws from one distribution exceed once in a million times."""
    return math.sqrt(math.log(2 / _ALPHA) / 2 * (m + n) / (m * n))


class Learning:
    """Collects the first answers of a model until they make a reference."""

    def __init__(self, samples: int) -> None:
        self._samples = samples
        self._labels: list[tuple[str, ...]] = []
        self._scores: list[float] = []
        self._lengths: list[int] = []

    def add(self, labels: tuple[str, ...] | None, score: float | None, length: int) -> Reference | None:
        """One answer; the reference once there are enough of them."""
        if labels is not None:
            self._labels.append(labels)
        if score is not None and math.isfinite(score):
            self._scores.append(score)
        self._lengths.append(length)
        if len(self._lengths) < self._samples:
            return None
        scores = self._scores if len(self._scores) == len(self._lengths) else []
        return build(self._labels, scores, self._lengths)


class Drift:
    """One model's answers against its reference. Memory and work do not depend on the number of labels or answers.

    The labels of the reference are dealt out to bins in the order of their frequency, so that no bin is rare; of a
    model with fewer labels than bins each has one of its own. Labels that never came in the reference share the last
    bin.

    Attributes:
        shortest, longest: octaves of lengths that are not odd: those of the reference and one more on either side.
    """

    def __init__(self, reference: Reference, thresholds: Thresholds) -> None:
        self.reference = reference
        self._thresholds = thresholds
        seen = Counter({label: count for label, count in reference.labels.items() if count}).most_common()
        self._bins = {label: index % _UNSEEN for index, (label, _) in enumerate(seen)}
        self._labels = [0] * _BINS
        for label, count in reference.labels.items():
            self._labels[self._bins.get(label, _UNSEEN)] += count
        self._seen_labels = [0] * _BINS
        self._seen_scores = [0] * len(reference.scores)
        self._count = 0
        seen_lengths = [octave for octave, count in enumerate(reference.lengths) if count]
        self.shortest, self.longest = seen_lengths[0] - 1, seen_lengths[-1] + 1

    def add(self, labels: tuple[str, ...] | None, score: float | None) -> list[tuple[str, dict[str, float]]]:
        """One answer; at the end of a window, what has drifted, with evidence."""
        if labels is not None:
            for label in labels or (NO_LABEL,):
                self._seen_labels[self._bins.get(label, _UNSEEN)] += 1
        if score is not None and self._seen_scores:
            self._seen_scores[bisect_right(self.reference.edges, score)] += 1
        self._count += 1
        return self._compare() if self._count >= self._thresholds.window else []

    def _compare(self) -> list[tuple[str, dict[str, float]]]:
        found: list[tuple[str, dict[str, float]]] = []
        m, n = sum(self._labels), sum(self._seen_labels)
        if m and n:
            used = [i for i in range(_BINS) if self._labels[i] or self._seen_labels[i]]
            value = psi([self._labels[i] for i in used], [self._seen_labels[i] for i in used])
            limit = psi_limit(len(used), m, n, self._thresholds.psi)
            if value >= limit:
                found.append(("label_drift", {"psi": value, "limit": limit, "answers": n, "reference": m}))
        m, n = sum(self.reference.scores), sum(self._seen_scores)
        if m and n:
            value = ks_distance(self.reference.scores, self._seen_scores)
            limit = max(self._thresholds.ks, ks_critical(m, n))
            if value >= limit:
                found.append(("score_drift", {"ks": value, "limit": limit, "answers": n, "reference": m}))
        self._seen_labels = [0] * _BINS
        self._seen_scores = [0] * len(self.reference.scores)
        self._count = 0
        return found
