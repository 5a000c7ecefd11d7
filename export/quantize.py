"""Linear layers to int8: which there are, and the operators that stand for them. Their numbers come from `scales`.

Where rows have their own steps, each takes a search for its largest magnitude before the product and a multiplication
behind it. With one step for all rows, as behind layer norms, both are gone: the product itself knows the step, and adds
the bias.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from . import scales
from .fold import approximate_gelu, fold_into_values, only_bias
from .graph import MICROSOFT, Editor, clean, constant, nodes_of, replace, scope, through_views
from .scales import FIXED_LOSS, SMOOTHING_GAIN, TINY, Choice, Observed

Floats = NDArray[np.float32]

_GELU_MINIMUM = 0.17005  # |min of x * Phi(x)|, rounded up; the tanh approximation's minimum is not below it
_LOWER_BOUND = {"Gelu": _GELU_MINIMUM, "Relu": 0.0}
_MINIMUM_TABLE_ROWS = 256
_CHOSEN_COLUMNS = 8192


@dataclass
class Linear:
    """Linear layers that share one quantized input, or one weight; they get the same smoothing factors.

    Attributes:
        inputs: values that feed the layers; more than one where layers share weights.
        products: the MatMul nodes, grouped by input in the order of `inputs`.
        weights: distinct weight initializers `[in, out]`.
        bound: largest magnitude a negative input can have, None where unknown.
        normalized: whether all inputs come straight from layer norms.
    """

    inputs: list[ir.Value]
    products: list[list[ir.Node]]
    weights: list[ir.Value]
    bound: float | None
    normalized: bool


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
        group = found.setdefault(key, Linear([], [], weights, _lower_bound(source), True))
        group.normalized &= _is_normalized(source)
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


def _is_normalized(value: ir.Value) -> bool:
    seen = through_views(value)
    producer = None if seen is None else seen.producer()
    return producer is not None and producer.op_type == "LayerNormalization"


def _lower_bound(value: ir.Value) -> float | None:
    producer = value.producer()
    return None if producer is None else _LOWER_BOUND.get(producer.op_type)


def constant_matrix(weight: ir.Value | None) -> Floats:
    """The constant behind a linear layer's weight. Shape: `[in, out]`."""
    array = constant(weight)
    if array is None:
        raise ValueError("a linear layer without a constant weight")
    return np.asarray(array, np.float32)


def plan(
    groups: Iterable[Linear],
    observed: Mapping[str, Observed],
    gain: float = SMOOTHING_GAIN,
    loss: float = FIXED_LOSS,
) -> list[Choice]:
    """How each group would be quantized; `observed` has an entry for every input's name. See `scales.choose`.

    One step for all rows is thought of behind a layer norm only: that gives all rows one size, also those that
    calibration never saw. What attention and a GELU give grows to many times the range that some texts show.
    """
    return [
        scales.choose(merged(group, observed), _weights(group), group.bound, gain, loss if group.normalized else 0.0)
        for group in groups
    ]


def merged(group: Linear, observed: Mapping[str, Observed]) -> Observed:
    """What calibration saw of all inputs of a group, as if they were one."""
    seen = [observed[x.name or ""] for x in group.inputs]
    least, most = np.min([o.least for o in seen], axis=0), np.max([o.most for o in seen], axis=0)
    return Observed(least, most, np.concatenate([o.rows for o in seen]), sum(o.count for o in seen))


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
        for index, products in enumerate(group.products):
            smoothed = choice.factors is not None and number not in folded
            _rewrite(model.graph, products, choice, smoothed, f"linear.{number}", f"linear.{number}.{index}", shared)
    approximate_gelu(model.graph, [x for _, group, _ in chosen for x in group.inputs])
    clean(model)


def _folds(graph: ir.Graph, group: Linear, choice: Choice) -> bool:
    """Whether the smoothing of a group's input was moved upstream."""
    if choice.factors is None or len(group.inputs) != 1:
        return False
    return fold_into_values(graph, group.inputs[0], choice.factors)


def _rewrite(
    graph: ir.Graph,
    products: list[ir.Node],
    choice: Choice,
    smoothed: bool,
    group: str,
    name: str,
    shared: dict[str, ir.Value],
) -> None:
    edit = Editor(graph, products[0])
    source = products[0].inputs[0]  # another value than the group's where the layer that gives it was rewritten
    if source is None:
        raise ValueError("a linear layer without an input")
    x = source
    if smoothed and choice.factors is not None:
        x = edit.op("Mul", [x, edit.constant(f"{group}.smooth", 1 / choice.factors)], f"{name}.smoothed")
    if choice.step is None:
        rows = str([str(d) for d in source.shape[:-1]]) if source.shape else name
        width = len(constant_matrix(products[0].inputs[1]))
        quantized, scale = _by_rows(edit, x, rows, width, choice, name, shared)
    else:
        scale = edit.constant(f"{name}.step", np.array(choice.step, np.float32))
        quantized = edit.op("QuantizeLinear", [x, scale, _zero(edit, choice)], f"{name}.quantized")
    for product in products:
        _product(graph, product, quantized, scale, choice, group)


