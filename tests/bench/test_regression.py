"""The regression check: what it lets pass, what it reports, and the kernels that it divides by."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.regression import check, kernels


def entry(name: str, reference: str, least: float) -> dict[str, Any]:
    return {"name": name, "extra_info": {"reference": reference}, "stats": {"min": least}}


def results(slower: float = 1.0, machine: float = 1.0) -> list[dict[str, Any]]:
    return [
        entry("test_first_reference[int8]", "int8", 0.010 * machine),
        entry("test_last_reference[int8]", "int8", 0.011 * machine),
        entry("test_first_reference[python]", "python", 0.002 * machine),
        entry("test_forward[1x16]", "int8", 0.005 * machine * slower),
        entry("test_redact[clean]", "python", 0.001 * machine),
    ]


def run(tmp_path: Path, benchmarks: list[dict[str, Any]], *arguments: str) -> int:
    (tmp_path / "results.json").write_text(json.dumps({"benchmarks": benchmarks}))
    return check.main([str(tmp_path / "results.json"), "--baseline", str(tmp_path / "baseline.json"), *arguments])


def test_a_slower_machine_passes_and_slower_code_does_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, results()) == 1
    assert "no baseline" in capsys.readouterr().out
    assert run(tmp_path, results(), "--record") == 0
    assert run(tmp_path, results(machine=3.0)) == 0
    assert run(tmp_path, results(slower=1.2)) == 0
    capsys.readouterr()
    assert run(tmp_path, results(slower=1.3)) == 1
    said = capsys.readouterr().out
    assert "REGRESSION: forward[1x16]" in said
    assert "1.30 times the baseline" in said
    assert "REGRESSION: redact" not in said


def test_a_benchmark_that_one_side_lacks_is_a_failure(tmp_path: Path) -> None:
    assert run(tmp_path, results(), "--record") == 0
    assert run(tmp_path, results()[:-1]) == 1
    assert run(tmp_path, [*results(), entry("test_new", "int8", 1.0)]) == 1
    with pytest.raises(ValueError, match="python"):
        check.ratios([r for r in results() if "reference[python]" not in r["name"]])


@given(st.floats(0.1, 10.0), st.floats(0.01, 100.0))
def test_the_bound_is_on_ratios_alone(slower: float, machine: float) -> None:
    baseline = check.ratios(results())
    found = check.regressions(check.ratios(results(slower, machine)), baseline)
    assert bool(found) == (slower > check.BOUND * (1 + 1e-9)) or abs(slower - check.BOUND) < 1e-6


def test_baselines_are_by_instructions() -> None:
    assert check.processor(frozenset({"avx2", "avx512f", "avx512_vnni"})) == "avx512_vnni"
    assert check.processor(frozenset({"avx2", "amx_int8", "avx512_vnni"})) == "amx_int8"
    stored = json.loads(check.BASELINE.read_text("utf-8"))
    assert all(value > 0 for ratios in stored.values() for value in ratios.values())


def test_the_kernels_run() -> None:
    outputs: Any = kernels.int8(1)()
    assert [o.shape for o in outputs] == [(1024, 1536)] * 4
    assert kernels.python()() == kernels.python()()
