"""From data to a model to a bundle, on tiny models: each task, what is written, what is refused, a kill in between."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from transformers import AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoTokenizer

from cloister import CloisterError, InvalidInput, OutputExists
from cloister.export import TrainingOptions, export, finetune
from cloister.runtime import Classification, Tagging, load

MakeModel = Callable[..., Path]
WORDS = {"parcel": "where is my parcel", "refund": "send the money back", "greet": "good morning dear"}
FAST = TrainingOptions(epochs=8, learning_rate=2e-3, batch_size=8, held_out=0.2)


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    return path


def examples(count: int = 12) -> list[dict[str, Any]]:
    return [{"text": f"{words} {i}", "label": label} for i in range(count) for label, words in WORDS.items()]


@pytest.fixture(scope="session")
def base(make_model: MakeModel) -> Path:
    return make_model("bert", "feature-extraction")


@pytest.fixture(scope="session")
def embedder(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same weights as a sentence-transformers folder that takes the mean."""
    folder = tmp_path_factory.mktemp("embedder") / "base"
    shutil.copytree(base, folder)
    modules = [("Transformer", ""), ("Pooling", "1_Pooling")]
    listed = [
        {"idx": i, "name": str(i), "path": p, "type": f"sentence_transformers.models.{k}"}
        for i, (k, p) in enumerate(modules)
    ]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    return folder


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_classification_from_data_to_answers(base: Path, tmp_path: Path) -> None:
    data = lines(tmp_path / "data.jsonl", examples())
    report = finetune(base, data, tmp_path / "model", task="text-classification", options=FAST)
    assert report.labels == sorted(WORDS)
    assert report.examples == {"train": 29, "validation": 0, "held_out": 7}
    assert report.metrics["accuracy"] >= 0.85
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["id2label"] == {str(i): label for i, label in enumerate(sorted(WORDS))}
    assert config["architectures"] == ["BertForSequenceClassification"]
    assert json.loads((tmp_path / "model" / "training.json").read_text())["metrics"] == report.metrics
    assert leftovers(tmp_path) == []
    export(tmp_path / "model", tmp_path / "bundle")
    answers = cast(list[Classification], load(tmp_path / "bundle").predict(list(WORDS.values())))
    assert [a.label for a in answers] == list(WORDS)


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_an_embedder_goes_on_as_a_classifier_over_its_pooled_vector(
    embedder: Path, tmp_path: Path, precision: Any
) -> None:
    data = lines(tmp_path / "data.jsonl", examples())
    report = finetune(embedder, data, tmp_path / "model", task="text-classification", options=FAST)
    assert report.metrics["accuracy"] >= 0.85
    made = export(tmp_path / "model", tmp_path / "bundle", precision=precision)
    assert made.task == "text-classification"
    engine = load(tmp_path / "bundle", check=True)
    tokenizer: Any = AutoTokenizer.from_pretrained(tmp_path / "model")
    encoder = AutoModel.from_pretrained(tmp_path / "model").eval()
    dense = load_file(tmp_path / "model" / "2_Dense" / "model.safetensors")
    texts = ["where is my parcel 3", "good morning", "x"]
    for text, answer in zip(texts, cast(list[Classification], engine.predict(texts)), strict=True):
        with torch.no_grad():
            hidden = encoder(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].numpy()
        logits = dense["linear.weight"] @ hidden.mean(0) + dense["linear.bias"]
        expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        np.testing.assert_allclose(list(answer.scores.values()), expected, atol=1e-4 if precision == "fp32" else 0.1)
        assert answer.out_of_scope is None


def test_several_labels(base: Path, tmp_path: Path) -> None:
    rows = [{"text": r["text"], "label": [r["label"]]} for r in examples()]
    rows += [{"text": f"{WORDS['parcel']} {WORDS['refund']} {i}", "label": ["parcel", "refund"]} for i in range(12)]
    report = finetune(base, lines(tmp_path / "d.jsonl", rows), tmp_path / "m", task="text-classification", options=FAST)
    assert report.metrics["micro_f1"] >= 0.8
    assert json.loads((tmp_path / "m" / "config.json").read_text())["problem_type"] == "multi_label_classification"


def test_scores_of_pairs(base: Path, tmp_path: Path) -> None:
    words = list(WORDS.values())
    rows = [
        {"text": f"{a} {i}", "text_pair": b, "score": float(b == words[2])}
        for i in range(6)
        for a in words
        for b in words
    ]
    options = TrainingOptions(epochs=8, learning_rate=2e-3, batch_size=8, held_out=0.2, balanced=True)
    report = finetune(
        base, lines(tmp_path / "d.jsonl", rows), tmp_path / "m", task="text-classification", options=options
    )
    assert report.metrics["spearman"] > 0.3
    assert report.labels == ["score"]
    export(tmp_path / "m", tmp_path / "b")
    high, low = load(tmp_path / "b").predict([(words[0], words[2]), (words[0], words[1])])
    assert cast(Classification, high).score > cast(Classification, low).score


