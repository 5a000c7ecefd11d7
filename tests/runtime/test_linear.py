"""Heads outside of the graph: decoding refuses what does not fit, the score is the formula of FORMAT.md."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cloister import BundleError
from cloister.runtime.linear import LinearHead, out_of_scope
from cloister.runtime.manifest import Head, OutOfScope

SCOPE = OutOfScope(energy=2.0, cosine=0.1, threshold=5.0, spread=0.5)
FLOATS = st.floats(-5, 5, width=32)


def head(labels: int, width: int, *, centroids: bool) -> tuple[LinearHead, Head]:
    random = np.random.default_rng(1)
    rows = random.standard_normal((labels, width)).astype(np.float32)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    settings = Head(file="head.weights", inputs=width, out_of_scope=SCOPE if centroids else None)
    return LinearHead(rows, np.arange(labels, dtype=np.float32), unit if centroids else None, True), settings


@pytest.mark.parametrize("centroids", [True, False])
def test_what_is_written_is_read(centroids: bool) -> None:
    made, settings = head(3, 5, centroids=centroids)
    read = LinearHead.decode(made.encode(), 3, settings, normalized=True)
    vector = np.arange(5, dtype=np.float32)
    assert read(vector).tolist() == made(vector).tolist()
    assert len(read(vector)) == 3 + centroids


@given(hnp.arrays(np.float32, 5, elements=FLOATS))
def test_logits_and_the_nearest_class(vector: np.ndarray) -> None:
    made, _ = head(3, 5, centroids=True)
    got = made(vector)
    unit = vector.astype(np.float64) / max(float(np.linalg.norm(vector)), 1e-12)
    np.testing.assert_allclose(got[:3], made.weights.astype(np.float64) @ unit + made.bias, rtol=1e-4, atol=1e-4)
    assert made.centroids is not None
    assert got[3] == pytest.approx(max(float(row @ unit) for row in made.centroids), abs=1e-5)


@given(hnp.arrays(np.float32, 4, elements=FLOATS))
def test_the_score_is_the_formula(output: np.ndarray) -> None:
    energy = math.log(sum(math.exp(float(value)) for value in output[:3]))
    familiarity = energy / SCOPE.energy + float(output[3]) / SCOPE.cosine
    expected = 1 / (1 + math.exp((familiarity - SCOPE.threshold) / SCOPE.spread))
    assert out_of_scope(output, SCOPE) == pytest.approx(expected, abs=1e-9)


def test_far_away_is_no_overflow() -> None:
    assert out_of_scope(np.array([-1e30, -1e30, -1], np.float32), SCOPE) == 1
    assert out_of_scope(np.array([1e30, 0, 1], np.float32), SCOPE) == 0


def test_what_does_not_fit_is_refused() -> None:
    made, settings = head(3, 5, centroids=True)
    data = made.encode()
    for bad, labels in ((data[:-4], 3), (data + b"\0\0\0\0", 3), (data, 4), (b"", 3)):
        with pytest.raises(BundleError):
            LinearHead.decode(bad, labels, settings, normalized=True)
    with pytest.raises(BundleError, match="finite"):
        LinearHead.decode(np.float32(np.nan).tobytes() + data[4:], 3, settings, normalized=True)
