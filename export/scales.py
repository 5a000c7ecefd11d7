"""The numbers behind int8: steps of activations and weights, and which are taken where. Pure numpy.

For a linear layer `y = x @ W`, with W rounded per column (an output channel):

    x' = x / s                                    s: SmoothQuant factors per input channel, folded into W
    q  = clip(round(x' / step) + zero, 0, 255)    step: one per row (a token), or one for all rows
    y  = step * (q - zero) @ Wq * wstep           an exact int32 sum: no row depends on another

A step per row comes from the row's own largest magnitude: "per-token" quantization as in ZeroQuant (Yao et al., 2022,
arXiv:2206.01861). A step for all rows comes from the range that calibration saw ("static" quantization, Jacob et al.,
2018, arXiv:1712.05877); it needs no pass over the row for its maximum and none over the product for its step, and cuts
off what is beyond that range. The factors `s = max|x|^a / max|W|^(1-a)` are SmoothQuant's (Xiao et al., 2022,
arXiv:2211.10438). Strength `a` and kind of step are chosen for each layer by the error they leave on calibration rows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

STRENGTHS = (0.35, 0.5, 0.65, 0.8)
TINY = 1e-8
SMOOTHING_GAIN = 1.1
"""How many times smaller smoothing must make the error before its multiplication per token is paid."""

FIXED_LOSS = 1.5
"""How many times larger one step for all rows may make the error, for the time it saves."""

LEAST_ROWS = 256
"""Rows that calibration must see for one step for all: fewer do not show how far values reach."""

_ZERO_POINTS = (64, 32, 16, 8)
_COLUMNS_AT_ONCE = 16_384


@dataclass(frozen=True)
class Observed:
    """What calibration saw of one value.

    Attributes:
        least, most: `[channels]`, over all rows.
        rows: `[n, channels]`, a sample.
        count: of all rows.
    """

    least: Floats
    most: Floats
    rows: Floats
    count: int

    @property
    def largest(self) -> Floats:
        """Largest magnitudes. Shape: `[channels]`."""
        return np.maximum(np.abs(self.least), np.abs(self.most))


@dataclass(frozen=True)
class Choice:
    """How one group of layers is quantized, and the relative error that this left on the sample.

    Attributes:
        strength: SmoothQuant's alpha, 0 where no factors are applied.
        factors: `[channels]`, None where no factors are applied.
        zero: the activations' zero point.
        floor: smallest magnitude a row's own step is computed from.
        error: `||y' - y|| / ||y||` on calibration rows.
        step: one for all rows, None where each row has its own.
    """

    strength: float
    factors: Floats | None
    zero: int
    floor: float
    error: float
    step: float | None = None


def choose(
    observed: Observed, weight: Floats, bound: float | None, gain: float = SMOOTHING_GAIN, loss: float = FIXED_LOSS
) -> Choice:
    """Pick smoothing strength, kind of step and zero point for a layer, by the error on the sampled rows.

    Smoothing is kept only where it makes the error `gain` times smaller: it costs a multiplication per token. One step
    for all rows is taken where it makes the error at most `loss` times larger, if calibration saw `LEAST_ROWS` or more.
    With a gain of 1 and a loss of 0 each row has its own, and the least error whatever it costs.

    Shape: weight `[in, out]`.

    Args:
        bound: largest magnitude a negative input can have, None where unknown.
    """
    wanted = observed.rows @ weight
    inputs = [_Smoothed(observed, weight, wanted, strength) for strength in (0.0, *STRENGTHS)]
    of_rows = _cheapest([one.with_row_steps(bound) for one in inputs], gain)
    if not loss or observed.count < LEAST_ROWS:
        return of_rows
    fixed = _cheapest([one.with_one_step() for one in inputs], gain)
    return fixed if fixed.error <= loss * of_rows.error else of_rows


def _cheapest(options: list[Choice], gain: float) -> Choice:
    best = min(options, key=lambda c: c.error)
    return options[0] if options[0].error <= gain * best.error else best


class _Smoothed:
    """A layer with one strength of smoothing: its rows and weights, and the error of steps that are tried on them."""

    def __init__(self, observed: Observed, weight: Floats, wanted: Floats, strength: float) -> None:
        self._strength = strength
        self._wanted = wanted
        self._factors = _factors(observed.largest, weight, strength) if strength else None
        divided = np.ones_like(observed.most) if self._factors is None else self._factors
        self._rows = observed.rows / divided
        self._low = min(0.0, float((observed.least / divided).min()))
        self._high = max(0.0, float((observed.most / divided).max()))
        self._smallest_factor = float(divided.min())
        matrix, scale = quantize_columns(weight * divided[:, None])
        self._matrix = matrix.astype(np.float32) * scale

    def with_row_steps(self, bound: float | None) -> Choice:
        """Each row by its own largest magnitude: symmetric, or above a known `bound`."""
        if bound is None:
            points = [(128, TINY)]
        else:
            lowest = bound / self._smallest_factor
            points = [(z, max(TINY, lowest * (255 - z) / max(z, 1e-9))) for z in (_ZERO_POINTS if lowest > 0 else (0,))]
        magnitude = np.abs(self._rows).max(1) if bound is None else self._rows.max(1)
        options = []
        for zero, floor in points:
            step = np.maximum(magnitude, floor)[:, None] / levels(zero)
            options.append(Choice(self._strength, self._factors, zero, floor, self._error(step, zero)))
        return min(options, key=lambda c: c.error)

    def with_one_step(self) -> Choice:
        """All rows by the range that calibration saw, its ends at the ends of eight bits."""
        step = np.float32(max(self._high - self._low, TINY) / 255)
        zero = round(-self._low / float(step))
        return Choice(self._strength, self._factors, zero, TINY, self._error(step, zero), float(step))

    def _error(self, step: "Floats | np.float32", zero: int) -> float:
        quantized = np.clip(np.rint(self._rows / step) + zero, 0, 255) - zero
        lost = step * (quantized @ self._matrix) - self._wanted
        return float(np.linalg.norm(lost) / (np.linalg.norm(self._wanted) + 1e-12))


def levels(zero: int) -> int:
    """Steps between a row's largest magnitude and zero."""
    return 127 if zero == 128 else 255 - zero