def _by_rows(
    edit: Editor, x: ir.Value, rows: str, width: int, choice: Choice, name: str, shared: dict[str, ir.Value]
) -> tuple[ir.Value, ir.Value]:
    """A value in integers, each row by its own step, and those steps.

    Shape: `[..., width]` -> `[..., width]`, `[..., 1]`.

    Args:
        rows: names the shape in front of `width`: values that have it in common share their zero points.
    """
    last = edit.constant("axis.last", np.array([-1], np.int64))
    magnitude = x if choice.zero != 128 else edit.op("Abs", [x], f"{name}.magnitude")
    row = edit.op("ReduceMax", [magnitude, last], f"{name}.row_maximum", {"keepdims": 1})
    if choice.floor > TINY:
        floor = edit.constant(f"floor.{choice.floor!r}", np.array(choice.floor, np.float32))
        row = edit.op("Max", [row, floor], f"{name}.floored")
    share = edit.constant(f"levels.{scales.levels(choice.zero)}", np.array(1 / scales.levels(choice.zero), np.float32))
    scale = edit.op("Mul", [row, share], f"{name}.scale")
    key = f"zeros.{choice.zero}.{rows}"
    zeros = shared.get(key)
    if zeros is None:
        shape = edit.op("Shape", [scale], f"{name}.scale_shape")
        zeros = shared[key] = edit.op("Expand", [_zero(edit, choice), shape], f"{name}.zeros")
    attributes = {"axis": -1, "block_size": width}
    return edit.op("QuantizeLinear", [x, scale, zeros], f"{name}.quantized", attributes), scale


def _zero(edit: Editor, choice: Choice) -> ir.Value:
    return edit.constant(f"zero.{choice.zero}", np.array(choice.zero, np.uint8))


def _product(
    graph: ir.Graph, product: ir.Node, quantized: ir.Value, scale: ir.Value, choice: Choice, group: str
) -> None:
    edit = Editor(graph, product)
    weight = product.inputs[1]
    if weight is None:
        raise ValueError("a linear layer without a weight")
    array = constant_matrix(weight)
    matrix, column_scale = scales.quantize_columns(array if choice.factors is None else array * choice.factors[:, None])
    name = product.outputs[0].name or "product"
    fixed = choice.step is not None
    inputs: list[ir.Value | None] = [
        quantized,
        edit.constant(f"{group}.{weight.name}.int8", matrix),  # another group may divide other factors out of it
        scale if fixed else edit.constant("scale.one", np.array(1, np.float32)),
        edit.constant(f"{group}.{weight.name}.scale", column_scale),
        _zero(edit, choice),
    ]
    last = product
    if fixed and (found := only_bias(product)) is not None and not _has_its_own_bias(found[0]):
        last = found[0]
        inputs += [None, last.inputs[found[1]]]
    whole = Editor(graph, last).op("MatMulIntegerToFloat", inputs, f"{name}.product", domain=MICROSOFT)
    whole.type = ir.TensorType(ir.DataType.FLOAT)
    made = whole if fixed else edit.op("Mul", [whole, scale], f"{name}.scaled")
    made.shape = last.outputs[0].shape
    replace(last, made)


def _has_its_own_bias(total: ir.Node) -> bool:
    """Whether what reads a sum will add the bias itself, see `approximate_gelu`."""
    return any(use.node.op_type == "Gelu" for use in total.outputs[0].uses())


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
        matrix, scale = scales.quantize_rows(array)
        name = f"{node.outputs[0].name}.row"
        integers = edit.constant(f"{table.name}.int8", matrix)
        steps = edit.constant(f"{table.name}.scale", scale[:, None])
        rows = edit.op("Gather", [integers, node.inputs[1]], f"{name}.int8", {"axis": 0})
        row_scales = edit.op("Gather", [steps, node.inputs[1]], f"{name}.scale", {"axis": 0})
        floats = edit.op("Cast", [rows], f"{name}.float", {"to": ir.DataType.FLOAT.value})
        replace(node, edit.op("Mul", [floats, row_scales], f"{name}.scaled"))
        count += 1
    clean(model)
    return count
