"""Row-wise int8: each token's activation row gets its own scale, after outliers were moved into the weights.

For a linear layer `y = x @ W`, with every step per row of x (a token) and per column of W (an output channel):

    x' = x / s                                  s: SmoothQuant factors per input channel, folded into W
    q  = clip(round(x' / scale) + zero, 0, 255)   scale: one per row, from the row's own largest magnitude
    y  = scale * (q - zero) @ Wq * wscale       an exact int32 sum: no row depends on another

Row scales follow "per-token" quantization as in ZeroQuant (Yao et al., 2022, arXiv:2206.01861); the factors
`s = max|x|^a / max|W|^(1-a)` are SmoothQuant's (Xiao et al., 2022, arXiv:2211.10438), with the strength `a` chosen
for each layer by the error it leaves on calibration rows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from .fold import approximate_gelu, fold_into_values
from .graph import MICROSOFT, Editor, clean, constant, nodes_of, replace, scope

Floats = NDArray[np.float32]

STRENGTHS = (0.35, 0.5, 0.65, 0.8)
TINY = 1e-8
SMOOTHING_GAIN = 1.1
"""How many times smaller smoothing must make the error before its multiplication per token is paid."""

_GELU_MINIMUM = 0.17005  # |min of x * Phi(x)|, rounded up; the tanh approximation's minimum is not below it
_LOWER_BOUND = {"Gelu": _GELU_MINIMUM, "Relu": 0.0}
_ZERO_POINTS = (64, 32, 16, 8)
_MINIMUM_TABLE_ROWS = 256
_CHOSEN_COLUMNS = 8192
_COLUMNS_AT_ONCE = 16_384


@dataclass
class Linear:
    """Linear layers that share one quantized input, or one weight; they get the same smoothing factors.

    Attributes:
        inputs: values that feed the layers; more than one where layers share weights.
        products: the MatMul nodes, grouped by input in the order of `inputs`.
        weights: distinct weight initializers `[in, out]`.
        bound: largest magnitude a negative input can have, None where unknown.
    """

    inputs: list[ir.Value]
    products: list[list[ir.Node]]
    weights: list[ir.Value]
    bound: float | None


@dataclass(frozen=True)
class Observed:
    """What calibration saw of one value: `largest [channels]` over all rows, and a sample of `rows [n, channels]`."""

    largest: Floats
    rows: Floats


@dataclass(frozen=True)
class Choice:
    """How one group of layers is quantized, and the relative error that this left on the sample.

    Attributes:
        strength: SmoothQuant's alpha, 0 where no factors are applied.
        factors: `[channels]`, None where no factors are applied.
        zero: the activations' zero point.
        floor: smallest magnitude a row's scale is computed from.
        error: `||y' - y|| / ||y||` on calibration rows.
    """

    strength: float
    factors: Floats | None
    zero: int
    floor: float
    error: float


def linears(graph: ir.Graph, stack: str | tuple[str, ...]) -> list[Linear]:
    """The layers to quantize: products with a constant matrix that were traced inside the modules named `stack`."""
    for node in nodes_of(graph, "", "Gemm"):
        if scope(node).startswith(stack):
            _split(graph, node)
    found: dict[tuple[str, ...], Linear] = {}
    by_input: dict[str, list[ir.Node]] = {}
    for node in nodes_of(graph, "", "MatMul"):
        weight = constant(node.inputs[1])
        if weight is None or weight.ndim != 2 or not scope(node).startswith(stack):
            continue
        if node.inputs[0] is not None and node.inputs[0].name:
            by_input.setdefault(node.inputs[0].name, []).append(node)
    for products in by_input.values():
        source = products[0].inputs[0]
        weights = [w for p in products if (w := p.inputs[1]) is not None]
        if source is None:
            continue
        key = tuple(w.name or "" for w in weights)
        group = found.setdefault(key, Linear([], [], weights, _lower_bound(source)))
        group.inputs.append(source)
        group.products.append(products)
    return list(found.values())


def _split(graph: ir.Graph, node: ir.Node) -> None:
    """A `Gemm` with constant weight, as GPT-2's layers are traced, as the product and sum that it is."""
    weight, bias = constant(node.inputs[1]), node.inputs[2] if len(node.inputs) > 2 else None
    scaled = any(a.as_float() != 1.0 for n, a in node.attributes.items() if n in ("alpha", "beta"))
    turned = {n: a.as_int() for n, a in node.attributes.items() if n.startswith("trans")}
    if weight is None or scaled or turned.get("transA"):
        return
    edit = Editor(graph, node)
    name = node.outputs[0].name or "gemm"
    matrix = node.inputs[1]
    if turned.get("transB") and matrix is not None:
        matrix = edit.constant(f"{matrix.name}.turned", np.ascontiguousarray(weight.T))
    product = edit.op("MatMul", [node.inputs[0], matrix], f"{name}.product")
    made = product.producer()
    if made is not None:
        made.metadata_props.update(node.metadata_props)
    product.shape = node.outputs[0].shape
    if bias is None:
        replace(node, product)
        return
    total = edit.op("Add", [product, bias], f"{name}.total")
    total.shape = node.outputs[0].shape
    replace(node, total)


