"""What each task refuses: input that is not for it, with a code, a hint, and nothing of the text."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloister import CloisterError
from cloister.export import HeadOptions, export
from tests.conftest import MakeModel

SECRET = "zyxcanary"
NLI = "zero-shot-classification"
CASES: dict[str, tuple[str, list[Any], dict[str, Any], str]] = {
    "labels for a classifier": ("text-classification", ["a"], {"labels": [SECRET]}, "takes none"),
    "labels for an embedding": ("feature-extraction", ["a"], {"labels": [SECRET]}, "takes none"),
    "no labels": (NLI, ["a"], {}, "no labels"),
    "no labels and no text": (NLI, [], {}, "no labels"),
    "an empty list": (NLI, ["a"], {"labels": []}, "empty"),
    "one text as labels": (NLI, ["a"], {"labels": SECRET}, "not a list"),
    "a blank label": (NLI, ["a"], {"labels": [SECRET, " "]}, "empty"),
    "a number as label": (NLI, ["a"], {"labels": [7]}, "no text"),
    "a label twice": (NLI, ["a"], {"labels": [SECRET, f"{SECRET} "]}, "twice"),
    "too many labels": (NLI, ["a"], {"labels": [str(i) for i in range(257)]}, "more than 256"),
    "a surrogate in a label": (NLI, ["a"], {"labels": ["\ud800"]}, "surrogate"),
    "a pair to classify by labels": (NLI, [("a", SECRET)], {"labels": ["b"]}, "pair"),
    "no mask": ("fill-mask", ["a", SECRET], {}, "input 0 has no mask"),
    "the mask past the window": ("fill-mask", ["word " * 200 + "[MASK]"], {"truncate": True}, "no mask"),
    "a pair to fill": ("fill-mask", [("[MASK]", SECRET)], {}, "pair"),
    "no candidates": ("fill-mask", ["[MASK]"], {"top_k": 0}, "top_k"),
    "a single text to rank": ("text-ranking", [SECRET], {}, "single text"),
    "a single text to compare": ("sentence-similarity", [SECRET], {}, "single text"),
    "a predicate without end": ("token-classification", [("a b", f"{SECRET} " * 200)], {}, "second text"),
}


@pytest.mark.parametrize("case", CASES)
def test_refused(make_engine: Callable[..., Any], case: str) -> None:
    task, texts, more, message = CASES[case]
    engine = make_engine("bert", task)
    with pytest.raises(CloisterError) as error:
        engine.predict(texts, **more)
    assert error.value.code in ("invalid_input", "input_too_long")
    assert message in error.value.message
    assert error.value.hint
    assert SECRET not in str(error.value)


OPTIONS: dict[str, tuple[str, HeadOptions, str]] = {
    "thresholds for one label": ("text-classification", HeadOptions(threshold=0.3), "invalid_input"),
    "a template for a classifier": ("text-classification", HeadOptions(template="It is {}."), "invalid_input"),
    "several labels of a classifier": ("text-classification", HeadOptions(multi_label=True), "invalid_input"),
    "a template without a place": (NLI, HeadOptions(template="It is."), "invalid_input"),
    "a template with two places": (NLI, HeadOptions(template="{} {}"), "invalid_input"),
    "a threshold for zero-shot": (NLI, HeadOptions(threshold=0.5), "invalid_input"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_options_that_do_not_fit_write_nothing(tmp_path: Path, make_model: MakeModel, case: str) -> None:
    task, options, code = OPTIONS[case]
    with pytest.raises(CloisterError) as error:
        export(make_model("bert", task), tmp_path / "out", task=task, head=options)
    assert error.value.code == code
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("task", "config", "options", "code"),
    [
        (NLI, {"labels": ["yes", "no", "maybe"]}, HeadOptions(), "labels_mismatch"),
        (NLI, {"labels": ["a", "b", "entailment"]}, HeadOptions(multi_label=True), "labels_mismatch"),
        ("text-ranking", {"labels": ["a", "b"]}, HeadOptions(), "labels_mismatch"),
        (
            "text-ranking",
            {"sbert_ce_default_activation_function": "torch.nn.modules.activation.Tanh"},
            HeadOptions(),
            "activation_unsupported",
        ),
    ],
)
def test_models_that_do_not_fit(
    tmp_path: Path, make_model: MakeModel, task: str, config: dict[str, Any], options: HeadOptions, code: str
) -> None:
    with pytest.raises(CloisterError) as error:
        export(make_model("bert", task, **config), tmp_path / "out", task=task, head=options)
    assert error.value.code == code


@pytest.mark.parametrize("given", [{"nobody": 0.5}, {"a": 1.5}, -0.1])
def test_thresholds_that_do_not_fit(tmp_path: Path, make_model: MakeModel, given: Any) -> None:
    folder = make_model("bert", "text-classification", labels=["a", "b"], problem_type="multi_label_classification")
    with pytest.raises(CloisterError) as error:
        export(folder, tmp_path / "out", head=HeadOptions(threshold=given))
    assert error.value.code == "invalid_input"
    assert "nobody" not in str(error.value)
