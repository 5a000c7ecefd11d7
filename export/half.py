"""A float32 graph -> float16: weights and arithmetic, with outputs cast back, so that a caller sees float32 as ever."""

import numpy as np
import onnx_ir as ir

from .. import ExportError
from .graph import Editor, clean

_LARGEST = float(np.finfo(np.float16).max)
_FLOAT, _HALF = ir.DataType.FLOAT, ir.DataType.FLOAT16


def to_half(model: ir.Model) -> None:
    """Convert in place. Values past float16's range (masks of -3e38) become its largest magnitude.

    Raises:
        ExportError: the graph has nested graphs, whose types are not followed.
    """
    graph = model.graph
    for node in graph:
        if any(a.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS) for a in node.attributes.values()):
            raise ExportError(
                "this architecture's graph has branches and cannot be converted to fp16",
                hint="leave fp16 out of --precision",
                code="precision_unsupported",
            )
        _retype(node)
        for output in node.outputs:
            if output.dtype == _FLOAT:
                output.type = ir.TensorType(_HALF)  # never .dtype: values share type objects
    for value in graph.initializers.values():
        tensor = value.const_value
        if tensor is not None and tensor.dtype == _FLOAT:
            value.const_value = ir.tensor(_rounded(np.asarray(tensor.numpy())), name=value.name)
            value.type = ir.TensorType(_HALF)
    _cast_outputs(graph)
    clean(model)


def _rounded(
    array: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]",
) -> "np.ndarray[tuple[int, ...], np.dtype[np.float16]]":
    return np.clip(array, -_LARGEST, _LARGEST).astype(np.float16)


def _retype(node: ir.Node) -> None:
    """Types that operators carry in attributes rather than inputs."""
    for name, attribute in node.attributes.items():
        if node.op_type in ("Cast", "CastLike", "EyeLike", "RandomNormal") and name in ("to", "dtype"):
            if attribute.as_int() == _FLOAT.value:
                node.attributes[name] = ir.AttrInt64(name, _HALF.value)
        elif attribute.type == ir.AttributeType.TENSOR and attribute.as_tensor().dtype == _FLOAT:
            node.attributes[name] = ir.AttrTensor(name, ir.tensor(_rounded(np.asarray(attribute.as_tensor().numpy()))))


def _cast_outputs(graph: ir.Graph) -> None:
    for index, output in enumerate(list(graph.outputs)):
        if output.dtype != _HALF:
            continue
        name = output.name or f"output{index}"
        output.name = f"{name}.half"
        end = ir.node("Identity", [output])
        graph.append(end)
        cast = Editor(graph, end).op("Cast", [output], name, {"to": _FLOAT.value})
        cast.type, cast.shape = ir.TensorType(_FLOAT), output.shape
        graph.remove(end, safe=False)
        graph.outputs[index] = cast
