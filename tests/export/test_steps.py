"""Layers with one step for all rows: the graph against numpy, what it no longer holds, and when it is taken back."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.precisions import drafts_of
from cloister import DriftError
from cloister.export import export, parity, quantize
from cloister.export.scales import Choice, Observed, choose, quantize_columns
from cloister.export.variants import Drafts
from tests.conftest import MakeBundle, MakeModel
from tests.support.graphs import Chain, kinds, run


def layers(width: int, activation: str) -> ir.Model:
    """Two linear layers with biases; names of modules stand where the tracer writes them."""
    g = Chain(width)
    first = g.op("MatMul", g.x, g.weight("w", width, 2 * width))
    inner = g.op(activation, g.op("Add", first, g.weight("b", 2 * width)))
    return g.model(g.op("Add", g.op("MatMul", inner, g.weight("v", 2 * width, width)), g.weight("c", width)))


def product(x: Any, weight: Any, choice: Choice) -> Any:
    """What a layer with one step for all rows gives, in float64."""
    assert choice.step is not None
    factors = np.ones(x.shape[1]) if choice.factors is None else choice.factors
    quantized = np.clip(np.rint(x / factors / choice.step) + choice.zero, 0, 255) - choice.zero
    matrix, scale = quantize_columns((weight * factors[:, None]).astype(np.float32))
    return choice.step * (quantized @ matrix.astype(np.float64)) * scale


@settings(max_examples=25, deadline=None)
@given(width=st.integers(2, 24), rows=st.integers(1, 9), seed=st.integers(0, 2**16), smoothed=st.booleans())
def test_the_graph_computes_what_the_formula_says(width: int, rows: int, seed: int, smoothed: bool) -> None:
    random = np.random.default_rng(seed)
    seen = (random.standard_normal((256, width)) * np.exp(random.standard_normal(width))).astype(np.float32)
    x = seen[:rows] * np.float32(1.5)  # some of it is beyond what calibration saw
    model = layers(width, "Relu")
    constants = {
        name: value.const_value.numpy() for name, value in model.graph.initializers.items() if value.const_value
    }
    inner = np.maximum(seen @ constants["w"] + constants["b"], 0)
    choices = [
        choose(Observed(v.min(0), v.max(0), v, len(v)), weight, None, gain=0.0 if smoothed else 1e9, loss=1e9)
        for v, weight in ((seen, constants["w"]), (inner, constants["v"]))
    ]
    quantize.quantize(model, quantize.linears(model.graph, ""), choices)
    first = product(x, constants["w"], choices[0]) + constants["b"]
    wanted = product(np.maximum(first, 0), constants["v"], choices[1]) + constants["c"]
    (got,) = run(model, x)
    # A value between two steps may go to the other one: float32 against float64.
    steps = sum(float(np.abs(constants["v"]).max()) * (choice.step or 0) for choice in choices)
    assert np.abs(got - wanted).max() < 1e-4 * np.abs(wanted).max() + steps
    found = kinds(model)
    assert found["MatMulIntegerToFloat"] == found["QuantizeLinear"] == 2
    assert not {"Add", "Abs", "ReduceMax", "Expand"} & set(found)
    alone = np.concatenate([run(model, row[None])[0] for row in x])
    assert np.array_equal(alone, got), "no row depends on another"


def test_gelu_keeps_its_bias_for_its_own_pass() -> None:
    model = layers(16, "Gelu")
    rows = np.random.default_rng(3).standard_normal((256, 16)).astype(np.float32)
    wide = np.concatenate([rows, rows], 1)
    weights = [model.graph.initializers[name].const_value for name in ("w", "v")]
    choices = [
        choose(Observed(v.min(0), v.max(0), v, len(v)), w.numpy(), None, loss=1e9)
        for v, w in zip((rows, wide), weights, strict=True)
        if w is not None
    ]
    quantize.quantize(model, quantize.linears(model.graph, ""), choices)
    found = kinds(model)
    assert found["FastGelu"] == 1
    assert not {"Add", "Gelu"} & set(found)


@pytest.mark.parametrize(("family", "layers"), [("bert", 4), ("albert", 4)])
def test_only_what_layer_norms_give_has_one_step(make_bundle: MakeBundle, family: str, layers: int) -> None:
    """In ALBERT the first layer reads another linear layer's output, without anything between them."""
    graph = onnx.load(make_bundle(family, "feature-extraction") / "encoder.onnx", load_external_data=False).graph
    makers = {output: node for node in graph.node for output in node.output}
    ends = [makers[n.input[0]] for n in graph.node if n.op_type == "QuantizeLinear" and not n.attribute]
    behind = {makers[e.input[0]].op_type if e.op_type in ("Mul", "Reshape") else e.op_type for e in ends}
    assert len(ends) == layers
    assert behind == {"LayerNormalization"}
    assert any(n.op_type == "QuantizeLinear" and n.attribute for n in graph.node), "the others' rows have their own"