def _lower_bound(value: ir.Value) -> float | None:
    producer = value.producer()
    return None if producer is None else _LOWER_BOUND.get(producer.op_type)


def choose(observed: Observed, weight: Floats, bound: float | None, gain: float = SMOOTHING_GAIN) -> Choice:
    """Pick smoothing strength and zero point with the least error on the sampled rows.

    Smoothing is kept only where it makes the error `gain` times smaller: it costs a multiplication per token.

    Shape: weight `[in, out]`.
    """
    wanted = observed.rows @ weight
    options = [_try(observed, weight, wanted, strength, bound) for strength in (0.0, *STRENGTHS)]
    best = min(options, key=lambda c: c.error)
    return options[0] if options[0].error <= gain * best.error else best


def _try(observed: Observed, weight: Floats, wanted: Floats, strength: float, bound: float | None) -> Choice:
    factors = _factors(observed.largest, weight, strength) if strength else None
    rows = observed.rows if factors is None else observed.rows / factors
    scaled = weight if factors is None else weight * factors[:, None]
    matrix, scale = quantize_columns(scaled)
    matrix_float = matrix.astype(np.float32) * scale
    lowest = None if bound is None else bound if factors is None else float(bound / factors.min())
    points = (
        [(128, TINY)] if lowest is None else [(z, max(TINY, lowest * (255 - z) / max(z, 1e-9))) for z in _zeros(lowest)]
    )
    options = []
    for zero, floor in points:
        magnitude = np.abs(rows).max(1) if lowest is None else rows.max(1)
        step = np.maximum(magnitude, floor)[:, None] / _levels(zero)
        quantized = np.clip(np.rint(rows / step) + zero, 0, 255) - zero
        error = float(np.linalg.norm(step * (quantized @ matrix_float) - wanted) / (np.linalg.norm(wanted) + 1e-12))
        options.append(Choice(strength, factors, zero, floor, error))
    return min(options, key=lambda c: c.error)


def _zeros(lowest: float) -> tuple[int, ...]:
    return _ZERO_POINTS if lowest > 0 else (0,)


def _levels(zero: int) -> int:
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


def constant_matrix(weight: ir.Value | None) -> Floats:
    """The constant behind a linear layer's weight. Shape: `[in, out]`."""
    array = constant(weight)
    if array is None:
        raise ValueError("a linear layer without a constant weight")
    return np.asarray(array, np.float32)


def plan(groups: Iterable[Linear], observed: Mapping[str, Observed], gain: float = SMOOTHING_GAIN) -> list[Choice]:
    """How each group would be quantized; `observed` has an entry for every input's name. See `choose`."""
    return [choose(merged(group, observed), _weights(group), group.bound, gain) for group in groups]


def merged(group: Linear, observed: Mapping[str, Observed]) -> Observed:
    """What calibration saw of all inputs of a group, as if they were one."""
    seen = [observed[x.name or ""] for x in group.inputs]
    return Observed(np.max([o.largest for o in seen], axis=0), np.concatenate([o.rows for o in seen]))


