"""The contract: kept with a few layers in float, or nothing is written; bad data and budgets are refused first."""

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from cloister import CloisterError, DriftError
from cloister.export import Contract, export, parity
from cloister.export.evaluate import evaluation
from cloister.export.labelled import Labelled, read_labelled
from cloister.runtime import load
from tests.support import planted


@pytest.fixture(scope="module")
def outliers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Labelled]:
    folder = tmp_path_factory.mktemp("outliers")
    model = planted.with_outliers(folder / "model")
    return model, planted.data(model, folder / "eval.jsonl", clear=True)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Labelled]:
    folder = tmp_path_factory.mktemp("plain")
    model = planted.classifier(folder / "model")
    return model, planted.data(model, folder / "eval.jsonl")


def accuracy(bundle: Path, data: Labelled) -> float:
    """What a user would measure: the bundle's labels against the data's."""
    results: list[Any] = load(bundle).predict(data.inputs, truncate=True)
    return float(np.mean([r.label == e.labels[0] for r, e in zip(results, data.examples, strict=True)]))


def test_a_layer_that_int8_ruins_returns_to_float_and_the_contract_is_kept(
    tmp_path: Path, outliers: tuple[Path, Labelled]
) -> None:
    model, data = outliers
    steps: list[str] = []

    report = export(
        model,
        tmp_path / "kept",
        contract=Contract(data, max_drop=0.02),
        step=lambda name: nullcontext(steps.append(name)),  # type: ignore[func-returns-value]
    )
    found = report.accuracy
    assert found is not None
    assert found["drop"] <= 0.02
    assert any(name.endswith("layer.1.output.dense") for name in found["float_layers"])
    assert 1 <= report.float_nodes <= 2
    assert report.quantized_nodes + report.float_nodes == 8
    assert found["drop_interval"][0] <= found["drop"] <= found["drop_interval"][1]
    # An independent measurement through the public runtime gives the same figure.
    assert accuracy(tmp_path / "kept", data) == pytest.approx(found["score"])
    plain, *_ = json.loads((tmp_path / "kept" / "accuracy.json").read_text())["variants"]["int8"]["trials"]
    assert plain["drop"] > 0.1, "the planted channels hurt plain int8"
    assert not found["resolved"], "120 examples are too few for a budget of 0.02"
    assert any("in float" in step for step in steps)


