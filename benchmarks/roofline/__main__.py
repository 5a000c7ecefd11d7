"""`make bench-roofline`: peaks of the machine, share of them that each shape reaches, time by operator.

The limit of a run is the time its matrix products would need at the peak of their type; everything else counts as
nothing. Peaks and runs are measured in turns, so that a machine that slows down meets both.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import workbench as wb
from benchmarks.lab.workloads import exactly
from cloister.runtime import Options, load
from cloister.runtime.packing import Tokens
from cloister.runtime.processor import available_threads

from .operators import Operator, profiled
from .peaks import Peaks, measured

UNIFORM = ((1, 16), (1, 128), (8, 128), (8, 512))


def main() -> None:
    """Print tables, or with --json one document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", nargs="?", type=Path, help="a bundle; MiniLM in int8 by default")
    parser.add_argument("--threads", type=int, default=available_threads())
    parser.add_argument("--seconds", type=float, default=4.0, help="time for each shape")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    document = roofline(given.bundle or wb.bundle(), given.threads, given.seconds)
    if given.json:
        json.dump(document, sys.stdout)
        return
    show(document)


def roofline(bundle: Path, threads: int, seconds: float) -> dict[str, Any]:
    """Peaks, and for each shape time, limit, shares and operators."""
    engine = load(bundle, options=Options(provider="cpu", threads=threads))
    shapes: dict[str, list[Tokens]] = {"mixed": engine.tokenize(wb.traffic(), truncate=True)}
    source = " ".join(wb.texts("xquad"))
    for count, length in UNIFORM:
        if length <= engine.tokenizer.window:
            texts = [exactly(engine.tokenizer.raw, source[997 * i :], length) for i in range(count)]
            shapes[f"{count}x{length}"] = engine.tokenize(texts, truncate=True)
    times: dict[str, float] = {}
    peaks = measured(threads)
    for name, tokens in shapes.items():
        times[name] = fastest(engine, tokens, seconds)
        peaks = best(peaks, measured(threads, rounds=4))
    rows = {n: row(t, times[n], peaks, profiled(bundle, t, threads)) for n, t in shapes.items()}
    return {"machine": wb.machine(), "threads": threads, "peaks": vars(peaks), "shapes": rows}


def best(one: Peaks, other: Peaks) -> Peaks:
    """The higher of two measurements, each by itself."""
    bf16 = max((p for p in (one.bf16, other.bf16) if p is not None), default=None)
    return Peaks(max(one.int8, other.int8), bf16, max(one.fp32, other.fp32), max(one.bandwidth, other.bandwidth))


def fastest(engine: Any, tokens: Sequence[Tokens], seconds: float) -> float:
    """Seconds of the fastest call."""
    engine.forward(tokens)
    end, least = time.perf_counter() + seconds, float("inf")
    while time.perf_counter() < end:
        start = time.perf_counter()
        engine.forward(tokens)
        least = min(least, time.perf_counter() - start)
    return least


def row(tokens: Sequence[Tokens], seconds: float, peaks: Peaks, operators: dict[str, Operator]) -> dict[str, Any]:
    """One shape: milliseconds, shares of the limit, and its operators by time."""
    int8, fp32 = (sum(getattr(o, kind) for o in operators.values()) for kind in ("int8", "fp32"))
    kernels = sum(o.seconds for o in operators.values())
    weight_bytes = sum(o.weight_bytes for o in operators.values())
    return {
        "tokens": sum(len(t) for t in tokens), "ms": seconds * 1e3,
        "int8_share": int8 / peaks.int8 / seconds,
        "limit_share": (int8 / peaks.int8 + fp32 / peaks.fp32) / seconds,
        "weight_bandwidth_share": weight_bytes / peaks.bandwidth / seconds,
        "operators": [
            {
                "operator": name, "calls": o.calls, "ms": o.seconds * 1e3, "share": o.seconds / kernels,
                "of_peak": (o.int8 / peaks.int8 + o.fp32 / peaks.fp32) / o.seconds if o.int8 or o.fp32 else None,
            }
            for name, o in sorted(operators.items(), key=lambda item: -item[1].seconds)
        ],
    }  # fmt: skip


def show(document: dict[str, Any]) -> None:
    """Tables for people."""
    peaks = document["peaks"]
    print(document["machine"])
    bf16 = "not measured" if peaks["bf16"] is None else f"{peaks['bf16'] / 1e9:.0f}"
    print(
        f"peaks, 10^9 operations per second: int8 {peaks['int8'] / 1e9:.0f}, bf16 {bf16}, fp32 "
        f"{peaks['fp32'] / 1e9:.0f}; memory {peaks['bandwidth'] / 1e9:.1f} GB/s read"
    )
    for name, shape in document["shapes"].items():
        print(
            f"\n{name}: {shape['tokens']} tokens, {shape['ms']:.2f} ms; int8 products at their peak would be "
            f"{shape['int8_share']:.0%} of it, all products {shape['limit_share']:.0%}; reading the weights once per "
            f"group from memory {shape['weight_bandwidth_share']:.0%}"
        )
        for o in shape["operators"][:14]:
            reached = "" if o["of_peak"] is None else f"   {o['of_peak']:.0%} of its peak"
            print(f"  {o['operator']:<24}{o['calls']:>6.0f} calls{o['ms']:>9.3f} ms {o['share']:>6.1%}{reached}")


if __name__ == "__main__":
    main()
