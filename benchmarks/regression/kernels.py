"""Reference kernels: fixed work by others' code, whose time moves with the machine as the measured work's does."""

import hashlib
import json
from collections.abc import Callable

import numpy as np

from cloister.runtime.session import onnxruntime

_ROWS, _IN, _OUT, _PRODUCTS = 1024, 384, 1536, 4


def int8(threads: int) -> Callable[[], object]:
    """Four products of 1,024 rows by ONNX Runtime's MatMulInteger (unsigned by signed), on so many threads."""
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    weights = random.integers(-127, 128, (_IN, _OUT)).astype(np.int8)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", [f"x{i}", "w"], [f"y{i}"]) for i in range(_PRODUCTS)],
        "reference",
        [helper.make_tensor_value_info(f"x{i}", TensorProto.UINT8, [_ROWS, _IN]) for i in range(_PRODUCTS)],
        [helper.make_tensor_value_info(f"y{i}", TensorProto.INT32, [_ROWS, _OUT]) for i in range(_PRODUCTS)],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    runtime = onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feeds = {f"x{i}": random.integers(0, 256, (_ROWS, _IN)).astype(np.uint8) for i in range(_PRODUCTS)}
    return lambda: session.run(None, feeds)


def python() -> Callable[[], object]:
    """A JSON document read and written, split, joined and hashed: what the interpreter and its C parts do."""
    document = json.dumps([{"id": i, "text": f"number {i} of the list", "share": i / 7} for i in range(200)])

    def run() -> str:
        rows = json.loads(document)
        words = " ".join(row["text"] for row in rows).split(" ")
        counts: dict[str, int] = {}
        for word in words:
            counts[word] = counts.get(word, 0) + 1
        return hashlib.sha256(json.dumps([rows, counts]).encode()).hexdigest()

    return run
