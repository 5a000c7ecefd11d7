"""Small graphs that are built operator by operator and run by onnxruntime."""

from collections import Counter
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from cloister.export.graph import Editor
from cloister.runtime.session import Session

FLOAT = ir.TensorType(ir.DataType.FLOAT)


class Chain:
    """A small graph that is built operator by operator and run by onnxruntime."""

    def __init__(self, width: int) -> None:
        self.x = ir.Value(name="x", type=FLOAT, shape=ir.Shape(["T", width]))
        self.graph = ir.Graph([self.x], [], nodes=[], initializers=[], opset_imports={"": 24, "com.microsoft": 1})
        self.random = np.random.default_rng(width)
        self._edit = Editor(self.graph, ir.node("Identity", [ir.Value(name="nothing")]))

    def weight(self, name: str, *shape: int) -> ir.Value:
        array = self.random.standard_normal(shape).astype(np.float32)
        return self.constant(name, array)

    def constant(self, name: str, array: NDArray[Any]) -> ir.Value:
        return self._edit.constant(name, array)

    def op(self, kind: str, *inputs: ir.Value, **attributes: int) -> ir.Value:
        node = ir.node(kind, inputs, attributes)
        node.outputs[0].type = FLOAT
        node.outputs[0].name = f"{kind.lower()}.{len(list(self.graph))}"
        self.graph.append(node)
        return node.outputs[0]

    def model(self, *outputs: ir.Value) -> ir.Model:
        for value in outputs:
            value.shape = ir.Shape([None, None])
        self.graph.outputs.extend(outputs)
        return ir.Model(self.graph, ir_version=10)


def run(model: ir.Model, x: NDArray[Any]) -> list[NDArray[Any]]:
    session = Session(ir.to_proto(model).SerializeToString(), {}, provider="cpu", threads=1)
    return session.run({"x": x})


def kinds(model: ir.Model) -> Counter[str]:
    return Counter(node.op_type for node in model.graph)
