"""A few examples become a bundle: the head is the regression it claims to be, nothing else changes, no torch."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from cloister import BundleError, InvalidInput, OutputExists
from cloister.export import fewshot
from cloister.export.logistic import FOLDS, STRENGTHS, _folds, fit
from cloister.runtime import Classification, Embedding, Engine, load
from cloister.runtime.bundle import file_entry, read, write

WORDS = {"parcel": "where is my parcel number", "refund": "send the money back for order", "greet": "good morning dear"}
MakeBundle = Callable[..., Path]


def examples(count: int = 8) -> list[dict[str, object]]:
    return [{"text": f"{words} {i}", "label": label} for i in range(count) for label, words in WORDS.items()]


def write_lines(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    return path


@pytest.fixture(scope="session")
def embeddings(make_bundle: MakeBundle) -> Path:
    return make_bundle("bert", "feature-extraction")


@pytest.fixture(scope="session")
def made(embeddings: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("few")
    out = folder / "intents"
    return out, fewshot(embeddings, write_lines(folder / "data.jsonl", examples()), out)


def classified(engine: Engine, texts: list[str]) -> list[Classification]:
    return cast(list[Classification], engine.predict(texts))


def test_the_report(made: tuple[Path, Any]) -> None:
    out, report = made
    assert report.labels == sorted(WORDS)
    assert report.examples == dict.fromkeys(sorted(WORDS), 8)
    assert report.accuracy >= 0.9
    assert report.regularization in STRENGTHS
    assert report.digest == load(out, check=True).digest


def test_the_head_is_the_regression_it_claims_to_be(made: tuple[Path, Any], embeddings: Path) -> None:
    engine, base = load(made[0]), load(embeddings)
    rows = examples()
    texts = [str(row["text"]) for row in rows]
    vectors = np.array([cast(Embedding, p).vector for p in base.predict(texts)], np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    oracle = LogisticRegression(C=made[1].regularization, max_iter=1000, tol=1e-5, class_weight="balanced")
    oracle.fit(vectors, [row["label"] for row in rows])
    unseen = ["where is my parcel number 99", "send the money back", "good evening dear", "xyz"]
    got = np.array([list(c.scores.values()) for c in classified(engine, unseen)])
    there = np.array([cast(Embedding, p).vector for p in base.predict(unseen)], np.float64)
    there /= np.linalg.norm(there, axis=1, keepdims=True)
    logits = oracle.decision_function(there)
    # Calibration scales all logits by one factor, so differences of log-probabilities are in proportion.
    ours = np.log(got) - np.log(got[:, :1])
    theirs = logits - logits[:, :1]
    factor = (ours * theirs).sum() / (theirs * theirs).sum()
    assert 0.2 < factor < 20
    np.testing.assert_allclose(ours, factor * theirs, rtol=2e-3, atol=2e-3)


def test_answers_do_not_depend_on_the_batch_and_have_a_scope(made: tuple[Path, Any]) -> None:
    engine = load(made[0])
    texts = [str(row["text"]) for row in examples()] + ["something else entirely", "?"]
    alone = [classified(engine, [text])[0] for text in texts]
    assert classified(engine, texts) == alone
    scores = [c.out_of_scope for c in alone[:-2] if c.out_of_scope is not None]
    assert len(scores) == len(texts) - 2
    assert np.mean(np.array(scores) > 0.5) <= 0.1
    assert all(sum(c.scores.values()) == pytest.approx(1) for c in alone)


def test_the_same_data_gives_the_same_bundle(made: tuple[Path, Any], embeddings: Path, tmp_path: Path) -> None:
    again = fewshot(embeddings, write_lines(tmp_path / "data.jsonl", examples()), tmp_path / "again")
    assert again.digest == made[1].digest


def test_nothing_of_the_examples_is_in_the_bundle(made: tuple[Path, Any]) -> None:
    content = b"".join(path.read_bytes() for path in made[0].iterdir())
    assert b"where is my parcel number" not in content


def test_two_classes_and_several_labels(embeddings: Path, tmp_path: Path) -> None:
    two = [row for row in examples() if row["label"] != "greet"]
    fewshot(embeddings, write_lines(tmp_path / "two.jsonl", two), tmp_path / "two")
    (result,) = classified(load(tmp_path / "two"), ["where is my parcel number 3"])
    assert (result.label, list(result.scores)) == ("parcel", ["parcel", "refund"])
    several: list[dict[str, object]] = [{**row, "label": [row["label"]]} for row in examples()]
    several += [
        {"text": f"{WORDS['parcel']} and {WORDS['refund']} {i}", "label": ["parcel", "refund"]} for i in range(8)
    ]
    several.append({"text": "nothing of it", "label": []})
    report = fewshot(embeddings, write_lines(tmp_path / "several.jsonl", several), tmp_path / "several")
    assert report.accuracy is not None
    assert not report.out_of_scope
    (result,) = classified(load(tmp_path / "several"), [f"{WORDS['parcel']} and {WORDS['refund']} 3"])
    assert result.labels == ("parcel", "refund")
    assert result.out_of_scope is None


def test_descriptions_stand_in_for_examples(embeddings: Path, tmp_path: Path) -> None:
    described: list[dict[str, object]] = [{"label": label, "description": words} for label, words in WORDS.items()]
    report = fewshot(embeddings, write_lines(tmp_path / "zero.jsonl", described), tmp_path / "zero")
    assert (report.accuracy, report.regularization, report.out_of_scope) == (None, None, False)
    text = "good morning"
    (got,) = classified(load(tmp_path / "zero"), [text])
    base = load(embeddings)
    vectors = [cast(Embedding, p).vector for p in base.predict([text, *(WORDS[name] for name in sorted(WORDS))])]
    cosines = [float(vectors[0] @ v / np.linalg.norm(vectors[0]) / np.linalg.norm(v)) for v in vectors[1:]]
    expected = np.exp(20 * np.array(cosines))
    np.testing.assert_allclose(list(got.scores.values()), expected / expected.sum(), rtol=1e-3)
    mixed = [row for row in examples() if row["label"] != "greet"] + [described[2]]
    report = fewshot(embeddings, write_lines(tmp_path / "mixed.jsonl", mixed), tmp_path / "mixed")
    assert report.examples == {"greet": 0, "parcel": 8, "refund": 8}
    assert classified(load(tmp_path / "mixed"), [WORDS["greet"]])[0].label == "greet"


def test_one_example_each_is_enough(embeddings: Path, tmp_path: Path) -> None:
    report = fewshot(embeddings, write_lines(tmp_path / "one.jsonl", examples(1)), tmp_path / "one")
    assert report.accuracy is None
    assert classified(load(tmp_path / "one"), [f"{WORDS['refund']} 0"])[0].label == "refund"


def test_personal_data_is_redacted_first(embeddings: Path, tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {**row, "text": f"{row['text']} a.b{i}@mail.com"} for i, row in enumerate(examples())
    ]
    report = fewshot(embeddings, write_lines(tmp_path / "d.jsonl", rows), tmp_path / "out", policy="identifiers")
    assert report.redacted == {"EMAIL_ADDRESS": 24}


def test_bad_input_writes_nothing(
    embeddings: Path, make_bundle: MakeBundle, made: tuple[Path, Any], tmp_path: Path
) -> None:
    data = write_lines(tmp_path / "data.jsonl", examples())
    with pytest.raises(InvalidInput, match="embeddings"):
        fewshot(make_bundle("bert", "text-classification"), data, tmp_path / "out")
    with pytest.raises(InvalidInput, match="embeddings"):
        fewshot(made[0], data, tmp_path / "out")
    with pytest.raises(BundleError):
        fewshot(tmp_path / "none", data, tmp_path / "out")
    every: list[dict[str, object]] = [{**row, "label": ["all"]} for row in examples()]
    every[0] = {**every[0], "label": ["all", "x"]}
    with pytest.raises(InvalidInput, match="every example"):
        fewshot(embeddings, write_lines(tmp_path / "e.jsonl", every), tmp_path / "out")
    with pytest.raises(OutputExists):
        fewshot(embeddings, data, embeddings)
    assert not (tmp_path / "out").exists()
    assert [p.name for p in tmp_path.iterdir() if p.is_dir()] == []


def test_a_damaged_head_is_refused(made: tuple[Path, Any], tmp_path: Path) -> None:
    import msgspec

    bundle = read(made[0])
    files = {**bundle.files, "head.weights": bundle.files["head.weights"][:-4]}
    entries = [file_entry(name, data) for name, data in sorted(files.items())]
    write(tmp_path / "bad", msgspec.structs.replace(bundle.manifest, files=entries), files, force=False)
    with pytest.raises(BundleError, match="head"):
        load(tmp_path / "bad")


def run(code: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )


BLOCKED = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names!r}:
            raise ModuleNotFoundError("blocked", name=name)

sys.meta_path.insert(0, Blocked())
from cloister.cli import main
main()
"""