def chain(width: int, bias: int) -> ir.Model:
    """A norm, and a product whose sum's vector has `bias` values, which may not be the product's columns."""
    g = Chain(width)
    norm = g.op("LayerNormalization", g.x, g.weight("gamma", width), g.weight("beta", width), axis=-1)
    return g.model(g.op("Add", g.op("MatMul", norm, g.weight("w", width, width)), g.weight("b", bias)))


@pytest.mark.parametrize("bias", [1, 16])
def test_a_vector_that_is_not_the_columns_is_added_behind_the_product(bias: int) -> None:
    model, x = chain(16, bias), np.random.default_rng(4).standard_normal((256, 16)).astype(np.float32)
    (wanted,) = run(chain(16, bias), x)
    (layer,) = quantize.linears(model.graph, "")
    rows = np.asarray(run(norm_of(16), x)[0])
    (choice,) = quantize.plan(
        [layer], {layer.inputs[0].name or "": Observed(rows.min(0), rows.max(0), rows, len(rows))}, loss=1e9
    )
    assert choice.step is not None
    quantize.quantize(model, [layer], [choice])
    assert kinds(model)["Add"] == (bias == 1)
    assert np.linalg.norm(run(model, x)[0] - wanted) < 0.03 * np.linalg.norm(wanted)


def norm_of(width: int) -> ir.Model:
    g = Chain(width)
    return g.model(g.op("LayerNormalization", g.x, g.weight("gamma", width), g.weight("beta", width), axis=-1))


def test_a_weight_of_two_groups_is_rounded_for_each() -> None:
    g = Chain(16)
    weight, beside = g.weight("w", 16, 16), g.weight("v", 16, 16)
    wide = g.op("Mul", g.x, g.constant("wide", np.where(np.arange(16) == 3, 50, 1).astype(np.float32)))
    model = g.model(g.op("MatMul", wide, weight), g.op("MatMul", wide, beside), g.op("MatMul", g.x, weight))
    x = np.random.default_rng(5).standard_normal((256, 16)).astype(np.float32)
    wanted = run(model, x)
    groups = quantize.linears(model.graph, "")
    assert len(groups) == 2
    seen = [x * np.where(np.arange(16) == 3, 50, 1).astype(np.float32), x]
    choices = [
        choose(Observed(v.min(0), v.max(0), v, len(v)), weight_of(group), None, gain=gain, loss=0.0)
        for v, group, gain in zip(seen, groups, (0.0, 1e9), strict=True)
    ]
    assert choices[0].factors is not None
    quantize.quantize(model, groups, choices)
    for got, exact in zip(run(model, x), wanted, strict=True):
        assert np.linalg.norm(got - exact) < 0.03 * np.linalg.norm(exact)


def weight_of(group: quantize.Linear) -> Any:
    return np.concatenate([quantize.constant_matrix(w) for w in group.weights], axis=1)


@pytest.mark.parametrize("rows", [0, 1, 255])
def test_few_rows_do_not_tell_a_step_for_all(rows: int) -> None:
    x = np.random.default_rng(6).uniform(-1, 1, (rows, 8)).astype(np.float32)
    low, high = x.min(0, initial=0.0), x.max(0, initial=0.0)
    assert choose(Observed(low, high, x, rows), np.eye(8, dtype=np.float32), None, loss=1e9).step is None


def test_a_real_model_has_them_in_half_of_its_layers() -> None:
    """MiniLM: query, key and value, and what comes in front of GELU, in each of six layers."""
    drafts, _ = drafts_of()
    choices = drafts.plan("int8")
    fixed = [name.rpartition(".")[2] for name, c in zip(drafts.names, choices, strict=True) if c.step is not None]
    assert len(choices) == 24
    assert sorted(fixed) == ["dense"] * 6 + ["query+key+value"] * 6
    assert all(c.step is None for c in drafts.plan("int8", least_error=True))


def test_an_export_takes_them_and_takes_them_back_where_they_drift(
    tmp_path: Path, make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model("bert", "text-classification")
    plan = Drafts.plan

    def operators(name: str, **changed: Any) -> set[str]:
        def planned(self: Drafts, precision: Any, *, least_error: bool = False) -> list[Choice]:
            choices = plan(self, precision, least_error=least_error)
            return choices if least_error else [replace(c, **changed) for c in choices]

        monkeypatch.setattr(Drafts, "plan", planned)
        export(model, tmp_path / name)
        return {
            node.op_type for node in onnx.load(tmp_path / name / "encoder.onnx", load_external_data=False).graph.node
        }

    assert "ReduceMax" not in operators("fixed", step=0.05, zero=128)
    assert "ReduceMax" in operators("taken-back", step=100.0)
    monkeypatch.setitem(parity.LIMITS, "int8", replace(parity.LIMITS["int8"], cosine_min=2.0))
    with pytest.raises(DriftError):
        operators("never", step=100.0)
