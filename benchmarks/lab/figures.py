"""What is said of a list of times: minimum, median, p95, a ratio with its interval, an exponent of growth."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloister.runtime.measure import ratio_interval


def summary(times: Sequence[float]) -> dict[str, float]:
    """Milliseconds: `min`, `median`, `p95`."""
    return {"min": min(times), "median": float(np.median(times)), "p95": float(np.quantile(times, 0.95))}


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """How many times our time theirs is: median of the rounds' ratios with a 95% bootstrap interval, and of minima.

    `rounds` says how many there are: of fewer than three the interval says nothing.
    """
    middle, low, high = ratio_interval(ours, theirs)
    return {"median": middle, "low": low, "high": high, "minima": min(theirs) / min(ours), "rounds": len(ours)}


def exponent(sizes: Sequence[float], times: Sequence[float]) -> float:
    """Slope of log time over log size, by least squares. Raises ValueError with fewer than two sizes."""
    if len(set(sizes)) < 2:
        raise ValueError("an exponent needs two sizes")
    x, y = np.log(np.asarray(sizes, np.float64)), np.log(np.asarray(times, np.float64))
    x = x - x.mean()
    return float((x * (y - y.mean())).sum() / (x * x).sum())


def cosines(rows: NDArray[np.float32], reference: NDArray[np.float32]) -> dict[str, float]:
    """Least and mean cosine of two sets of vectors of length one, text by text."""
    each: Any = (rows.astype(np.float64) * reference).sum(1)
    return {"least": float(each.min()), "mean": float(each.mean())}
