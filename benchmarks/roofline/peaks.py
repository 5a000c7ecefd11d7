"""What the machine can do: matrix products in int8, bfloat16 and float32, and bytes read from memory."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from cloister.runtime.session import Session

SHAPES = ((1024, 384, 1536), (1024, 1536, 384), (1024, 768, 3072), (2048, 1536, 1536))
"""Rows, depth and columns of the products that are tried; the best rate counts."""
READ_BYTES = 512 << 20


@dataclass(frozen=True)
class Peaks:
    """Multiplications and additions per second by type, bytes per second."""

    int8: float
    bf16: float | None
    fp32: float
    bandwidth: float


def measured(threads: int, rounds: int = 12) -> Peaks:
    """The best rate over several shapes, each the fastest of some rounds.

    The products are those of the libraries that run transformers here: ONNX Runtime's for int8 and float32, PyTorch's
    (oneDNN) for bfloat16, None where PyTorch is not installed.
    """
    int8 = [_rate(_integer_product(*shape, threads), shape, rounds) for shape in SHAPES]
    fp32 = [_rate(_float_product(*shape, threads), shape, rounds) for shape in SHAPES]
    bf16 = [_rate(call, shape, rounds) for shape in SHAPES if (call := _half_product(*shape, threads)) is not None]
    return Peaks(max(int8), max(bf16, default=None), max(fp32), _bandwidth(threads, rounds))


def _rate(call: Callable[[], object], shape: tuple[int, int, int], rounds: int) -> float:
    call()
    rows, depth, columns = shape
    return 2.0 * rows * depth * columns / _fastest(call, rounds)


def _fastest(call: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def _integer_product(rows: int, depth: int, columns: int, threads: int) -> Callable[[], object]:
    random = np.random.default_rng(0)
    weight = random.integers(-64, 64, (depth, columns)).astype(np.int8)
    session = _session(
        "MatMulInteger", ir.DataType.UINT8, ir.DataType.INT32, [weight, np.array(128, np.uint8)], threads
    )
    rows_of = random.integers(0, 256, (rows, depth)).astype(np.uint8)
    return lambda: session.run({"x": rows_of})


def _float_product(rows: int, depth: int, columns: int, threads: int) -> Callable[[], object]:
    random = np.random.default_rng(0)
    weight = random.standard_normal((depth, columns)).astype(np.float32)
    session = _session("MatMul", ir.DataType.FLOAT, ir.DataType.FLOAT, [weight], threads)
    rows_of = random.standard_normal((rows, depth)).astype(np.float32)
    return lambda: session.run({"x": rows_of})


def _session(operator: str, takes: ir.DataType, gives: ir.DataType, constants: list[Any], threads: int) -> Session:
    x = ir.Value(name="x", type=ir.TensorType(takes), shape=ir.Shape(["T", constants[0].shape[0]]))
    values = [
        ir.Value(
            name=f"c{i}", shape=ir.Shape(array.shape), const_value=ir.tensor(array, name=f"c{i}"),
            type=ir.TensorType(ir.tensor(array).dtype),
        )
        for i, array in enumerate(constants)
    ]  # fmt: skip
    node = ir.node(operator, [x, *values])
    out = node.outputs[0]
    out.name, out.type, out.shape = "y", ir.TensorType(gives), ir.Shape(["T", constants[0].shape[1]])
    graph = ir.Graph([x], [out], nodes=[node], initializers=values, opset_imports={"": 21}, name="product")
    model = ir.to_proto(ir.Model(graph, ir_version=10)).SerializeToString()
    return Session(model, {}, provider="cpu", threads=threads)


def _half_product(rows: int, depth: int, columns: int, threads: int) -> Callable[[], object] | None:
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(threads)
    x = torch.randn(rows, depth).to(torch.bfloat16)
    layer = torch.nn.Linear(depth, columns, bias=False).to(torch.bfloat16)

    def call() -> object:
        with torch.inference_mode():
            return layer(x)

    return call


def _bandwidth(threads: int, rounds: int) -> float:
    """Bytes read per second by all threads together, from arrays far larger than the caches."""
    part = READ_BYTES // threads // 8
    arrays = [np.ones(part, np.int64) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        return threads * part * 8 / _fastest(lambda: list(pool.map(np.max, arrays)), rounds)