def test_a_variant_that_keeps_the_score_but_drifts_gets_layers_in_float_too(
    tmp_path: Path, outliers: tuple[Path, Labelled], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, data = outliers
    anything = Contract(data, max_drop=1.0)
    report = export(model, tmp_path / "close", contract=anything)
    assert report.accuracy is not None
    assert [name.rsplit("layer.", 1)[1] for name in report.accuracy["float_layers"]] == ["1.output.dense"]

    never = replace(parity.LIMITS["int8"], cosine_min=2.0)
    monkeypatch.setitem(parity.LIMITS, "int8", never)
    with pytest.raises(DriftError, match="drifts from the source model"):
        export(model, tmp_path / "never", contract=anything)
    assert not (tmp_path / "never").exists()


def test_the_report_holds_figures_and_no_text(tmp_path: Path, outliers: tuple[Path, Labelled]) -> None:
    model, data = outliers
    export(model, tmp_path / "out", contract=Contract(data, max_drop=0.02, max_flips=0.05))
    files = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    table = json.loads(files["accuracy.json"])["variants"]["int8"]
    assert [layer["name"] for layer in table["layers"] if layer["in_float"]] == table["accuracy"]["float_layers"]
    worst = max(table["layers"], key=lambda layer: layer["error"])
    assert worst["name"].endswith("layer.1.output.dense")
    assert worst["in_float"]
    assert [t["kept"] for t in table["trials"]].count(True) >= 1
    sets = [(t["strengths"], t["float_layers"], t["score"], t["drop"]) for t in table["trials"]]
    assert len(sets) <= 2 + 1 + 2 * 4
    chart = ElementTree.fromstring(files["accuracy.svg"])  # noqa: S314 (our own output)
    assert sum(1 for e in chart.iter() if e.tag.endswith("rect")) == 1 + len(table["layers"])
    every = b"\n".join(files[name] for name in ("manifest.json", "accuracy.json", "accuracy.svg", "golden.json"))
    assert not any(text.encode() in every for text in data.inputs if isinstance(text, str))
    manifest = json.loads(files["manifest.json"])
    assert manifest["reports"] == ["accuracy.json", "accuracy.svg"]
    assert manifest["components"][0]["variants"][0]["accuracy"]["max_flips"] == 0.05


def test_an_impossible_contract_fails_says_how_close_it_came_and_writes_nothing(
    tmp_path: Path, plain: tuple[Path, Labelled]
) -> None:
    model, data = plain  # its texts lie on both sides of the border, many near it; int4 is the coarsest precision
    with pytest.raises(DriftError) as error:
        export(model, tmp_path / "out", precision="int4", contract=Contract(data, max_drop=0.0, max_flips=0.0))
    assert error.value.code == "contract_failed"
    assert "of the answers flip (allowed 0.0)" in error.value.message
    assert "of 8 layers in float" in error.value.message
    assert list(tmp_path.iterdir()) == []


def test_every_variant_is_judged_and_float_loses_nothing(tmp_path: Path, plain: tuple[Path, Labelled]) -> None:
    model, data = plain
    report = export(model, tmp_path / "out", precision="fp32,int8", contract=Contract(data, metric="macro-f1"))
    exact, int8 = report.variants
    assert exact["accuracy"]["drop"] == pytest.approx(0.0)
    assert exact["accuracy"]["flips"] == 0.0
    assert int8["accuracy"]["metric"] == exact["accuracy"]["metric"] == "macro-f1"
    assert exact["accuracy"]["resolved"]  # no budget: nothing to resolve


def test_exchanged_names_do_not_score_zero_silently(tmp_path: Path, plain: tuple[Path, Labelled]) -> None:
    model, data = plain
    lines = [
        json.dumps({"text": e.input, "label": planted.LABELS[1 - planted.LABELS.index(e.labels[0])]})
        for e in data.examples
    ]
    (tmp_path / "exchanged.jsonl").write_text("\n".join(lines), "utf-8")
    with pytest.raises(CloisterError) as error:
        export(model, tmp_path / "out", contract=Contract(read_labelled(tmp_path / "exchanged.jsonl")))
    assert error.value.code == "labels_mismatch"
    assert "another order" in error.value.message
    assert not (tmp_path / "out").exists()


BAD: dict[str, tuple[str, dict[str, Any], str]] = {
    "unknown label": ('{"text": "a", "label": "wanted"}\n{"text": "b", "label": "nobody"}', {}, "labels_mismatch"),
    "tagging data": (
        '{"text": "Ada", "entities": [{"start": 0, "end": 3, "label": "wanted"}]}', {}, "invalid_input",
    ),
    "several labels": (
        '{"text": "a", "label": ["wanted"]}\n{"text": "b", "label": ["other"]}', {}, "invalid_input",
    ),
    "negative drop": ("", {"max_drop": -0.1}, "invalid_input"),
    "drop in percent": ("", {"max_drop": 30}, "invalid_input"),
    "no number": ("", {"max_flips": float("nan")}, "invalid_input"),
    "unknown metric": ("", {"metric": "bleu"}, "invalid_input"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_data_and_budgets_are_refused_and_nothing_is_written(
    tmp_path: Path, plain: tuple[Path, Labelled], case: str
) -> None:
    content, settings, code = BAD[case]
    model, data = plain
    if content:
        (tmp_path / "bad.jsonl").write_text(content, "utf-8")
        data = read_labelled(tmp_path / "bad.jsonl")
    with pytest.raises(CloisterError) as error:
        export(model, tmp_path / "out", contract=Contract(data, **settings))
    assert error.value.code == code
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("task", "config", "line", "metric"),
    [
        (
            "token-classification",
            {},
            {"text": "Ada met Grace", "entities": [{"start": 0, "end": 3, "label": "PER"}]},
            "entity-f1",
        ),
        ("question-answering", {}, {"text": "Who?", "text_pair": "Ada met Grace", "answers": ["Ada"]}, "exact-match"),
        ("feature-extraction", {}, {"text": "a", "text_pair": "b", "score": 0.5}, "spearman"),
        ("text-classification", {"labels": ["score"]}, {"text": "a", "score": 0.5}, "spearman"),
        (
            "text-classification",
            {"problem_type": "multi_label_classification"},
            {"text": "a", "label": ["positive"]},
            "micro-f1",
        ),
    ],
)  # fmt: skip
def test_every_task_has_its_metric(
    tmp_path: Path, make_bundle: Any, task: str, config: dict[str, Any], line: dict[str, Any], metric: str
) -> None:
    engine = load(make_bundle("bert", task, "fp32", **config))
    other = {**line, "text": "another text"}
    other |= {"entities": []} if "entities" in line else {}
    other |= {"score": 0.9} if "score" in line else {}
    other |= {"label": []} if "label" in line else {}
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, (line, other))), "utf-8")
    made = evaluation(read_labelled(tmp_path / "data.jsonl"), engine.manifest, engine.tokenizer, None)
    assert made.metric == metric
    answers = made.answers(made.prepared.finish(engine.forward(made.prepared.tokens)))
    assert (answers.identity is None) == (metric == "spearman")
    assert -1 <= made.score(answers.table, np.arange(2)) <= 1
