"""How long a batch takes: a model of this machine, fitted at warm-up and refined by every batch that runs."""

import threading
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_FORGETTING = 0.98
"""Weight of what was known before when a new observation comes: about the last fifty batches count."""
_SOLVE_EVERY = 8
_PRIOR = 1e-3


class CostModel:
    """Seconds of a batch by its tokens and by the sum of its squared lengths: `a + b·tokens + c·squares`.

    Linear layers cost by the token, attention by the square of a text's length, and every run has a fixed part. Fitted
    by weighted least squares on relative errors (a short batch counts as much as a long one) with coefficients kept at
    or above zero. Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._normal = np.zeros((3, 3))
        self._right = np.zeros(3)
        self._coefficients = (0.0, 0.0, 0.0)
        self._seen = 0

    @property
    def coefficients(self) -> tuple[float, float, float]:
        """Seconds per run, per token and per squared length."""
        return self._coefficients

    def predict(self, tokens: int, squares: int) -> float:
        """Seconds a batch should take; 0.0 as long as nothing was observed."""
        a, b, c = self._coefficients
        return a + b * tokens + c * squares

    def share(self, tokens: int) -> float:
        """Seconds that one input adds to a batch that runs anyway."""
        _, b, c = self._coefficients
        return b * tokens + c * tokens**2

    def observe(self, tokens: int, squares: int, seconds: float) -> None:
        """Take in what a batch took."""
        if seconds <= 0:
            return
        with self._lock:
            self._add(tokens, squares, seconds)
            self._seen += 1
            if self._seen % _SOLVE_EVERY == 0:
                self._solve()

    def fit(self, observations: Iterable[tuple[int, int, float]]) -> None:
        """Take in several `(tokens, squares, seconds)` at once, without forgetting any of them."""
        with self._lock:
            for tokens, squares, seconds in observations:
                self._add(tokens, squares, seconds, forgetting=1.0)
            self._solve()

    def _add(self, tokens: int, squares: int, seconds: float, forgetting: float = _FORGETTING) -> None:
        row = np.array([1.0, tokens, squares]) / seconds
        self._normal = self._normal * forgetting + np.outer(row, row)
        self._right = self._right * forgetting + row

    def _solve(self) -> None:
        """Least squares with the negative coefficients taken out, one by one, until there are none."""
        free = [0, 1, 2]
        found: NDArray[np.float64] = np.zeros(3)
        while free:
            normal = self._normal[np.ix_(free, free)]
            # A little weight on small coefficients keeps the system solvable before the shapes seen differ enough.
            ridge = np.diag(np.diag(normal)) * _PRIOR
            part = np.linalg.solve(normal + ridge, self._right[free])
            if (part >= 0).all():
                found[free] = part
                break
            free.pop(int(part.argmin()))
        self._coefficients = (float(found[0]), float(found[1]), float(found[2]))
