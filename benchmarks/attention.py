"""How should causal, windowed and grouped attention run on a processor? One layer under ONNX Runtime's operators.

Prints for each shape the milliseconds of MultiHeadAttention with a key mask and of ONNX's own Attention (opset 24) with
the texts' lengths; of Attention with its causal mask, and with a mask added to the scores (a window); of
GroupQueryAttention; the time it takes to repeat keys and values; the error against numpy in double precision; and
whether a text alone has the bits it has beside longer ones.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from cloister.runtime.session import onnxruntime

HEADS, GROUPS, SIZE = 16, 8, 64
SHAPES = ((1, 16), (8, 128), (4, 512), (1, 1024))
WINDOW = 65
COLUMNS = ("masked", "standard", "causal", "window", "grouped", "repeat")
_SHUT = -1e30


def session(operator: str, inputs: list[str], *, domain: str = "com.microsoft", **attributes: Any) -> Any:
    """A graph of one operator."""
    runtime = onnxruntime()
    node = helper.make_node(operator, inputs, ["out", *attributes.pop("more", [])], domain=domain, **attributes)
    types = {"lengths": TensorProto.INT32, "total": TensorProto.INT32, "keys": TensorProto.INT64}
    values = [helper.make_tensor_value_info(n, types.get(n, TensorProto.FLOAT), None) for n in inputs if n]
    outputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in node.output]
    opsets = [helper.make_opsetid("", 24), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(helper.make_graph([node], "g", values, outputs), opset_imports=opsets, ir_version=10)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    return runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def standard(inputs: list[str], **attributes: Any) -> Any:
    """ONNX's own operator."""
    return session("Attention", inputs, domain="", q_num_heads=HEADS, kv_num_heads=HEADS, **attributes)


def repeated(x: Any) -> Any:
    """Keys or values of groups for every head. Shape: `[B, S, groups * size]` -> `[B, S, heads * size]`."""
    split = x.reshape(*x.shape[:2], GROUPS, SIZE)
    return np.repeat(split, HEADS // GROUPS, 2).reshape(*x.shape[:2], HEADS * SIZE)


def wanted(q: Any, k: Any, v: Any, lengths: Any, seen: Any) -> Any:
    """The definition, in double precision; `seen [S, S]` says which keys a query sees."""
    split = [x.reshape(*x.shape[:2], HEADS, SIZE).transpose(0, 2, 1, 3).astype(np.float64) for x in (q, k, v)]
    scores = split[0] @ split[1].transpose(0, 1, 3, 2) / np.sqrt(SIZE)
    here = np.arange(q.shape[1]) < lengths[:, None, None, None]
    scores = np.where(seen & here, scores, _SHUT)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return (weights / weights.sum(-1, keepdims=True) @ split[2]).transpose(0, 2, 1, 3).reshape(q.shape)


def fastest(call: Callable[[], Any], rounds: int = 15) -> float:
    """Milliseconds of the fastest of some rounds."""
    call()
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times) * 1e3


def main() -> None:
    """Print the table."""
    masked = session("MultiHeadAttention", ["q", "k", "v", "", "lengths"], num_heads=HEADS)
    plain = standard(["q", "k", "v", "", "", "", "keys"])
    causal = standard(["q", "k", "v"], is_causal=1)
    added = standard(["q", "k", "v", "bias", "", "", "keys"])
    grouped = session(
        "GroupQueryAttention",
        ["q", "k", "v", "past_k", "past_v", "lengths", "total"],
        num_heads=HEADS,
        kv_num_heads=GROUPS,
        more=["new_k", "new_v"],
    )
    random = np.random.default_rng(0)
    print(f"{'texts':>7}" + "".join(f"{name:>10}" for name in COLUMNS) + "  errors, same bits alone")
    for count, longest in SHAPES:
        q = random.standard_normal((count, longest, HEADS * SIZE)).astype(np.float32)
        k, v = (random.standard_normal((count, longest, GROUPS * SIZE)).astype(np.float32) for _ in range(2))
        lengths = np.array([longest - i * 7 % (longest // 2) for i in range(count)], np.int32)
        distance = np.arange(longest)[:, None] - np.arange(longest)
        bias = np.where(np.abs(distance) < WINDOW, 0, _SHUT).astype(np.float32)[None, None]
        whole = {"q": q, "k": repeated(k), "v": repeated(v)}
        empty = np.zeros((count, GROUPS, 0, SIZE), np.float32)
        total = np.array([longest], np.int32)
        keys = lengths.astype(np.int64)
        for_groups = {"q": q, "k": k, "v": v, "past_k": empty, "past_v": empty, "lengths": lengths - 1, "total": total}
        everywhere = np.ones_like(distance, bool)
        runs = {
            "masked": (masked, {**whole, "lengths": lengths}, everywhere),
            "standard": (plain, {**whole, "keys": keys}, everywhere),
            "causal": (causal, whole, distance >= 0),
            "window": (added, {**whole, "bias": bias, "keys": keys}, np.abs(distance) < WINDOW),
            "grouped": (grouped, for_groups, distance >= 0),
        }
        times, notes = {}, []
        for name, (one, given, seen) in runs.items():
            times[name] = fastest(lambda o=one, g=given: o.run(None, g))  # type: ignore[misc]
            got = one.run(None, given)[0]
            reference = wanted(q, whole["k"], whole["v"], lengths, seen)
            error = max(float(np.abs(got[i, :n] - reference[i, :n]).max()) for i, n in enumerate(lengths))
            same = all(np.array_equal(alone(one, given, i, int(n))[0], got[i, :n]) for i, n in enumerate(lengths))
            notes.append(f"{name} {error:.0e} {'yes' if same else 'NO'}")
        times["repeat"] = fastest(lambda k=k, v=v: (repeated(k), repeated(v)))  # type: ignore[misc]
        print(f"{count:>2}×{longest:<4}" + "".join(f"{times[n]:10.2f}" for n in COLUMNS) + "  " + ", ".join(notes))


def alone(one: Any, given: dict[str, Any], index: int, length: int) -> Any:
    """The output for one text of a batch, run by itself."""
    feeds = {name: value[index : index + 1, :length] for name, value in given.items() if name in "qkv"}
    feeds |= {name: given[name][index : index + 1] for name in ("lengths", "keys") if name in given}
    if "bias" in given:
        feeds["bias"] = given["bias"][:, :, :length, :length]
    if "total" in given:
        feeds |= {"past_k": given["past_k"][:1], "past_v": given["past_v"][:1], "total": np.array([length], np.int32)}
    return one.run(None, feeds)[0]


if __name__ == "__main__":
    main()
