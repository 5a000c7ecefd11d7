"""Each task against transformers' own pipeline, or against its model where there is none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer, pipeline

from cloister.export import HeadOptions, export
from cloister.runtime import Classification, Filling, Score, load
from tests.conftest import MakeBundle, MakeModel

NLI = "zero-shot-classification"
PREMISES = [
    "The parcel arrived a day late.",
    "请问博物馆几点开门？",
    "My flight was cancelled and nobody called. " * 4,
]
TOPICS = ["travel", "shipping and delivery", "食物"]


def _task_pipeline(task: str, folder: Path, **more: Any) -> Any:
    make: Any = pipeline
    return make(task, model=str(folder), tokenizer=str(folder), device="cpu", **more)


@pytest.mark.parametrize("family", ["bert", "roberta", "mpnet", "modernbert"])
def test_masks_are_filled_as_by_transformers(make_bundle: MakeBundle, make_model: MakeModel, family: str) -> None:
    engine = load(make_bundle(family, "fill-mask", "fp32"))
    theirs = _task_pipeline("fill-mask", make_model(family, "fill-mask"), top_k=7)
    mask = theirs.tokenizer.mask_token
    texts = [f"Where is {mask} parcel?", f"{mask} 很好吃。", f"The {mask} rose four {mask} in six hours.", f"{mask}"]
    for text, ours in zip(texts, engine.predict(texts, top_k=7), strict=True):
        assert isinstance(ours, Filling)
        wanted = theirs(text)
        wanted = wanted if isinstance(wanted[0], list) else [wanted]
        assert [text[m.start : m.end] for m in ours.masks] == [mask] * text.count(mask)
        for found, expected in zip(ours.masks, wanted, strict=True):
            assert [c.token for c in found.candidates] == [e["token_str"] for e in expected]
            np.testing.assert_allclose([c.score for c in found.candidates], [e["score"] for e in expected], rtol=1e-3)


@pytest.mark.parametrize("several", [False, True])
def test_labels_of_the_request_are_weighed_as_by_transformers(
    tmp_path: Path, make_model: MakeModel, several: bool
) -> None:
    folder = make_model("bert", NLI)
    options = HeadOptions(template="This text is about {}.", multi_label=several)
    export(folder, tmp_path / "bundle", task=NLI, precision="fp32", head=options)
    engine = load(tmp_path / "bundle")
    theirs = _task_pipeline(NLI, folder)
    wanted = theirs(PREMISES, TOPICS, hypothesis_template="This text is about {}.", multi_label=several)
    for expected, ours in zip(wanted, engine.predict(PREMISES, labels=TOPICS, truncate=True), strict=True):
        assert isinstance(ours, Classification)
        assert list(ours.scores) == TOPICS
        assert ours.label == expected["labels"][0]
        got = [ours.scores[label] for label in expected["labels"]]
        np.testing.assert_allclose(got, expected["scores"], atol=1e-5)
        assert (ours.labels is not None) == several


def test_one_label_is_enough(make_bundle: MakeBundle) -> None:
    engine = load(make_bundle("bert", NLI, "fp32"))
    (found,) = engine.predict(["a text"], labels=["one"])
    assert isinstance(found, Classification)
    assert (found.label, found.score) == ("one", 1.0)


@pytest.mark.parametrize("named", [None, "torch.nn.modules.activation.Sigmoid", "torch.nn.modules.linear.Identity"])
def test_rankers_score_as_their_config_says(tmp_path: Path, make_model: MakeModel, named: str | None) -> None:
    more = {} if named is None else {"sentence_transformers": {"activation_fn": named, "version": "5"}}
    folder = make_model("bert", "text-ranking", **more)
    report = export(folder, tmp_path / "b", task=None if named else "text-ranking", precision="fp32")
    assert report.task == "text-ranking"
    pairs = [("Where is it?", "In the drawer."), ("三点开会吗？", "会议改到后天。")]
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    encoded = tokenizer([a for a, _ in pairs], [b for _, b in pairs], padding=True, return_tensors="pt")
    with torch.no_grad():
        logits = AutoModelForSequenceClassification.from_pretrained(folder).eval()(**encoded).logits[:, 0]
    wanted = logits if named is not None and "Identity" in named else torch.sigmoid(logits)
    got = load(tmp_path / "b").predict(pairs)
    assert all(isinstance(g, Score) for g in got)
    np.testing.assert_allclose([g.score for g in got], wanted.numpy(), atol=1e-5)  # type: ignore[union-attr]


def test_similarity_is_the_cosine_of_embeddings(make_bundle: MakeBundle, make_model: MakeModel) -> None:
    engine = load(make_bundle("bert", "sentence-similarity", "fp32"))
    folder = make_model("bert", "sentence-similarity")
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)

    def embed(text: str) -> Any:
        encoded: Any = tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            return model(**encoded).last_hidden_state[0].mean(0)

    pairs = [("A boy runs.", "A child is running."), ("A boy runs.", "很好吃"), ("same", "same")]
    wanted = [float(torch.cosine_similarity(embed(a), embed(b), dim=0)) for a, b in pairs]
    got = [p.score for p in engine.predict(pairs)]  # type: ignore[union-attr]
    np.testing.assert_allclose(got, wanted, atol=1e-5)
    alone = [engine.predict([pair])[0].score for pair in pairs]  # type: ignore[union-attr]
    assert got == alone


def test_a_regression_of_pairs_is_a_similarity_too(tmp_path: Path, make_model: MakeModel) -> None:
    folder = make_model("bert", "text-ranking")
    report = export(folder, tmp_path / "b", task="sentence-similarity", precision="int8")
    (found,) = load(tmp_path / "b").predict([("one", "two")])
    assert report.quantized_nodes > 0
    assert isinstance(found, Score)
    assert 0 < found.score < 1


@pytest.mark.parametrize("task", ["fill-mask", NLI, "text-ranking", "sentence-similarity"])
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_answers_have_the_same_bits_whatever_shares_their_batch(
    make_engine: Callable[..., Any], task: str, precision: str
) -> None:
    engine = make_engine("bert", task, precision)
    texts: list[Any] = [f"{'word ' * (i % 13)}number [MASK] {i}" for i in range(24)]
    if task in ("text-ranking", "sentence-similarity"):
        texts = list(zip(texts, reversed(texts), strict=True))
    more: dict[str, Any] = {"truncate": True}
    if task == NLI:
        more["labels"] = ["one", "another label"]
    assert [engine.predict([t], **more)[0] for t in texts] == engine.predict(texts, **more)


def test_thresholds_by_label(tmp_path: Path, make_model: MakeModel) -> None:
    folder = make_model(
        "bert", "text-classification", labels=["a", "b", "c"], problem_type="multi_label_classification"
    )
    texts = [f"text number {i}" for i in range(8)]
    chosen = {}
    for name, given in (("half", None), ("all", 0.0), ("none", 1.0), ("one", {"b": 0.0, "a": 1.0, "c": 1.0})):
        export(folder, tmp_path / name, precision="fp32", head=HeadOptions(threshold=given))
        chosen[name] = [p.labels for p in load(tmp_path / name).predict(texts)]  # type: ignore[union-attr]
    assert chosen["all"] == [("a", "b", "c")] * 8
    assert chosen["none"] == [()] * 8
    assert chosen["one"] == [("b",)] * 8
    theirs = _task_pipeline("text-classification", folder, top_k=None)(texts)
    wanted = [tuple(sorted(s["label"] for s in scores if s["score"] >= 0.5)) for scores in theirs]
    assert chosen["half"] == wanted