def test_no_torch_and_the_right_extra(embeddings: Path, tmp_path: Path) -> None:
    data = write_lines(tmp_path / "data.jsonl", examples())
    redaction = ["regex", "hyperscan", "re2", "phonenumbers", "stdnum", "cryptography"]  # wanted by --policy alone
    code = BLOCKED.format(names=["torch", "transformers", "optimum", "onnxscript", "onnx_ir", "onnx", *redaction])
    done = run(code, Path("fewshot"), embeddings, data, tmp_path / "out", Path("--json"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["labels"] == sorted(WORDS)
    done = run(BLOCKED.format(names=["sklearn"]), Path("fewshot"), embeddings, data, tmp_path / "more")
    assert done.returncode == 1
    assert "pip install 'cloister[fewshot]'" in done.stderr
    assert not (tmp_path / "more").exists()


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.booleans())
def test_no_fold_takes_all_that_a_label_has(classes: list[int], described: bool) -> None:
    wanted = np.eye(6, dtype=bool)[classes]
    always = np.zeros(len(classes), bool)
    always[0] = described
    seen: list[int] = []
    for rows in _folds(wanted, always):
        kept = np.setdiff1d(np.arange(len(classes)), rows)
        assert set(np.array(classes)[kept]) == set(classes)
        assert not always[rows].any()
        seen += rows.tolist()
    assert len(seen) == len(set(seen))
    repeated = [i for i, c in enumerate(classes) if classes.count(c) >= FOLDS and not always[i]]
    assert set(repeated) <= set(seen)


def test_probabilities_are_calibrated_on_held_out_examples() -> None:
    random = np.random.default_rng(0)
    centres = random.standard_normal((12, 64))
    classes = np.repeat(np.arange(12), 40)
    vectors = centres[classes] + 2.2 * random.standard_normal((len(classes), 64))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    train = np.arange(len(classes)) % 4 == 0
    fitted = fit(
        vectors[train], np.eye(12, dtype=bool)[classes[train]], exclusive=True, always=np.zeros(train.sum(), bool)
    )
    logits = vectors[~train] @ fitted.weights.T + fitted.bias
    scores = np.exp(logits - logits.max(1, keepdims=True))
    scores /= scores.sum(1, keepdims=True)
    right = (scores.argmax(1) == classes[~train]).mean()
    assert scores.max(1).mean() == pytest.approx(right, abs=0.07)
    assert fitted.accuracy == pytest.approx(right, abs=0.1)
