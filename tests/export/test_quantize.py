"""Row-wise int8: scales, smoothing, zero points, against numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloister.export.quantize import Observed, choose, quantize_columns

GELU = 0.17005


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.sampled_from([1e-6, 1.0, 1e4]))
def test_columns_are_within_half_a_step(rows: int, columns: int, seed: int, size: float) -> None:
    weight = (np.random.default_rng(seed).standard_normal((rows, columns)) * size).astype(np.float32)
    matrix, scale = quantize_columns(weight)
    assert matrix.dtype == np.int8
    assert matrix.min() >= -127
    assert np.all(np.abs(matrix * scale - weight) <= scale * 0.5001)


def test_zero_columns_stay_zero() -> None:
    matrix, scale = quantize_columns(np.zeros((4, 3), np.float32))
    assert not matrix.any()
    assert np.all(scale > 0)


def test_outlier_channels_are_smoothed_and_plain_ones_are_not() -> None:
    random = np.random.default_rng(0)
    rows = random.standard_normal((256, 64)).astype(np.float32)
    weight = random.standard_normal((64, 32)).astype(np.float32)
    plain = choose(Observed(np.abs(rows).max(0), rows), weight, None)
    assert plain.factors is None
    rows[:, 5] *= 80
    outlier = choose(Observed(np.abs(rows).max(0), rows), weight * np.where(np.arange(64) == 5, 0.01, 1)[:, None], None)
    assert outlier.factors is not None
    assert outlier.factors[5] > 3 * np.median(outlier.factors)


@pytest.mark.parametrize("spread", [0.01, 1.0, 30.0])
def test_a_bounded_activation_is_never_clipped(spread: float) -> None:
    random = np.random.default_rng(1)
    x = random.standard_normal((512, 48)).astype(np.float32) * spread
    rows = np.maximum(x, 0) - np.abs(np.minimum(x, 0)).clip(0, 0.17)
    weight = random.standard_normal((48, 16)).astype(np.float32)
    choice = choose(Observed(np.abs(rows).max(0), rows), weight, GELU)
    scaled = rows if choice.factors is None else rows / choice.factors
    step = np.maximum(scaled.max(1, keepdims=True), choice.floor) / (255 - choice.zero)
    quantized = np.rint(scaled / step) + choice.zero
    assert quantized.min() >= 0
    assert quantized.max() <= 255
