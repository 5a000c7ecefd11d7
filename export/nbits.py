"""int4 weights: blocks of an input channel's neighbours share a scale, and each rounding error is made good downstream.

`MatMulNBits` (ONNX Runtime's own operator) reads weights of 4 bits with a float32 scale for each block of input
channels of an output channel, symmetric around 8; at accuracy level 4 it multiplies them with activations in int8,
whose scale is per row and block, so that no row depends on another.

Weights are rounded in the order of the input channels, and the error of each is spread over those that are still to
come so that the layer's output on calibration rows changes least: GPTQ (Frantar et al., 2023, arXiv:2210.17323).
"""

from collections.abc import Iterable, Mapping

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from .graph import MICROSOFT, Editor, clean, replace
from .quantize import Linear, constant_matrix, merged
from .scales import TINY, Choice, Observed

Floats = NDArray[np.float32]

BLOCK = 32
"""Input channels that share a scale: half a byte a weight and 4 bytes a scale make 0.625 of int8. Blocks of 16 would
make 0.75; 64 and 128 are smaller and lose more (`benchmarks/precisions.py` measures them)."""

Cache = dict[str, tuple[NDArray[np.uint8], Floats]]
"""Codes and scales by the weight's name: rounding is the slow part, and a search asks for it many times."""

_ACCURACY = 4
ROWS = 2048
"""Calibration rows that rounding is fitted to. With 512 the loss on other texts is a quarter larger."""

_DAMPING = 0.1
_SHRINKS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75)


def plan(groups: Iterable[Linear], observed: Mapping[str, Observed], cache: Cache) -> list[Choice]:
    """The relative error that int4 leaves in each group on calibration rows, in the form that `quantize.plan` gives."""
    choices = []
    for group in groups:
        rows = merged(group, observed).rows
        lost, whole = 0.0, 0.0
        for weight in group.weights:
            matrix = constant_matrix(weight)
            codes, scales = _rounded(weight, rows, cache)
            wanted = rows @ matrix
            lost += float(np.square(rows @ dequantized(codes, scales, len(matrix)) - wanted).sum())
            whole += float(np.square(wanted).sum())
        choices.append(Choice(0.0, None, 8, TINY, float(np.sqrt(lost / (whole + TINY)))))
    return choices


def quantize(
    model: ir.Model,
    groups: Iterable[Linear],
    choices: Iterable[Choice | None],
    observed: Mapping[str, Observed],
    cache: Cache,
) -> None:
    """Rewrite the linear layers of `groups` in place, except those whose choice is None."""
    for group, choice in zip(groups, choices, strict=True):
        if choice is None:
            continue
        rows = merged(group, observed).rows
        for product in (p for products in group.products for p in products):
            _product(model.graph, product, rows, cache)
    clean(model)


def _rounded(weight: ir.Value, rows: Floats, cache: Cache) -> tuple[NDArray[np.uint8], Floats]:
    name = weight.name or ""
    if name not in cache:
        cache[name] = round_blocks(constant_matrix(weight), rows)
    return cache[name]


def _product(graph: ir.Graph, product: ir.Node, rows: Floats, cache: Cache) -> None:
    edit = Editor(graph, product)
    source, weight = product.inputs
    if weight is None:
        raise ValueError("a linear layer without a weight")
    codes, scales = _rounded(weight, rows, cache)
    name = product.outputs[0].name or "product"
    inputs = [
        source,
        edit.constant(f"{weight.name}.int4", packed_codes(codes)),
        edit.constant(f"{weight.name}.scales", scales),
    ]
    width, outputs = constant_matrix(weight).shape
    attributes = {"K": width, "N": outputs, "bits": 4, "block_size": BLOCK, "accuracy_level": _ACCURACY}
    whole = edit.op("MatMulNBits", inputs, f"{name}.int4", attributes, MICROSOFT)
    whole.type = ir.TensorType(ir.DataType.FLOAT)
    replace(product, whole)


def round_blocks(weight: Floats, rows: Floats) -> tuple[NDArray[np.uint8], Floats]:
    """Codes 0 to 15 and scales of a weight, such that `rows @ weight` changes little.

    Shape: weight `[in, out]`, rows `[n, in]` -> `[out, blocks, block]` codes, `[out, blocks]` scales.
    """
    (width, outputs), block = weight.shape, BLOCK
    blocks = -(-width // block)
    left = np.zeros((blocks * block, outputs), np.float64)
    left[:width] = weight
    inverse = _inverse_factor(rows, blocks * block)
    importance = np.zeros(blocks * block)
    importance[:width] = np.square(rows.astype(np.float64)).mean(0)
    codes = np.zeros((outputs, blocks, block), np.uint8)
    scales = np.zeros((outputs, blocks), np.float32)
    for number in range(blocks):
        first, stop = number * block, (number + 1) * block
        scale = _scale(left[first:stop], importance[first:stop])
        scales[:, number] = scale
        errors = np.empty((block, outputs))
        for k in range(first, stop):
            code = np.clip(np.rint(left[k] / scale), -8, 7)
            codes[:, number, k - first] = code + 8
            errors[k - first] = (left[k] - code * scale) / inverse[k, k]
            left[k + 1 : stop] -= np.outer(inverse[k, k + 1 : stop], errors[k - first])
        left[stop:] -= inverse[first:stop, stop:].T @ errors
    return codes, scales


def _inverse_factor(rows: Floats, width: int) -> NDArray[np.float64]:
    """Upper triangular U with `U.T @ U = inverse(rows.T @ rows / n + damping)`."""
    moments = np.zeros((width, width))
    inputs = rows.astype(np.float64)
    moments[: rows.shape[1], : rows.shape[1]] = inputs.T @ inputs / max(len(rows), 1)
    diagonal = np.diagonal(moments)
    moments[np.diag_indices(width)] = diagonal + _DAMPING * max(float(diagonal.mean()), TINY)
    return np.asarray(np.linalg.cholesky(np.linalg.inv(moments)).T)


def _scale(weight: NDArray[np.float64], importance: NDArray[np.float64]) -> Floats:
    """One scale per output channel: the largest magnitude becomes -8, or less where rounding then errs less."""
    index = np.abs(weight).argmax(0)
    extreme = weight[index, np.arange(weight.shape[1])]
    best = np.full(weight.shape[1], np.inf)
    result = np.full(weight.shape[1], np.float32(TINY))
    for shrink in _SHRINKS:
        # The negative side has one code more, so the sign of the scale puts the extreme there.
        scale = np.where(np.abs(extreme) < TINY, TINY, -extreme * shrink / 8).astype(np.float32)
        rounded = np.clip(np.rint(weight / scale), -8, 7) * scale
        error = (np.square(rounded - weight) * importance[:, None]).sum(0)
        result = np.where(error < best, scale, result)
        best = np.minimum(error, best)
    return np.asarray(result, np.float32)


def packed_codes(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Two codes a byte, the first in the low bits. Shape: `[out, blocks, block]` -> `[out, blocks, block / 2]`."""
    return np.asarray(codes[..., 0::2] | codes[..., 1::2] << 4, np.uint8)


def dequantized(codes: NDArray[np.uint8], scales: Floats, width: int) -> Floats:
    """The weight that codes and scales stand for. Shape: as `round_blocks` gives them -> `[width, out]`."""
    values = (codes.astype(np.float32) - 8) * scales[..., None]
    return np.ascontiguousarray(values.reshape(len(codes), -1)[:, :width].T)
