"""From the placeholders of a packed trace to ONNX Runtime's operators on CPU.

The graph gains the inputs that describe a group of texts (built by `runtime/packing.py`):

- `unpack [B, S]` int64: the pack's row for each cell of the padded grid; cells past a text's end hold 0.
- `pack [T]` int64: the cell of the flattened grid for each row of the pack.
- `lengths [B]` int32: tokens of each text.
"""

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from .attention import DOMAIN
from .fold import fold_residual_biases
from .graph import Editor, clean, constant, nodes_of, replace, through_views

_FLOAT = ir.TensorType(ir.DataType.FLOAT)

Attend = Callable[["Editor", "Grid", ir.Node, Sequence[ir.Value], str], ir.Value]
"""Inserts one attention: editor, grid, placeholder, query, key and value on the grid, name of the layer."""

# Far below any score, and far enough from the lowest float that the key mask can be added to it.
_SCORES = (("open", 0.0), ("shut", -1e30))


def lower_for_cpu(model: ir.Model) -> int:
    """Replace every placeholder, in place. Returns how many fused attention operators the graph now has."""
    count = lower_to_grid(model, _standard_attention)
    fold_residual_biases(model.graph)
    clean(model)
    return count


def lower_to_grid(model: ir.Model, attend: "Attend") -> int:
    """Replace every placeholder by operators on the padded grid, in place; `attend` inserts the attention operator.

    Returns how many fused attention operators the graph now has.
    """
    graph = model.graph
    grid = Grid(graph)
    attentions = list(nodes_of(graph, DOMAIN, "PackedAttention"))
    for number, node in enumerate(attentions):
        _attention(graph, grid, node, attend, f"attention.{number}")
    for node in nodes_of(graph, DOMAIN, "PackedFirst"):
        edit = Editor(graph, node)
        replace(node, edit.op("Gather", [node.inputs[0], grid.first(edit)], "first.hidden", {"axis": 0}))
    for node in nodes_of(graph, DOMAIN, "PackedLast"):
        edit = Editor(graph, node)
        replace(node, edit.op("Gather", [node.inputs[0], grid.last(edit)], "last.hidden", {"axis": 0}))
    for node in nodes_of(graph, DOMAIN, "PackedMean"):
        replace(node, _mean(Editor(graph, node), grid, node.inputs[0]))
    clean(model)
    return len(attentions)


