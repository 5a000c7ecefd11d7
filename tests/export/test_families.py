"""Every family and task against transformers itself, run one text at a time."""

from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from cloister.runtime import Answer, Classification, Embedding, Tagging, load
from cloister.runtime.bundle import read
from tests.conftest import MakeBundle, MakeModel, Precision
from tests.support.models import AUTO

TASKS = ("text-classification", "token-classification", "feature-extraction", "question-answering")
PADDED = ("mpnet", "deberta-v2")
PACKED = ("bert", "distilbert", "roberta", "xlm-roberta", "camembert", "electra", "albert")
CASES = [
    *((family, "text-classification", "fp32") for family in (*PACKED, *PADDED)),
    *((family, "feature-extraction", "int8") for family in PACKED),
    *(("bert", task, p) for task in TASKS for p in ("fp32", "int8")),
    ("xlm-roberta", "token-classification", "fp32"),
    ("xlm-roberta", "question-answering", "int8"),
    ("mpnet", "feature-extraction", "int8"),
]
TEXTS = [
    "",
    "a",
    "Where is my parcel?",
    "这家餐厅的菜很好吃。",
    "👩‍👩‍👧‍👦 é e\u0301",
    "The river rose four metres in six hours. " * 3,
]


@pytest.mark.parametrize(("family", "task", "precision"), CASES)
def test_outputs_are_those_of_transformers(
    make_bundle: MakeBundle, make_model: MakeModel, family: str, task: str, precision: Precision
) -> None:
    engine = load(make_bundle(family, task, precision))
    assert engine.variant.path == ("padded" if family in PADDED else "packed")
    assert engine.variant.quantized_nodes + engine.variant.float_nodes > 0
    folder = make_model(family, task)
    model = AUTO[task].from_pretrained(folder).eval()
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    inputs: list[Any] = [("Where?", t) for t in TEXTS if t] if task == "question-answering" else list(TEXTS)
    got = engine.forward(engine.tokenize(inputs, truncate=True))
    for item, ours in zip(inputs, got, strict=True):
        pair = (item,) if isinstance(item, str) else item
        encoded = tokenizer(*pair, truncation="longest_first", max_length=80, return_tensors="pt")
        with torch.no_grad():
            out = model(**encoded)
        if task == "feature-extraction":
            wanted = out.last_hidden_state[0].mean(0)
        elif task == "question-answering":
            wanted = torch.stack([out.start_logits[0], out.end_logits[0]], -1)
        else:
            wanted = out.logits[0]
        scale = float(wanted.abs().max())
        assert np.abs(ours - wanted.numpy()).max() <= (1e-5 if precision == "fp32" else 0.15) * max(scale, 1.0)


def test_packed_graphs_have_one_fused_operator_a_layer_and_no_placeholder(make_bundle: MakeBundle) -> None:
    import onnx

    for family in ("bert", "distilbert", "albert"):
        graph = onnx.load_from_string(
            read(make_bundle(family, "text-classification", "fp32")).files["encoder.onnx"]
        ).graph
        assert sum(n.op_type == "Attention" for n in graph.node) == 2
        assert {n.domain for n in graph.node} <= {"", "com.microsoft"}


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_a_text_has_the_same_bits_whatever_shares_its_batch(make_bundle: MakeBundle, family: str) -> None:
    _check_bits(make_bundle(family, "feature-extraction", "int8"))


def test_the_padded_path_keeps_the_same_bits_too(make_bundle: MakeBundle) -> None:
    _check_bits(make_bundle("mpnet", "feature-extraction", "int8"))


def _check_bits(bundle: Any) -> None:
    engine = load(bundle)
    texts = [f"{'word ' * (i % 23)}number {i}" for i in range(64)]
    alone = [_bits(engine, [t])[0] for t in texts]
    for shift in range(0, 64, 7):
        order = np.roll(np.arange(64), shift)
        rows = _bits(engine, [texts[i] for i in order])
        assert all(np.array_equal(rows[k], alone[i]) for k, i in enumerate(order))
    shuffled = np.random.default_rng(0).permutation(64)
    rows = _bits(engine, [texts[i] for i in shuffled])
    assert all(np.array_equal(rows[k], alone[i]) for k, i in enumerate(shuffled))


def _bits(engine: Any, texts: list[str]) -> list[Any]:
    return [p.vector.view(np.uint32) for p in engine.predict(texts)]


def test_results_are_typed_and_complete(make_bundle: MakeBundle) -> None:
    single = load(make_bundle("bert", "text-classification")).predict(["good", ("a", "pair")])
    for result in single:
        assert isinstance(result, Classification)
        assert abs(sum(result.scores.values()) - 1) < 1e-9
        assert result.score == max(result.scores.values()) == result.scores[result.label]
    (tagged,) = load(make_bundle("bert", "token-classification")).predict(["Ada met Grace in Paris"])
    assert isinstance(tagged, Tagging)
    (vector,) = load(make_bundle("bert", "feature-extraction")).predict(["x"])
    assert isinstance(vector, Embedding)
    assert vector.vector.dtype == np.float32
    (answer,) = load(make_bundle("bert", "question-answering")).predict([("Who?", "Ada met Grace in Paris")])
    assert isinstance(answer, Answer)
    assert "Ada met Grace in Paris"[answer.start : answer.end] == answer.answer


def test_multi_label_and_regression(make_bundle: MakeBundle) -> None:
    multi = load(make_bundle("bert", "text-classification", "fp32", problem_type="multi_label_classification")).predict(
        ["anything"]
    )[0]
    assert isinstance(multi, Classification)
    assert multi.labels == tuple(k for k, v in multi.scores.items() if v >= 0.5)
    regression = load(make_bundle("bert", "text-classification", "fp32", labels=["score"]))
    value = regression.predict(["anything"])[0]
    assert isinstance(value, Classification)
    assert value.score == float(regression.forward(regression.tokenize(["anything"]))[0][0])