def _factors(largest: Floats, weight: Floats, strength: float) -> Floats:
    rows = np.maximum(np.abs(weight).max(1), 1e-5)
    factors = np.maximum(largest, 1e-5) ** strength / rows ** (1 - strength)
    return np.asarray(factors / np.exp(np.log(factors).mean()), np.float32)


def quantize_columns(weight: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Symmetric int8 per output channel, so that no pair of products saturates.

    Shape: `[in, out]` -> `[in, out]`, `[out]`.

    x86 processors without VNNI multiply unsigned activations a with signed weights w by `vpmaddubsw`: for rows 2i and
    2i + 1 it adds `a * w` of both and cuts the sum off at 16 bits. As a <= 255, the sum fits where positive weights of
    a pair add up to at most 128 and negative ones to at least -128 (255 * 128 = 32,640). A scale that guarantees this
    is larger only for columns with two large neighbours of one sign; halving all weights (7 bits) would double it.
    """
    if weight.shape[1] > _COLUMNS_AT_ONCE:
        cuts = np.arange(_COLUMNS_AT_ONCE, weight.shape[1], _COLUMNS_AT_ONCE)
        parts = [quantize_columns(part) for part in np.split(weight, cuts, axis=1)]
        return np.concatenate([m for m, _ in parts], axis=1), np.concatenate([s for _, s in parts])
    signed = np.stack([np.maximum(weight, 0), np.maximum(-weight, 0)])
    if len(weight) % 2:
        signed = np.concatenate([signed, np.zeros_like(signed[:, :1])], axis=1)
    pairs = (signed[:, 0::2] + signed[:, 1::2]).max((0, 1))
    # 127.5, since each of the two may be rounded up by a half
    largest = np.maximum(np.abs(weight).max(0) / 127, pairs / 127.5)
    scale = np.maximum(largest, TINY / 127).astype(np.float32)
    return np.clip(np.rint(weight / scale), -127, 127).astype(np.int8), scale


def quantize_rows(table: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Symmetric int8 per row, for tables that are looked up and not multiplied. Shape: `[n, d]` -> `[n, d]`, `[n]`."""
    scale = np.maximum(np.abs(table).max(1), TINY).astype(np.float32) / np.float32(127)
    return np.clip(np.rint(table / scale[:, None]), -127, 127).astype(np.int8), scale
