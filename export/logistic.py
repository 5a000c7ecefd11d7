"""The one file that imports scikit-learn: logistic regression on frozen vectors, strength chosen by cross-validation.

Everything is deterministic: the folds follow from the order of the examples.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import MissingExtra
from ..runtime.manifest import OutOfScope
from .metrics import multi_label_f1

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]

STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)
"""Inverse regularization strengths that are tried, for vectors of length one."""
DEFAULT_STRENGTH = 10.0
FOLDS = 5
_TEMPERATURES = np.geomspace(0.25, 16, 61)
_LOWEST_SCOPE = 0.05


@dataclass(frozen=True, repr=False)
class Fit:
    """A fitted head.

    Attributes:
        weights, bias: `[labels, D]`, `[labels]`; scaled so that held-out probabilities are calibrated.
        centroids: `[labels, D]`, unit length.
        strength: the regularization that was chosen, as scikit-learn's C.
        accuracy: share of right labels (multi-label: micro F1) over held-out examples; None where there were none.
        out_of_scope: None for multi-label, and where nothing could be held out.
    """

    weights: Numbers
    bias: Numbers
    centroids: Numbers
    strength: float
    accuracy: float | None
    out_of_scope: OutOfScope | None


def fit(vectors: Numbers, wanted: Flags, *, exclusive: bool, always: Flags) -> Fit:
    """Fit a head.

    The strength is the one with the best cross-validated figure, the stronger regularization among equals. A single
    factor on the logits, chosen by held-out log loss, then calibrates the probabilities (temperature scaling, Guo et
    al., 2017, arXiv:1706.04599).

    Args:
        vectors: `[n, D]`, unit length.
        wanted: `[n, labels]`; with `exclusive` one label in each row.
        exclusive: softmax over the labels rather than one decision for each.
        always: `[n]`, examples never to be held out (descriptions).

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    folds = list(_folds(wanted, always))
    trials = [_Trial(vectors, wanted, exclusive, strength, folds) for strength in STRENGTHS if folds]
    if not trials:
        weights, bias = _regression(vectors, wanted, exclusive, DEFAULT_STRENGTH)
        return Fit(weights, bias, _centroids(vectors, wanted), DEFAULT_STRENGTH, None, None)
    chosen = max(trials, key=lambda trial: trial.accuracy)
    factor = chosen.temperature()
    weights, bias = _regression(vectors, wanted, exclusive, chosen.strength)
    scope = chosen.scope(factor) if exclusive else None
    centroids = _centroids(vectors, wanted)
    return Fit(weights * factor, bias * factor, centroids, chosen.strength, chosen.accuracy, scope)


class _Trial:
    """One strength, judged on examples that each fold left out."""

    def __init__(
        self, vectors: Numbers, wanted: Flags, exclusive: bool, strength: float, folds: Sequence[NDArray[np.intp]]
    ) -> None:
        self.strength = strength
        self._exclusive = exclusive
        logits, cosines = [], []
        for held in folds:
            kept = np.setdiff1d(np.arange(len(vectors)), held)
            weights, bias = _regression(vectors[kept], wanted[kept], exclusive, strength)
            logits.append(vectors[held] @ weights.T + bias)
            cosines.append((vectors[held] @ _centroids(vectors[kept], wanted[kept]).T).max(1))
        rows = np.concatenate(folds)
        self._wanted = wanted[rows]
        self._logits = np.concatenate(logits)
        self._cosines = np.concatenate(cosines)
        if exclusive:
            self.accuracy = float(self._wanted[np.arange(len(rows)), self._logits.argmax(1)].mean())
        else:
            self.accuracy = multi_label_f1(self._wanted, self._logits >= 0)[0]

    def temperature(self) -> float:
        """The factor on the logits with the least held-out log loss."""
        return float(min(_TEMPERATURES, key=self._loss))

    def _loss(self, factor: float) -> float:
        logits = self._logits * factor
        if self._exclusive:
            return float((np.logaddexp.reduce(logits, axis=1) - logits[self._wanted]).mean())
        return float(np.logaddexp(0, np.where(self._wanted, -logits, logits)).mean())

    def scope(self, factor: float) -> OutOfScope:
        energies = np.logaddexp.reduce(self._logits * factor, axis=1)
        energy, cosine = (max(float(values.std()), 1e-6) for values in (energies, self._cosines))
        familiar = energies / energy + self._cosines / cosine
        threshold = float(np.quantile(familiar, _LOWEST_SCOPE))
        return OutOfScope(
            energy=energy, cosine=cosine, threshold=threshold, spread=max(float(familiar.std()) / 2, 1e-6)
        )


def _folds(wanted: Flags, always: Flags) -> Iterator[NDArray[np.intp]]:
    """Rows to hold out, fold by fold: each label's examples in turn, and never all that a label has."""
    random = np.random.default_rng(0)
    fold = np.full(len(wanted), -1)
    turn = 0
    for label in range(wanted.shape[1]):
        rows = np.flatnonzero(wanted[:, label] & ~always & (fold < 0))
        if wanted[:, label].sum() < 2:
            continue
        for row in random.permutation(rows):
            fold[row] = turn % FOLDS
            turn += 1
    for number in range(FOLDS):
        rows = np.flatnonzero(fold == number)
        # A label with few examples may have had all of them in this fold: what would leave none is kept.
        for label in range(wanted.shape[1]):
            mine = rows[wanted[rows, label]]
            if len(mine) and len(mine) == wanted[:, label].sum():
                rows = np.setdiff1d(rows, mine[:1])
        if len(rows):
            yield rows


def _centroids(vectors: Numbers, wanted: Flags) -> Numbers:
    sums = wanted.T.astype(np.float64) @ vectors
    return np.asarray(sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12))


def _regression(vectors: Numbers, wanted: Flags, exclusive: bool, strength: float) -> tuple[Numbers, Numbers]:
    """Weights and bias. Every class weighs the same, however many examples it has."""
    if exclusive:
        return _solve(vectors, wanted.argmax(1), strength, wanted.shape[1])
    both = [_solve(vectors, wanted[:, label].astype(np.intp), strength, 2) for label in range(wanted.shape[1])]
    # Of two classes that share a softmax, the difference of the logits is the logit of the second.
    return np.array([w[1] - w[0] for w, _ in both]), np.array([b[1] - b[0] for _, b in both])


def _solve(vectors: Numbers, classes: NDArray[np.intp], strength: float, count: int) -> tuple[Numbers, Numbers]:
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
        from threadpoolctl import threadpool_limits  # comes with scikit-learn
    except ImportError as error:
        raise MissingExtra("scikit-learn is not installed", hint="pip install 'cloister[fewshot]'") from error
    weights, bias = np.zeros((count, vectors.shape[1])), np.zeros(count)
    present = np.unique(classes)
    if len(present) == 1:  # a label of several that a fold has in all of its examples, or in none
        bias[present] = 4.0
        return weights, bias
    # Matrices this small gain nothing from threads, and on a busy machine threads wait minutes for each other.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=strength, class_weight="balanced", max_iter=1000, tol=1e-5)
        model.fit(vectors, classes)
    rows, intercept = model.coef_, model.intercept_
    if len(present) == 2:
        rows, intercept = np.concatenate([-rows, rows]) / 2, np.concatenate([-intercept, intercept]) / 2
    weights[present], bias[present] = rows, intercept
    return weights, bias
