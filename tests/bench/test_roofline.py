"""The arithmetic that a profile is read for, and that a run of the whole adds up."""

import json
from pathlib import Path

import pytest
from transformers import AutoConfig

from benchmarks.roofline import operators, peaks
from benchmarks.roofline.__main__ import best, roofline, row
from cloister.runtime import load
from tests.conftest import MakeBundle, MakeModel


def test_the_arithmetic_of_a_bundle_is_what_its_shapes_say(make_bundle: MakeBundle, make_model: MakeModel) -> None:
    config = AutoConfig.from_pretrained(make_model("bert", "feature-extraction"))
    bundle = make_bundle("bert", "feature-extraction", "int8")
    engine = load(bundle)
    texts = engine.tokenize(["Where is my parcel?", "The river rose four metres in six hours."], truncate=True)
    found = operators.profiled(bundle, texts, threads=1, runs=2)
    lengths = [len(t) for t in texts]
    hidden, inner, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    products = 2 * sum(lengths) * layers * (4 * hidden * hidden + 2 * hidden * inner)
    assert sum(o.int8 for o in found.values()) == pytest.approx(products)
    groups = [[lengths[i] for i in group] for group in engine.encoder.groups(texts)]
    scores = sum(4 * len(g) * max(g) ** 2 for g in groups) * hidden * layers
    assert found["Attention"].fp32 == pytest.approx(scores)
    assert all(o.calls > 0 and o.seconds >= 0 for o in found.values())
    assert sum(o.weight_bytes for o in found.values()) == pytest.approx(
        len(groups) * layers * (4 * hidden * hidden + 2 * hidden * inner)
    )


def test_shares_are_of_the_peak_and_of_the_whole_time() -> None:
    limits = peaks.Peaks(int8=100e9, bf16=None, fp32=20e9, bandwidth=10e9)
    found = {
        "MatMulIntegerToFloat": operators.Operator(calls=2, seconds=0.02, int8=1e9, weight_bytes=1e6),
        "Attention": operators.Operator(calls=1, seconds=0.02, fp32=0.1e9),
    }
    shape = row([], 0.05, limits, found)
    assert shape["int8_share"] == pytest.approx(0.01 / 0.05)
    assert shape["limit_share"] == pytest.approx((0.01 + 0.005) / 0.05)
    assert [o["of_peak"] for o in shape["operators"]] == pytest.approx([0.5, 0.25])
    assert sum(o["share"] for o in shape["operators"]) == pytest.approx(1)


def test_the_higher_of_two_measurements_counts_each_by_itself() -> None:
    one, other = peaks.Peaks(2, None, 3, 4), peaks.Peaks(1, 7, 5, 1)
    assert best(one, other) == peaks.Peaks(2, 7, 5, 4)


def test_a_whole_run_is_one_json_document(make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle: Path = make_bundle("bert", "feature-extraction", "int8")
    monkeypatch.setattr(peaks, "SHAPES", ((64, 64, 64),))
    monkeypatch.setattr(peaks, "READ_BYTES", 1 << 20)
    document = json.loads(json.dumps(roofline(bundle, 1, 0.01)))
    assert document["peaks"]["int8"] > 0
    assert "mixed" in document["shapes"]
    for shape in document["shapes"].values():
        assert shape["int8_share"] > 0
        assert shape["operators"][0]["ms"] > 0
