"""Judges a run of the suite: each time over its reference kernel's, against the baseline of this kind of processor.

    python -m benchmarks.regression.check RESULTS [--record]

RESULTS is what pytest-benchmark wrote (`--benchmark-json`). Exit 1 where a ratio is more than BOUND times the
baseline's, where a benchmark is missing on either side, or where this kind of processor has no baseline; `--record`
writes one.
"""

import argparse
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cloister.runtime.processor import features

BOUND = 1.25
"""Slower than this many times the baseline's ratio is a regression. Two runs of the same code differ by less."""
BASELINE = Path(__file__).with_name("baseline.json")
_KINDS = ("amx_int8", "avx512_vnni", "avx_vnni", "avx512f", "avx2")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every ratio; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--record", action="store_true", help="write the baseline of this kind of processor")
    parser.add_argument("--baseline", type=Path, default=BASELINE)
    given = parser.parse_args(arguments)
    found = ratios(json.loads(given.results.read_text("utf-8"))["benchmarks"])
    stored = json.loads(given.baseline.read_text("utf-8")) if given.baseline.exists() else {}
    kind = processor(features())
    if given.record:
        stored[kind] = {name: round(value, 5) for name, value in sorted(found.items())}
        given.baseline.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n", "utf-8")
        print(f"recorded {len(found)} ratios for {kind}")
        return 0
    if kind not in stored:
        print(f"no baseline for {kind}: on the version to compare with, run make bench-baseline")
        return 1
    problems = regressions(found, stored[kind])
    for name, value in sorted(found.items()):
        before = stored[kind].get(name)
        change = "" if before is None else f"{value / before:>8.2f} x the baseline"
        print(f"{name:<40}{value:>10.4f} x its reference{change}")
    for problem in problems:
        print(f"REGRESSION: {problem}")
    print(f"{len(problems)} of {len(found)} over the bound of {BOUND} ({kind})")
    return 1 if problems else 0


def processor(flags: frozenset[str]) -> str:
    """The kind of processor that a baseline holds for: by the widest int8 instructions it has."""
    return next((kind for kind in _KINDS if kind in flags), platform.machine())


def ratios(benchmarks: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Least time of each benchmark over the least of its reference kernel's, by the benchmark's name.

    Raises:
        ValueError: a benchmark whose reference kernel did not run.
    """
    kernels: dict[str, float] = {}
    measured: dict[str, tuple[str, float]] = {}
    for entry in benchmarks:
        least, reference = float(entry["stats"]["min"]), str(entry["extra_info"]["reference"])
        if "_reference[" in entry["name"]:
            kernels[reference] = min(least, kernels.get(reference, least))
        else:
            measured[entry["name"].removeprefix("test_")] = reference, least
    missing = sorted({reference for reference, _ in measured.values()} - set(kernels))
    if missing:
        raise ValueError(f"reference kernels did not run: {', '.join(missing)}")
    return {name: least / kernels[reference] for name, (reference, least) in measured.items()}


def regressions(found: Mapping[str, float], baseline: Mapping[str, float]) -> list[str]:
    """What is wrong: ratios over the bound, and benchmarks that only one side has."""
    said = [
        f"{name}: {found[name]:.4f} x its reference, {found[name] / baseline[name]:.2f} times the baseline"
        for name in sorted(set(found) & set(baseline))
        if found[name] > BOUND * baseline[name]
    ]
    said += [f"{name}: not in the baseline" for name in sorted(set(found) - set(baseline))]
    return said + [f"{name}: did not run" for name in sorted(set(baseline) - set(found))]


if __name__ == "__main__":
    sys.exit(main())
