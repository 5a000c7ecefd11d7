"""Element-wise steps that need not be taken for every token: they are moved into constants, or into a cheaper operator.

- A bias before a residual sum is added once, to the layer norm whose output the sum adds (`fold_residual_biases`).
- Smoothing factors of what attention gives are divided out of the values' columns (`fold_into_values`).
- GELU behind an integer product takes the tanh form, with its bias in the same pass (`approximate_gelu`).
"""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from .graph import MICROSOFT, Editor, constant, nodes_of, replace, through_views

Floats = NDArray[np.float32]


def fold_residual_biases(graph: ir.Graph) -> int:
    """Where a model adds `x + (f(x) + bias)`, x from a layer norm, let that layer norm give `x + bias`.

    Linear layers that read x as well get `c - bias @ W` in place of their bias c, so that they give what they gave.
    Returns how many sums are gone.
    """
    return sum(_fold_one(graph, node) for node in list(nodes_of(graph, "", "LayerNormalization")))


def _fold_one(graph: ir.Graph, norm: ir.Node) -> bool:
    shift = norm.inputs[2] if len(norm.inputs) > 2 else None
    beta = constant(shift)
    normed = norm.outputs[0]
    users = [use.node for use in normed.uses()]
    sums = [node for node in users if node.op_type == "Add"]
    products = [node for node in users if node.op_type == "MatMul"]
    if (
        beta is None
        or shift is None
        or normed.is_graph_output()
        or len(sums) != 1
        or len(sums) + len(products) < len(users)
    ):
        return False
    residual = sums[0]
    other = residual.inputs[1] if residual.inputs[0] is normed else residual.inputs[0]
    inner = _biased(other)
    outer = [only_bias(product) for product in products]
    if other is None or inner is None or len(other.uses()) != 1 or other.is_graph_output():
        return False
    total, bias_value = inner
    bias = constant(bias_value)
    if bias is None or bias.shape != beta.shape:
        return False
    edit = Editor(graph, norm)
    changes: list[tuple[ir.Node, int, ir.Value]] = []
    for product, found in zip(products, outer, strict=True):
        weight = constant(product.inputs[1])
        if found is None or weight is None or product.inputs[0] is not normed:
            return False
        node, index = found
        old = node.inputs[index]
        before = constant(old)
        if before is None or old is None:
            return False
        matrix = product.inputs[1]
        name = f"{old.name}-{bias_value.name}@{matrix.name if matrix is not None else ''}"
        changed = before.astype(np.float64) - bias.astype(np.float64) @ weight.astype(np.float64)
        changes.append((node, index, edit.constant(name, changed.astype(before.dtype))))
    for node, index, value in changes:
        node.replace_input_with(index, value)
    norm.replace_input_with(2, edit.constant(f"{shift.name}+{bias_value.name}", beta + bias))
    residual.replace_input_with(0 if residual.inputs[0] is other else 1, total)
    return True


def _biased(value: ir.Value | None) -> tuple[ir.Value, ir.Value] | None:
    """What is summed with a constant vector, and that vector."""
    node = None if value is None else value.producer()
    if node is None or node.op_type != "Add":
        return None
    for index in (0, 1):
        bias, total = node.inputs[index], node.inputs[1 - index]
        array = constant(bias)
        if array is not None and array.ndim == 1 and bias is not None and total is not None:
            return total, bias
    return None


def only_bias(product: ir.Node) -> tuple[ir.Node, int] | None:
    """The one sum with a constant vector of its columns that reads a product, and which of its inputs the vector is."""
    weight = constant(product.inputs[1])
    uses = list(product.outputs[0].uses())
    if len(uses) != 1 or product.outputs[0].is_graph_output() or uses[0].node.op_type != "Add":
        return None
    index = 1 - uses[0].idx
    array = constant(uses[0].node.inputs[index])
    fits = array is not None and weight is not None and array.shape == weight.shape[1:]
    return (uses[0].node, index) if fits else None


def fold_into_values(graph: ir.Graph, context: ir.Value, factors: Floats) -> bool:
    """Let attention give `context / factors`: its weighted sum keeps what is divided out of the values' columns.

    Only where query, key and value are one product with one bias, which nothing else reads; else returns False.

    Shape: factors `[heads * size]`.
    """
    node = _upstream(context, "Gather")
    node = None if node is None else _upstream(node.inputs[0], "Attention")
    if node is None or len(list(node.outputs[0].uses())) != 1:
        return False
    gather = _upstream(node.inputs[2], "Gather")
    total = None if gather is None else _upstream(gather.inputs[0], "Add")
    product = None if total is None else _upstream(total.inputs[0], "MatMul")
    found = None if product is None else only_bias(product)
    if product is None or found is None or found[0] is not total:
        return False
    matrix, bias = product.inputs[1], found[0].inputs[found[1]]
    weight, vector = constant(matrix), constant(bias)
    if weight is None or vector is None or matrix is None or bias is None or weight.shape[1] != 3 * len(factors):
        return False
    columns = np.concatenate([np.ones(2 * len(factors), np.float32), 1 / factors])
    edit = Editor(graph, product)
    product.replace_input_with(1, edit.constant(f"{matrix.name}.divided", weight * columns))
    found[0].replace_input_with(found[1], edit.constant(f"{bias.name}.divided", vector * columns))
    return True


def _upstream(value: ir.Value | None, operator: str) -> ir.Node | None:
    """The node of this operator that gives a value, seen through views."""
    value = through_views(value)
    node = None if value is None else value.producer()
    return node if node is not None and node.op_type == operator else None


def approximate_gelu(graph: ir.Graph, behind: Sequence[ir.Value]) -> int:
    """GELU with a constant bias by its tanh form (Hendrycks and Gimpel, 2016, arXiv:1606.08415), for these values.

    The two differ by less than 0.0005 anywhere, far less than a step of the integers that the next product reads; on
    a processor the tanh form with its bias takes half the time. Returns how many were changed.
    """
    count = 0
    for value in behind:
        node = value.producer()
        found = None if node is None or node.op_type != "Gelu" else _biased(node.inputs[0])
        if node is None or found is None:
            continue
        replace(node, Editor(graph, node).op("FastGelu", list(found), f"{value.name}.tanh", domain=MICROSOFT))
        count += 1
    return count