class Grid:
    """The inputs that describe the padded grid, and row indices derived from them once for all layers."""

    def __init__(self, graph: ir.Graph) -> None:
        self._graph = graph
        self.unpack = self._input("unpack", ir.DataType.INT64, ["B", "S"])
        self.pack = self._input("pack", ir.DataType.INT64, ["T"])
        self.lengths = self._input("lengths", ir.DataType.INT32, ["B"])
        self._rows: list[ir.Value] = []
        self._windows: dict[int, ir.Value] = {}
        self._relative: dict[str, ir.Value] = {}
        self._keys: ir.Value | None = None

    def _input(self, name: str, dtype: ir.DataType, shape: list[str]) -> ir.Value:
        for value in self._graph.inputs:
            if value.name == name:
                return value
        value = ir.Value(name=name, type=ir.TensorType(dtype), shape=ir.Shape(shape))
        self._graph.inputs.append(value)
        return value

    def first(self, edit: Editor) -> ir.Value:
        """Row of each text's first token. Shape: `[B]`."""
        column = edit.constant("first.column", np.array(0, np.int64))
        return edit.op("Gather", [self.unpack, column], "first.rows", {"axis": 1})

    def last(self, edit: Editor) -> ir.Value:
        """Row of each text's last token: where the lengths so far end. Shape: `[B]`."""
        axis = edit.constant("last.axis", np.array(0, np.int64))
        ends = edit.op("CumSum", [self.lengths, axis], "last.ends")
        ends.type = ir.TensorType(ir.DataType.INT32)
        one = edit.constant("last.one", np.array(1, np.int32))
        return edit.op("Sub", [ends, one], "last.rows")

    def keys(self) -> ir.Value:
        """`lengths` as the standard operator reads them. Shape: `[B]` int64."""
        if self._keys is None:
            edit = Editor(self._graph, self._graph[0])
            self._keys = edit.op("Cast", [self.lengths], "grid.keys", {"to": ir.DataType.INT64.value})
            self._keys.type = ir.TensorType(ir.DataType.INT64)
        return self._keys

    def window(self, size: int) -> ir.Value:
        """What is added to the scores so that a token sees those at a distance below `size`. Shape: `[1, 1, S, S]`."""
        if size not in self._windows:
            edit = Editor(self._graph, self._graph[0])
            name = f"window.{size}"
            zero, one = (edit.constant(f"window.{n}", np.array(n, np.int64)) for n in (0, 1))
            grid = edit.op("Shape", [self.unpack], f"{name}.grid")
            longest = edit.op("Gather", [grid, one], f"{name}.longest", {"axis": 0})
            places = edit.op("Range", [zero, longest, one], f"{name}.places")
            down = edit.op("Unsqueeze", [places, edit.constant("window.down", np.array([1], np.int64))], f"{name}.down")
            distance = edit.op("Abs", [edit.op("Sub", [down, places], f"{name}.signed")], f"{name}.distance")
            seen = edit.op("Less", [distance, edit.constant(f"{name}.size", np.array(size, np.int64))], f"{name}.seen")
            open_, shut = (edit.constant(f"window.{n}", np.array(v, np.float32)) for n, v in _SCORES)
            added = edit.op("Where", [seen, open_, shut], f"{name}.added")
            added.type = _FLOAT
            axes = edit.constant("window.axes", np.array([0, 1], np.int64))
            self._windows[size] = edit.op("Unsqueeze", [added, axes], f"{name}.bias")
            self._windows[size].type = _FLOAT
        return self._windows[size]

    def relative(self, table: ir.Value) -> ir.Value:
        """Scores by distance of key and query, cut to the table's reach. Shape: `[1, heads, S, S]`."""
        key = table.name or "relative"
        if key not in self._relative:
            edit = Editor(self._graph, self._graph[0])
            array = constant(table)
            if array is None:
                raise ValueError("relative positions without a constant table")
            reach = (len(array) - 1) // 2
            zero, one = (edit.constant(f"window.{n}", np.array(n, np.int64)) for n in (0, 1))
            grid = edit.op("Shape", [self.unpack], f"{key}.grid")
            longest = edit.op("Gather", [grid, one], f"{key}.longest", {"axis": 0})
            places = edit.op("Range", [zero, longest, one], f"{key}.places")
            down = edit.op("Unsqueeze", [places, edit.constant("window.down", np.array([1], np.int64))], f"{key}.down")
            limits = [edit.constant(f"{key}.{n}", np.array(n * reach, np.int64)) for n in (-1, 1)]
            cut = edit.op("Clip", [edit.op("Sub", [places, down], f"{key}.signed"), *limits], f"{key}.cut")
            row = edit.op("Add", [cut, limits[1]], f"{key}.row")
            scores = edit.op("Gather", [table, row], f"{key}.scores", {"axis": 0})
            turned = edit.op("Transpose", [scores], f"{key}.turned", {"perm": [2, 0, 1]})
            turned.type = _FLOAT
            axes = edit.constant(f"{key}.axes", np.array([0], np.int64))
            self._relative[key] = edit.op("Unsqueeze", [turned, axes], f"{key}.bias")
            self._relative[key].type = _FLOAT
        return self._relative[key]

    def interleaved(self) -> list[ir.Value]:
        """Rows of query, key and value where the three lie side by side: `3 * unpack + (0, 1, 2)`."""
        if not self._rows:
            edit = Editor(self._graph, self._graph[0])
            three = edit.constant("grid.three", np.array(3, np.int64))
            self._rows.append(edit.op("Mul", [self.unpack, three], "grid.query_rows"))
            for name, step in (("grid.key_rows", 1), ("grid.value_rows", 2)):
                offset = edit.constant(f"{name}.offset", np.array(step, np.int64))
                self._rows.append(edit.op("Add", [self._rows[0], offset], name))
        return self._rows


def linear(value: ir.Value | None) -> tuple[ir.Node, ir.Value] | None:
    """The MatMul and bias behind a projection `x @ weight + bias` with constant weight and bias."""
    add = v.producer() if (v := through_views(value)) is not None else None
    if add is None or add.op_type != "Add" or constant(add.inputs[1]) is None:
        return None
    product = add.inputs[0].producer() if add.inputs[0] is not None else None
    if product is None or product.op_type != "MatMul" or constant(product.inputs[1]) is None:
        return None
    bias = add.inputs[1]
    return (product, bias) if bias is not None else None