def test_tagging_from_data_to_answers(base: Path, tmp_path: Path) -> None:
    names = ["Ann", "Bob", "Eve", "Tom"]
    rows = [
        {"text": f"we saw {name} near house {i}", "entities": [{"start": 7, "end": 7 + len(name), "label": "PER"}]}
        for i in range(12)
        for name in names
    ]
    report = finetune(
        base, lines(tmp_path / "d.jsonl", rows), tmp_path / "m", task="token-classification", options=FAST
    )
    assert report.labels == ["PER"]
    assert report.metrics["entity_f1"] >= 0.9
    named = json.loads((tmp_path / "m" / "config.json").read_text())["id2label"]
    assert named == {"0": "O", "1": "B-PER", "2": "I-PER"}
    export(tmp_path / "m", tmp_path / "b")
    (result,) = load(tmp_path / "b").predict(["we saw Bob near house 99"])
    assert [(e.start, e.end, e.label) for e in cast(Tagging, result).entities] == [(7, 10, "PER")]


def test_corpora_that_looked_for_different_labels_teach_one_tagger_both(base: Path, tmp_path: Path) -> None:
    names, places = ["Ann", "Bob", "Eve", "Tom"], ["Rome", "Oslo", "Lima", "Bonn"]
    rows = []
    for i in range(24):
        name, place = names[i % 4], places[i // 4 % 4]
        text = f"we saw {name} in {place} on day {i}"
        person = {"start": 7, "end": 10, "label": "PER"}
        where = {"start": 14, "end": 14 + len(place), "label": "LOC"}
        kept = [person] if i % 2 else [where]
        rows.append({"text": text, "entities": kept, "annotated": [kept[0]["label"]]})
    held = [{"text": "we saw Tom in Rome on day 99", "entities": [person], "annotated": ["PER"]}] * 2
    report = finetune(
        base,
        lines(tmp_path / "d.jsonl", rows),
        tmp_path / "m",
        task="token-classification",
        evaluation=lines(tmp_path / "e.jsonl", held),
        options=FAST,
    )
    assert report.labels == ["LOC", "PER"]
    assert report.metrics["entity_f1"] == 1.0, "a place that nobody looked for is not held against it"
    export(tmp_path / "m", tmp_path / "b")
    (result,) = load(tmp_path / "b").predict(["we saw Tom in Rome on day 99"])
    found = [(e.text, e.label) for e in cast(Tagging, result).entities]
    assert found == [("Tom", "PER"), ("Rome", "LOC")]


def test_pre_training_from_a_config_then_fine_tuning(base: Path, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    for path in base.iterdir():
        if path.suffix != ".safetensors":
            shutil.copy(path, tmp_path / "config" / path.name)
    texts = lines(tmp_path / "texts.jsonl", [{"text": f"{words} {i}"} for i in range(30) for words in WORDS.values()])
    options = TrainingOptions(epochs=2, learning_rate=1e-3, batch_size=8)
    first = finetune(tmp_path / "config", texts, tmp_path / "one", task="fill-mask", options=options)
    assert first.examples == {"train": 81, "validation": 0, "held_out": 9}
    again = finetune(tmp_path / "one", texts, tmp_path / "two", task="fill-mask", options=options)
    assert again.metrics["perplexity"] < first.metrics["perplexity"]
    model: Any = AutoModelForMaskedLM.from_pretrained(tmp_path / "two")
    assert model.config.model_type == "bert"
    data = lines(tmp_path / "data.jsonl", examples())
    finetune(tmp_path / "two", data, tmp_path / "three", task="text-classification", options=options)
    assert AutoModelForSequenceClassification.from_pretrained(tmp_path / "three").config.num_labels == 3
    with pytest.raises(InvalidInput, match="no weights"):
        finetune(tmp_path / "config", data, tmp_path / "x", task="text-classification")


def test_early_stopping_keeps_the_best_weights(base: Path, tmp_path: Path) -> None:
    data = lines(tmp_path / "data.jsonl", examples())
    options = TrainingOptions(epochs=30, learning_rate=1e-7, batch_size=8, patience=2)
    report = finetune(base, data, tmp_path / "m", task="text-classification", options=options)
    per_epoch = -(-report.examples["train"] // 8)
    assert report.examples["validation"] > 0
    assert report.best_step == per_epoch  # nothing is learnt at this rate, so the first evaluation stays the best
    assert report.steps == 3 * per_epoch


def test_an_evaluation_file_is_matched_by_name(base: Path, tmp_path: Path) -> None:
    data = lines(tmp_path / "data.jsonl", examples())
    upper = [{"text": "good morning dear 1", "label": "GREET"}, {"text": "the parcel", "label": "Parcel"}]
    report = finetune(
        base,
        data,
        tmp_path / "m",
        task="text-classification",
        evaluation=lines(tmp_path / "eval.jsonl", upper),
        options=FAST,
    )
    assert report.examples["held_out"] == 2
    assert report.overlap == 1
    assert report.metrics["accuracy"] >= 0.5


RUN = """
import os, signal, sys
from cloister.export import TrainingOptions, finetune, training
if sys.argv[4] == "kill":
    saved = []
    def killed(self, args, state, control, **unused):
        saved.append(1)
        if len(saved) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
    training._Progress.on_save = killed
options = TrainingOptions(epochs=4, batch_size=8, learning_rate=1e-3)
print(finetune(*sys.argv[1:4], task="text-classification", options=options).resumed_from)
"""


def test_a_killed_run_goes_on_and_ends_with_the_same_weights(base: Path, tmp_path: Path) -> None:
    data = lines(tmp_path / "data.jsonl", examples())

    def run(out: str, how: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", RUN, str(base), str(data), str(tmp_path / out), how],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        )

    killed = run("resumed", "kill")
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "resumed").exists()
    assert leftovers(tmp_path) == [".resumed.training"]
    resumed, whole = run("resumed", "go"), run("whole", "go")
    assert int(resumed.stdout) > 0, resumed.stderr
    assert int(whole.stdout) == 0
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("resumed", "whole"))
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert leftovers(tmp_path) == []


def test_another_run_does_not_go_on_from_it(base: Path, tmp_path: Path) -> None:
    work = tmp_path / ".m.training" / "checkpoint-1"
    work.mkdir(parents=True)
    (work.parent / "run").write_text("another")
    report = finetune(
        base, lines(tmp_path / "d.jsonl", examples(2)), tmp_path / "m", task="text-classification",
        options=TrainingOptions(epochs=1),
    )  # fmt: skip
    assert report.resumed_from == 0


def test_personal_data_is_redacted_first(base: Path, tmp_path: Path) -> None:
    rows = [{**row, "text": f"{row['text']} a.b@mail.com"} for row in examples()]
    report = finetune(
        base, lines(tmp_path / "d.jsonl", rows), tmp_path / "m", task="text-classification",
        policy="identifiers", options=TrainingOptions(epochs=1),
    )  # fmt: skip
    assert report.redacted == {"EMAIL_ADDRESS": len(rows)}


BAD: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "unknown task": ({"task": "translation"}, examples(2)),
    "entities for a classifier": ({}, [{"text": "Ann", "entities": [{"start": 0, "end": 3, "label": "P"}]}]),
    "labels for a tagger": ({"task": "token-classification"}, examples(2)),
    "one class": ({}, [{"text": str(i), "label": "x"} for i in range(5)]),
    "too few to hold any out": ({"options": TrainingOptions(patience=1)}, examples(1)),
    "a policy that is none": ({"policy": "no-such-preset"}, examples(2)),
    "no base": ({"base": "./nowhere"}, examples(2)),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_writes_nothing(base: Path, tmp_path: Path, name: str) -> None:
    changed, rows = BAD[name]
    settings: dict[str, Any] = {"base": base, "task": "text-classification", **changed}
    with pytest.raises(CloisterError) as caught:
        finetune(data=lines(tmp_path / "data.jsonl", rows), out=tmp_path / "out", **settings)
    assert all(str(row["text"]) not in str(caught.value) for row in rows if len(row["text"]) > 2)
    assert [path.name for path in tmp_path.iterdir()] == ["data.jsonl"]


def test_evaluation_data_with_a_label_nobody_trained(base: Path, tmp_path: Path) -> None:
    data = lines(tmp_path / "data.jsonl", examples(2))
    other = lines(tmp_path / "eval.jsonl", [*examples(1), {"text": "x", "label": "unheard"}])
    with pytest.raises(InvalidInput, match="line 4") as caught:
        finetune(base, data, tmp_path / "out", task="text-classification", evaluation=other)
    assert caught.value.code == "labels_mismatch"


def test_an_output_that_exists_is_kept(base: Path, tmp_path: Path) -> None:
    data = lines(tmp_path / "data.jsonl", examples(2))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("x")
    for force in (False, True):
        with pytest.raises(OutputExists):
            finetune(base, data, tmp_path / "out", task="text-classification", force=force)
    model = Path(shutil.copytree(base, tmp_path / "model"))
    with pytest.raises(OutputExists):
        finetune(base, data, model, task="text-classification")
    finetune(base, data, model, task="text-classification", force=True, options=TrainingOptions(epochs=1))
    assert (model / "training.json").exists()


@pytest.mark.parametrize(
    "field", [{"epochs": 0}, {"batch_size": 0}, {"held_out": 0.9}, {"learning_rate": 2.0}, {"seed": -1}]
)
def test_options_out_of_range(field: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        TrainingOptions(**field)
