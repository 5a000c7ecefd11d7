"""Int8: steps of rows and of all rows, smoothing, zero points, against numpy."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloister.export.scales import Observed, choose, quantize_columns

GELU = 0.17005


def seen(rows: Any) -> Observed:
    return Observed(rows.min(0), rows.max(0), rows, len(rows))


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
    plain = choose(seen(rows), weight, None)
    assert plain.factors is None
    rows[:, 5] *= 80
    outlier = choose(seen(rows), weight * np.where(np.arange(64) == 5, 0.01, 1)[:, None], None)
    assert outlier.factors is not None
    assert outlier.factors[5] > 3 * np.median(outlier.factors)


@pytest.mark.parametrize("spread", [0.01, 1.0, 30.0])
def test_a_bounded_activation_is_never_clipped(spread: float) -> None:
    random = np.random.default_rng(1)
    x = random.standard_normal((512, 48)).astype(np.float32) * spread
    rows = np.maximum(x, 0) - np.abs(np.minimum(x, 0)).clip(0, 0.17)
    weight = random.standard_normal((48, 16)).astype(np.float32)
    choice = choose(seen(rows), weight, GELU, loss=0.0)
    scaled = rows if choice.factors is None else rows / choice.factors
    step = np.maximum(scaled.max(1, keepdims=True), choice.floor) / (255 - choice.zero)
    quantized = np.rint(scaled / step) + choice.zero
    assert quantized.min() >= 0
    assert quantized.max() <= 255


def test_one_step_is_for_rows_of_one_size() -> None:
    random = np.random.default_rng(2)
    rows = random.uniform(-1, 3, (512, 48)).astype(np.float32)
    weight = random.standard_normal((48, 16)).astype(np.float32)
    alike = choose(seen(rows), weight, None, gain=1e9)
    assert alike.step is not None
    assert alike.step == pytest.approx((rows.max() - rows.min()) / 255)
    assert alike.zero == round(-rows.min() / alike.step)
    assert choose(seen(rows), weight, None, gain=1.0, loss=0.0).step is None
    rows *= np.exp(random.standard_normal((512, 1)) * 2).astype(np.float32)
    assert choose(seen(rows), weight, None).step is None


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-6, 1.0, 1e4]), st.floats(-3, 3))
def test_one_step_cuts_nothing_off_that_calibration_saw(seed: int, size: float, shift: float) -> None:
    random = np.random.default_rng(seed)
    everything = ((random.standard_normal((512, 8)) + shift) * size).astype(np.float32)
    weight = random.standard_normal((8, 4)).astype(np.float32)
    choice = choose(
        Observed(everything.min(0), everything.max(0), everything[:256], len(everything)), weight, None, loss=1e9
    )
    assert choice.step is not None
    x = everything if choice.factors is None else everything / choice.factors
    exact = x / np.float32(choice.step) + choice.zero
    assert exact.min() >= -0.51
    assert exact.max() <= 255.51
    assert 0 <= choice.zero <= 255


def test_values_of_zero_give_steps_that_can_be_divided_by() -> None:
    rows = np.zeros((16, 4), np.float32)
    choice = choose(seen(rows), np.ones((4, 2), np.float32), None)
    assert choice.step is None or choice.step > 0
