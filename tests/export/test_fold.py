"""Steps that moved into constants: the function stays what it was, and the steps are gone."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForSequenceClassification

from cloister.export import export, fold
from cloister.runtime import load
from cloister.runtime.bundle import read
from tests.conftest import MakeBundle
from tests.support.graphs import FLOAT, Chain, kinds, run
from tests.support.models import save


def residual(width: int, *, read_elsewhere: bool = False) -> ir.Model:
    """Layer norm, a linear layer, the sum of both, another layer norm: what follows attention in BERT."""
    g = Chain(width)
    norm = g.op("LayerNormalization", g.x, g.weight("gamma", width), g.weight("beta", width), axis=-1)
    inner = g.op("Add", g.op("MatMul", norm, g.weight("w", width, 2 * width)), g.weight("c", 2 * width))
    product = g.op("MatMul", g.op("Relu", inner), g.weight("v", 2 * width, width))
    total = g.op("Add", g.op("Add", product, g.weight("b", width)), norm)
    last = g.op("LayerNormalization", total, g.weight("gamma2", width), g.weight("beta2", width), axis=-1)
    return g.model(last, g.op("Relu", norm)) if read_elsewhere else g.model(last)


@settings(max_examples=25, deadline=None)
@given(width=st.integers(1, 24), rows=st.integers(1, 9), seed=st.integers(0, 2**16))
def test_a_bias_before_a_residual_sum_moves_into_the_layer_norm(width: int, rows: int, seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal((rows, width)).astype(np.float32)
    model = residual(width)
    before, sums = run(model, x), kinds(model)["Add"]
    assert fold.fold_residual_biases(model.graph) == 1
    assert kinds(model)["Add"] == sums  # not in use any more, and not yet cleaned away
    after = run(model, x)
    assert np.allclose(before[0], after[0], atol=2e-4)


def test_a_layer_norm_that_something_else_reads_is_left() -> None:
    model = residual(8, read_elsewhere=True)
    x = np.random.default_rng(0).standard_normal((3, 8)).astype(np.float32)
    before = run(model, x)
    assert fold.fold_residual_biases(model.graph) == 0
    for a, b in zip(before, run(model, x), strict=True):
        assert np.array_equal(a, b)


def test_smoothing_of_what_attention_gives_moves_into_the_columns_of_the_values() -> None:
    heads, width = 2, 8
    g = Chain(width)
    rows = g.constant("rows", np.array([-1, width], np.int64))
    merged = g.op("Add", g.op("MatMul", g.x, g.weight("w", width, 3 * width)), g.weight("b", 3 * width))
    flat = g.op("Reshape", merged, rows)
    grid = np.arange(5)[None]
    parts = [g.op("Gather", flat, g.constant(f"rows.{i}", 3 * grid + i)) for i in range(3)]
    mixed = g.op("Attention", *parts, q_num_heads=heads, kv_num_heads=heads)
    context = g.op("Gather", g.op("Reshape", mixed, rows), g.constant("pack", np.arange(5)))
    model = g.model(context)
    x = np.random.default_rng(2).standard_normal((5, width)).astype(np.float32)
    factors = np.linspace(0.5, 4, width, dtype=np.float32)
    before = run(model, x)[0]
    assert fold.fold_into_values(model.graph, context, factors)
    assert np.allclose(run(model, x)[0] * factors, before, atol=1e-5)
    g.op("Relu", mixed)
    assert not fold.fold_into_values(model.graph, context, factors)  # something else reads the attention


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_with_a_bias_becomes_one_operator_within_half_a_thousandth(approximate: str) -> None:
    g = Chain(64)
    node = ir.node("Gelu", [g.op("Add", g.x, g.weight("b", 64))], {"approximate": approximate})
    node.outputs[0].name, node.outputs[0].type = "y", FLOAT
    g.graph.append(node)
    model = g.model(node.outputs[0])
    x = np.linspace(-12, 12, 4096, dtype=np.float32).reshape(64, 64)
    before = run(model, x)[0]
    assert fold.approximate_gelu(model.graph, [node.outputs[0]]) == 1
    assert kinds(model)["FastGelu"] == 1
    assert np.abs(run(model, x)[0] - before).max() < 5e-4


def test_a_bert_layer_keeps_only_the_sums_it_needs(make_bundle: MakeBundle) -> None:
    """Each of two layers adds biases to queries, keys and values, and to the first half of its feed-forward part."""
    for precision, gelu in (("fp32", "Gelu"), ("int8", "FastGelu")):
        graph = onnx.load_from_string(files(make_bundle("bert", "feature-extraction", precision))["encoder.onnx"]).graph
        constants = {i.name for i in graph.initializer}
        found = Counter(n.op_type for n in graph.node)
        assert found[gelu] == 2
        biases = [
            n for n in graph.node if n.op_type == "Add" and set(n.input) & constants and "grid" not in n.output[0]
        ]
        own = [n for n in graph.node if n.op_type == "MatMulIntegerToFloat" and len(n.input) == 7]
        assert len(biases) + len(own) == (2 if precision == "int8" else 4)  # FastGelu adds its own
        # A row's largest value needs no floor but behind GELU, whose minimum bounds the other side.
        behind = {n.output[0] for n in graph.node if n.op_type == gelu}
        assert found["Max"] == sum(n.op_type == "ReduceMax" and n.input[0] in behind for n in graph.node)


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "albert", "electra"])
def test_a_model_with_biases_everywhere_gives_what_transformers_gives(tmp_path: Path, family: str) -> None:
    """Random models have none, which would hide a bias that got lost."""
    folder = save(tmp_path / "model", family, "text-classification")
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.3 * torch.randn(parameter.shape))
    model.save_pretrained(folder)
    export(folder, tmp_path / "bundle", precision="fp32")
    engine = load(tmp_path / "bundle")
    texts = ["", "Where is my parcel?", "The river rose four metres in six hours. " * 3]
    tokens = engine.tokenize(texts, truncate=True)
    for one, got in zip(tokens, engine.forward(tokens), strict=True):
        with torch.no_grad():
            wanted = model(input_ids=torch.from_numpy(one.ids)[None]).logits[0].numpy()
        assert np.abs(got - wanted).max() <= 1e-5 * max(1.0, float(np.abs(wanted).max()))


def files(bundle: Path) -> dict[str, bytes]:
    return dict(read(bundle).files)
