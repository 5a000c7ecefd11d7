"""Where a run's time goes: ONNX Runtime's profile, added up by operator, with the arithmetic each operator did."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from cloister.runtime import Diagnostics, Options, load
from cloister.runtime.packing import Tokens

_INTEGER = {"MatMulIntegerToFloat", "MatMulInteger", "DynamicQuantizeMatMul"}
_FLOAT = {"MatMul", "FusedMatMul", "Gemm", "FusedGemm"}


@dataclass
class Operator:
    """One kind of operator over a whole run.

    Attributes:
        calls: how often it ran.
        seconds: its time.
        int8, fp32: multiplications and additions, by the type that was multiplied.
        weight_bytes: bytes of constant matrices that it read.
    """

    calls: float = 0
    seconds: float = 0.0
    int8: float = 0.0
    fp32: float = 0.0
    weight_bytes: float = 0.0


def profiled(bundle: Path, tokens: Sequence[Tokens], threads: int, runs: int = 20) -> dict[str, Operator]:
    """Time and arithmetic by operator for one call of `Engine.forward`, as the mean of `runs` after two others."""
    with tempfile.TemporaryDirectory() as folder:
        diagnostics = Diagnostics(profile=str(Path(folder) / "profile"))
        engine = load(bundle, options=Options(provider="cpu", threads=threads, diagnostics=diagnostics))
        for _ in range(runs + 2):
            engine.forward(tokens)
        engine.close()
        del engine
        events = json.loads(next(Path(folder).glob("profile*.json")).read_text())
    kernels = [e for e in events if e.get("cat") == "Node" and e["name"].endswith("_kernel_time")]
    starts = [e["ts"] for e in events if e["name"] == "model_run"]
    per_run = len(starts) // (runs + 2)
    warm = sorted(starts)[2 * per_run]
    found: dict[str, Operator] = {}
    for event in kernels:
        if event["ts"] >= warm:
            add(found.setdefault(event["args"]["op_name"], Operator()), event["args"], event["dur"] / 1e6, 1 / runs)
    return found


def add(operator: Operator, args: dict[str, Any], seconds: float, share: float) -> None:
    """Count one event of a profile; `share` is what it adds to the mean."""
    name = args["op_name"]
    inputs = [next(iter(entry.items())) for entry in args["input_type_shape"] if entry]
    outputs = [next(iter(entry.items())) for entry in args["output_type_shape"] if entry]
    operator.calls += share
    operator.seconds += seconds * share
    shapes = [tuple(shape) for _, shape in inputs]
    if name in _INTEGER | _FLOAT and len(shapes) > 1:
        operations = 2.0 * prod(outputs[0][1]) * shapes[0][-1] * share
        if name in _INTEGER:
            operator.int8 += operations
        else:
            operator.fp32 += operations
        operator.weight_bytes += shapes[0][-1] * outputs[0][1][-1] * (1 if name in _INTEGER else 4) * share
    elif name in ("Attention", "MultiHeadAttention"):
        # Scores and the weighted sum of values, over the whole padded grid: that is what is computed.
        batch, queries, width = shapes[0]
        keys = shapes[1][1]
        operator.fp32 += 4.0 * batch * queries * keys * width * share
