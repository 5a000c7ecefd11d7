"""Small steps on an ONNX graph: read and add constants, insert operators, look upstream, clean up."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.passes import common

MICROSOFT = "com.microsoft"  # ONNX Runtime's own operators
_VIEWS = {"Reshape", "Unsqueeze", "Squeeze", "Identity"}

Attribute = int | float | str | Sequence[int]


def constant(value: ir.Value | None) -> NDArray[Any] | None:
    """The array behind an initializer, None where the value is computed."""
    if value is None or value.const_value is None or not value.is_initializer():
        return None
    return np.asarray(value.const_value.numpy())


def through_views(value: ir.Value | None) -> ir.Value | None:
    """Walk upstream past operators that only change the shape, so that the same data in the same order is returned."""
    while value is not None and (node := value.producer()) is not None and node.op_type in _VIEWS:
        value = node.inputs[0]
    return value


def scope(node: ir.Node) -> str:
    """Dotted name of the torch module that a traced node came from, empty where none is recorded."""
    scopes = node.metadata_props.get("pkg.torch.onnx.name_scopes", "[]")
    names = [part.strip(" '\"") for part in scopes.strip("[]").split(",")]
    modules = [name for name in names[:-1] if name]
    return modules[-1] if modules else ""


class Editor:
    """Inserts operators before a node of a graph.

    Constants are shared by name: the first array given for a name is the one that stays.
    """

    def __init__(self, graph: ir.Graph, before: ir.Node) -> None:
        self.graph = graph
        self.before = before

    def constant(self, name: str, array: NDArray[Any]) -> ir.Value:
        """The initializer `name`, made from `array` where there is none yet."""
        existing = self.graph.initializers.get(name)
        if existing is not None:
            return existing
        tensor = ir.tensor(np.asarray(array, order="C"), name=name)
        value = ir.Value(name=name, shape=ir.Shape(array.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
        self.graph.register_initializer(value)
        return value

    def op(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        name: str,
        attributes: Mapping[str, Attribute] | None = None,
        domain: str = "",
    ) -> ir.Value:
        """Insert one operator; returns its single output, called `name`."""
        node = ir.node(op_type, inputs, dict(attributes or {}), domain=domain, name=f"node:{name}")
        if domain == MICROSOFT:
            node.version = 1
        output = node.outputs[0]
        output.name = name
        output.type = next((x.type for x in inputs if x is not None), None) if op_type in _KEEPS_TYPE else None
        self.graph.insert_before(self.before, node)
        return output


_KEEPS_TYPE = {"Mul", "Add", "Sub", "Div", "Reshape", "Gather", "MatMul", "Max", "Abs", "ReduceMax"}


def replace(node: ir.Node, value: ir.Value) -> None:
    """Let `value` stand wherever the node's first output stood, under its name when that is a graph output."""
    graph = node.graph
    old = node.outputs[0]
    if graph is None:
        raise ValueError("the node is in no graph")
    if old.is_graph_output():
        old.name, value.name = f"{old.name}:replaced", old.name
        value.type, value.shape = old.type, old.shape
    old.replace_all_uses_with(value, replace_graph_outputs=True)
    graph.remove(node, safe=True)


def nodes_of(graph: ir.Graph, domain: str, op_type: str) -> Iterator[ir.Node]:
    """Nodes of one operator, from a snapshot, so that the caller may edit the graph."""
    yield from [node for node in graph if node.domain == domain and node.op_type == op_type]


def turn_constants(graph: ir.Graph) -> None:
    """Matrices that are transposed while the graph runs become constants as they are read, in place."""
    for node in nodes_of(graph, "", "Transpose"):
        array = constant(node.inputs[0])
        if array is not None and array.ndim == 2:
            edit = Editor(graph, node)
            replace(node, edit.constant(f"{node.inputs[0].name}.turned", np.ascontiguousarray(array.T)))  # type: ignore[union-attr]


def clean(model: ir.Model) -> None:
    """Drop what nothing uses and what only a debugger needs: dead nodes, initializers, names of source lines."""
    common.LiftConstantsToInitializersPass(lift_all_constants=True)(model)
    common.IdentityEliminationPass()(model)
    common.RemoveUnusedNodesPass()(model)
    common.DeduplicateInitializersPass()(model)
    common.RemoveUnusedNodesPass()(model)
    common.RemoveUnusedOpsetsPass()(model)
    common.NameFixPass()(model)
    used = {node.domain for node in model.graph}
    for domain in used - set(model.graph.opset_imports):
        model.graph.opset_imports[domain] = 1


def strip(model: ir.Model) -> None:
    """Drop the exporter's metadata (source paths, stack traces), which would otherwise travel in a bundle."""
    common.ClearMetadataAndDocStringPass()(model)
    model.metadata_props.clear()
    model.graph.metadata_props.clear()
    for node in model.graph:
        node.metadata_props.clear()
        for output in node.outputs:
            output.metadata_props.clear()
    for value in (*model.graph.inputs, *model.graph.initializers.values()):
        value.metadata_props.clear()


def in_memory(model: ir.Model, weights_name: str) -> tuple[bytes, bytes]:
    """A graph and its weights as ONNX external data, the model left as it is: what a session reads beyond 2 GiB too."""
    blob = bytearray()
    moved: list[tuple[ir.Value, ir.TensorProtocol]] = []
    try:
        for value in model.graph.initializers.values():
            tensor = value.const_value
            if tensor is None or tensor.nbytes < 1024:
                continue
            blob.extend(bytes(-len(blob) % 64))
            moved.append((value, tensor))
            value.const_value = ir.ExternalTensor(
                weights_name,
                len(blob),
                tensor.nbytes,
                tensor.dtype,
                shape=cast(ir.Shape, tensor.shape),
                name=value.name or "",
            )
            blob.extend(tensor.tobytes())
        return ir.to_proto(model).SerializeToString(), bytes(blob)
    finally:
        for value, tensor in moved:
            value.const_value = tensor