def _attention(graph: ir.Graph, grid: Grid, node: ir.Node, attend: Attend, name: str) -> None:
    edit = Editor(graph, node)
    width = _width(node.inputs[0])
    rows = edit.constant(f"rows.{width}", np.array([-1, width], np.int64))
    projections = [linear(x) for x in node.inputs[:3]]
    found = [p for p in projections if p is not None]
    if len(found) == 3 and len({id(product.inputs[0]) for product, _ in found}) == 1:
        merged = edit.op("Reshape", [_merge(edit, found, name), rows], f"{name}.projected_rows")
        indices = grid.interleaved()
        spread = [
            edit.op("Gather", [merged, i], f"{name}.{part}", {"axis": 0})
            for part, i in zip(_PARTS, indices, strict=True)
        ]
    else:
        spread = [
            edit.op("Gather", [x, grid.unpack], f"{name}.{part}", {"axis": 0})
            for part, x in zip(_PARTS, node.inputs[:3], strict=True)
        ]
    mixed = attend(edit, grid, node, spread, name)
    mixed.type = _FLOAT
    width = _width(node.inputs[2])
    rows = edit.constant(f"rows.{width}", np.array([-1, width], np.int64))
    flat = edit.op("Reshape", [mixed, rows], f"{name}.flat")
    packed = edit.op("Gather", [flat, grid.pack], f"{name}.packed", {"axis": 0})
    packed.shape = node.outputs[0].shape
    replace(node, packed)


def _standard_attention(edit: Editor, grid: Grid, node: ir.Node, spread: Sequence[ir.Value], name: str) -> ir.Value:
    """ONNX's own `Attention`, of opset 24.

    On short texts it takes half the time of `com.microsoft::MultiHeadAttention`, and like that one it gives a text the
    same bits however far it is padded (benchmarks/attention.py).
    """
    heads = node.attributes["num_heads"].as_int()
    attributes: dict[str, int | float] = {
        "q_num_heads": heads, "kv_num_heads": heads, "scale": node.attributes["scale"].as_float(),
    }  # fmt: skip
    # Padding stands at the end, where a causal layer does not look; told the lengths, the operator would count
    # positions from there, as if keys came from a cache.
    causal = bool(node.attributes["causal"].as_int())
    if causal:
        attributes["is_causal"] = 1
    added = scores(grid, node)
    inputs = [*spread, added] if causal else [*spread, added, None, None, grid.keys()]
    return edit.op("Attention", inputs, f"{name}.mixed", attributes)


def scores(grid: Grid, node: ir.Node) -> ir.Value | None:
    """What a layer adds to its scores: a window, relative positions, or nothing."""
    if window := node.attributes["window"].as_int():
        return grid.window(window)
    if len(node.inputs) > 3 and node.inputs[3] is not None:
        return grid.relative(node.inputs[3])
    return None


def _mean(edit: Editor, grid: Grid, hidden: ir.Value | None) -> ir.Value:
    """Mean of each text's rows. Shape: `[T, H]` -> `[B, H]`.

    By a running sum, which adds row after row: a sum or a product over the grid adds in an order that depends on how
    far the text is padded, and the answer to a text would depend on its neighbours.
    """
    width = _width(hidden)
    spread = edit.op("Gather", [hidden, grid.unpack], "mean.spread", {"axis": 0})
    sums = edit.op("CumSum", [spread, edit.constant("mean.axis", np.array(1, np.int64))], "mean.sums")
    sums.type = _FLOAT
    flat = edit.op("Reshape", [sums, edit.constant(f"rows.{width}", np.array([-1, width], np.int64))], "mean.flat")
    cells = edit.op("Gather", [grid.pack, grid.last(edit)], "mean.cells", {"axis": 0})
    total = edit.op("Gather", [flat, cells], "mean.total", {"axis": 0})
    counts = edit.op("Cast", [grid.lengths], "mean.counts", {"to": ir.DataType.FLOAT.value})
    counts.type = _FLOAT
    column = edit.op("Unsqueeze", [counts, edit.constant("mean.column", np.array([1], np.int64))], "mean.divisor")
    return edit.op("Div", [total, column], "mean.hidden")


def _width(value: ir.Value | None) -> int:
    width = value.shape[1] if value is not None and value.shape is not None else None
    if not isinstance(width, int):
        raise ValueError("attention of unknown width")
    return width


_PARTS = ("query", "key", "value")


def _merge(edit: Editor, projections: list[tuple[ir.Node, ir.Value]], name: str) -> ir.Value:
    """One product and one sum for query, key and value, which share their input.

    Weights are named after their sources, so that layers that share weights (ALBERT) share the merged one too.
    """
    weights = [product.inputs[1] for product, _ in projections]
    biases = [bias for _, bias in projections]
    arrays = [constant(w) for w in weights]
    weight_name = "+".join(w.name or "" for w in weights if w is not None)
    bias_name = "+".join(b.name or "" for b in biases)
    weight = edit.constant(weight_name, np.concatenate([a for a in arrays if a is not None], axis=1))
    bias = edit.constant(bias_name, np.concatenate([a for a in map(constant, biases) if a is not None]))
    source = projections[0][0]
    merged = edit.op("MatMul", [source.inputs[0], weight], f"{name}.projected")
    node = merged.producer()
    if node is not None:
        node.metadata_props.update(source.metadata_props)
    return edit.op("Add", [merged, bias], f"{name}.biased")
