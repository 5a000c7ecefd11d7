"""From the placeholders of a packed trace to ONNX Runtime's operators on CUDA, which run on packs without any padding.

The graph gains the inputs that `PackedMultiHeadAttention` reads (built by `runtime/packing.py`):

- `token_offset [B, S]` int32: cells of the flattened padded grid, those of tokens first, then those of padding.
- `cumulative_sequence_length [B + 1]` int32: where in the pack each text starts, and the pack's length.

No query, key or value is ever spread to the padded grid, as on CPU; the operator exists for CUDA alone.
"""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from .attention import DOMAIN
from .graph import MICROSOFT, Editor, clean, constant, nodes_of, replace
from .lower import Grid, linear, lower_to_grid, scores

_PLACEHOLDERS = {"PackedAttention", "PackedFirst"}
_ATTRIBUTES = {"num_heads", "scale"}


def lower_for_cuda(model: ir.Model) -> int:
    """Replace every placeholder, in place. Returns how many fused attention operators the graph now has.

    `PackedMultiHeadAttention` is attention among all tokens of a text with as many keys as queries. Where a model asks
    for anything else, all its layers take `MultiHeadAttention` on the padded grid, which CUDA has as well.
    """
    graph = model.graph
    attentions = list(nodes_of(graph, DOMAIN, "PackedAttention"))
    placeholders = {node.op_type for node in graph if node.domain == DOMAIN}
    if not placeholders <= _PLACEHOLDERS or not all(map(_is_plain, attentions)):
        return lower_to_grid(model, _multi_head_attention)
    offset = _input(graph, "token_offset", ["B", "S"])
    starts = _input(graph, "cumulative_sequence_length", ["B+1"])
    for number, node in enumerate(attentions):
        _attention(graph, node, [offset, starts], f"attention.{number}")
    for node in nodes_of(graph, DOMAIN, "PackedFirst"):
        edit = Editor(graph, node)
        zero, last = (edit.constant(f"first.{n}", np.array([n], np.int64)) for n in (0, -1))
        rows = edit.op("Slice", [starts, zero, last], "first.rows")
        replace(node, edit.op("Gather", [node.inputs[0], rows], "first.hidden", {"axis": 0}))
    clean(model)
    return len(attentions)


def _is_plain(node: ir.Node) -> bool:
    """Whether a layer is attention among all tokens of a text, with keys and values as wide as queries."""
    asked = {name for name, attribute in node.attributes.items() if name not in _ATTRIBUTES and attribute.as_int() != 0}
    widths = {x.shape[-1] for x in node.inputs if x is not None and x.shape is not None}
    return not asked and len(widths) == 1


def _multi_head_attention(edit: Editor, grid: Grid, node: ir.Node, spread: Sequence[ir.Value], name: str) -> ir.Value:
    # The key mask is passed even when all lengths are equal: without it another kernel runs, with other rounding, and
    # the answer to a text would depend on its neighbours.
    attributes = {"num_heads": node.attributes["num_heads"].as_int(), "scale": node.attributes["scale"].as_float()}
    if node.attributes["causal"].as_int():
        attributes["unidirectional"] = 1
    inputs = [*spread, None, grid.lengths]
    if (added := scores(grid, node)) is not None:
        inputs.append(added)
    return edit.op("MultiHeadAttention", inputs, f"{name}.mixed", attributes, MICROSOFT)


def _input(graph: ir.Graph, name: str, shape: list[str]) -> ir.Value:
    value = ir.Value(name=name, type=ir.TensorType(ir.DataType.INT32), shape=ir.Shape(shape))
    graph.inputs.append(value)
    return value


def _attention(graph: ir.Graph, node: ir.Node, layout: list[ir.Value], name: str) -> None:
    edit = Editor(graph, node)
    heads, scale = node.attributes["num_heads"].as_int(), node.attributes["scale"].as_float()
    found = [p for p in map(linear, node.inputs) if p is not None]
    if len(found) == 3 and len({id(product.inputs[0]) for product, _ in found}) == 1:
        inputs: list[ir.Value | None] = [_merged(edit, found, heads, name), None, None]
    else:
        inputs = list(node.inputs)
    mixed = edit.op(
        "PackedMultiHeadAttention",
        [*inputs, None, *layout],
        f"{name}.mixed",
        {"num_heads": heads, "scale": scale},
        MICROSOFT,
    )
    mixed.type, mixed.shape = ir.TensorType(ir.DataType.FLOAT), node.outputs[0].shape
    replace(node, mixed)


def _merged(edit: Editor, projections: list[tuple[ir.Node, ir.Value]], heads: int, name: str) -> ir.Value:
    """One product for query, key and value, head by head, as the operator reads it. Shape: `[T, heads, 3, size]`."""
    weights = [product.inputs[1] for product, _ in projections]
    biases = [bias for _, bias in projections]
    weight, bias = (
        np.stack([np.asarray(constant(v)) for v in values], axis=-2) for values in (weights, biases)
    )  # [in, 3, width] and [3, width]
    width = weight.shape[-1]
    size = width // heads
    shuffled = weight.reshape(-1, 3, heads, size).swapaxes(1, 2).reshape(-1, 3 * width)
    shuffled_bias = bias.reshape(3, heads, size).swapaxes(0, 1).reshape(3 * width)
    label = "+".join(w.name or "" for w in weights if w is not None)
    product = edit.op(
        "MatMul", [projections[0][0].inputs[0], edit.constant(f"{label}.heads", shuffled)], f"{name}.projected"
    )
    total = edit.op("Add", [product, edit.constant(f"{label}.bias.heads", shuffled_bias)], f"{name}.biased")
    shape = edit.constant(f"heads.{heads}.{size}", np.array([-1, heads, 3, size], np.int64))
    return edit.op("Reshape", [total, shape], f"{name}.heads")