def _weights(group: Linear) -> Floats:
    """What the choice is made on: all columns, or every n-th of a vocabulary's. Shape: `[in, n]`."""
    width = sum(constant_matrix(w).shape[1] for w in group.weights)
    every = max(1, width // _CHOSEN_COLUMNS)
    return np.concatenate([constant_matrix(w)[:, ::every] for w in group.weights], axis=1)


def quantize(model: ir.Model, groups: Iterable[Linear], choices: Iterable[Choice | None]) -> None:
    """Rewrite the linear layers of `groups` in place, except those whose choice is None."""
    shared: dict[str, ir.Value] = {}
    chosen = [(n, g, c) for n, (g, c) in enumerate(zip(groups, choices, strict=True)) if c is not None]
    folded = {n for n, group, choice in chosen if _folds(model.graph, group, choice)}
    for number, group, choice in chosen:
        for index, (source, products) in enumerate(zip(group.inputs, group.products, strict=True)):
            name = f"linear.{number}.{index}"
            _rewrite(
                model.graph, source, products, choice, None if number in folded else f"linear.{number}", name, shared
            )
    approximate_gelu(model.graph, [x for _, group, _ in chosen for x in group.inputs])
    clean(model)


def _folds(graph: ir.Graph, group: Linear, choice: Choice) -> bool:
    """Whether the smoothing of a group's input was moved upstream."""
    if choice.factors is None or len(group.inputs) != 1:
        return False
    return fold_into_values(graph, group.inputs[0], choice.factors)


def _rewrite(
    graph: ir.Graph,
    source: ir.Value,
    products: list[ir.Node],
    choice: Choice,
    group: str | None,
    name: str,
    shared: dict[str, ir.Value],
) -> None:
    edit = Editor(graph, products[0])
    width = constant_matrix(products[0].inputs[1]).shape[0]
    x = source
    if choice.factors is not None and group is not None:
        x = edit.op("Mul", [x, edit.constant(f"{group}.smooth", 1 / choice.factors)], f"{name}.smoothed")
    last = edit.constant("axis.last", np.array([-1], np.int64))
    magnitude = x if choice.zero != 128 else edit.op("Abs", [x], f"{name}.magnitude")
    row = edit.op("ReduceMax", [magnitude, last], f"{name}.row_maximum", {"keepdims": 1})
    if choice.floor > TINY:
        floor = edit.constant(f"floor.{choice.floor!r}", np.array(choice.floor, np.float32))
        row = edit.op("Max", [row, floor], f"{name}.floored")
    step = edit.constant(f"levels.{_levels(choice.zero)}", np.array(1 / _levels(choice.zero), np.float32))
    scale = edit.op("Mul", [row, step], f"{name}.scale")
    zero = edit.constant(f"zero.{choice.zero}", np.array(choice.zero, np.uint8))
    key = f"zeros.{choice.zero}.{[str(d) for d in (source.shape or [name])[:-1]]}"
    zeros = shared.get(key)
    if zeros is None:
        shape = edit.op("Shape", [scale], f"{name}.scale_shape")
        zeros = shared[key] = edit.op("Expand", [zero, shape], f"{name}.zeros")
    quantized = edit.op("QuantizeLinear", [x, scale, zeros], f"{name}.quantized", {"axis": -1, "block_size": width})
    for product in products:
        _product(graph, product, quantized, scale, zero, choice)


def _product(
    graph: ir.Graph, product: ir.Node, quantized: ir.Value, scale: ir.Value, zero: ir.Value, choice: Choice
) -> None:
    edit = Editor(graph, product)
    weight = product.inputs[1]
    if weight is None:
        raise ValueError("a linear layer without a weight")
    array = constant_matrix(weight)
    matrix, column_scale = quantize_columns(array if choice.factors is None else array * choice.factors[:, None])
    name = product.outputs[0].name or "product"
    inputs = [
        quantized,
        edit.constant(f"{weight.name}.int8", matrix),
        edit.constant("scale.one", np.array(1, np.float32)),
        edit.constant(f"{weight.name}.scale", column_scale),
        zero,
    ]
    whole = edit.op("MatMulIntegerToFloat", inputs, f"{name}.unscaled", domain=MICROSOFT)
    whole.type = ir.TensorType(ir.DataType.FLOAT)
    replace(product, edit.op("Mul", [whole, scale], f"{name}.scaled"))


def quantize_tables(model: ir.Model) -> int:
    """Embedding tables to symmetric int8 per row, in place. Returns how many lookups now read int8."""
    count = 0
    for node in nodes_of(model.graph, "", "Gather"):
        table = node.inputs[0]
        array = constant(table)
        if table is None or array is None or array.ndim != 2 or array.dtype != np.float32:
            continue
        if len(array) < _MINIMUM_TABLE_ROWS:
            continue
        edit = Editor(model.graph, node)
        matrix, scale = quantize_rows(array)
        name = f"{node.outputs[0].name}.row"
        integers = edit.constant(f"{table.name}.int8", matrix)
        scales = edit.constant(f"{table.name}.scale", scale[:, None])
        rows = edit.op("Gather", [integers, node.inputs[1]], f"{name}.int8", {"axis": 0})
        row_scales = edit.op("Gather", [scales, node.inputs[1]], f"{name}.scale", {"axis": 0})
        floats = edit.op("Cast", [rows], f"{name}.float", {"to": ir.DataType.FLOAT.value})
        replace(node, edit.op("Mul", [floats, row_scales], f"{name}.scaled"))
        count += 1
    clean(model)
    return count
