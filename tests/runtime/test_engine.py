"""Inputs: order, long texts, windows with exact offsets, what is refused, threads, silence."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoTokenizer

from cloister import CloisterError, InputTooLong
from cloister.runtime import Engine, Options, load
from cloister.runtime.processor import cgroup_quota

MakeEngine = Callable[..., Engine]
LONG = "Ada Lovelace 👩‍👩‍👧 met e\u0301lodie 李雷 in Paris, and said nothing. " * 12


def test_an_empty_list_gives_an_empty_list(make_engine: MakeEngine) -> None:
    assert make_engine("bert", "text-classification").predict([]) == []


BAD: dict[str, tuple[Any, str]] = {
    "a single text": ("text", "invalid_input"),
    "nothing": (None, "invalid_input"),
    "a number": ([1], "invalid_input"),
    "bytes": ([b"x"], "invalid_input"),
    "a triple": ([("a", "b", "c")], "invalid_input"),
    "a lone surrogate": (["fine", "bad \ud800"], "invalid_input"),
    "a surrogate in a pair": ([("a", "\udfff")], "invalid_input"),
    "too long": (["short", LONG], "input_too_long"),
    "a megabyte": (["x y " * 250_000], "input_too_long"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_without_its_text(make_engine: MakeEngine, case: str) -> None:
    inputs, code = BAD[case]
    with pytest.raises(CloisterError) as error:
        make_engine("bert", "text-classification").predict(inputs)
    assert error.value.code == code
    assert "Lovelace" not in str(error.value)


def test_truncation_is_marked_and_is_that_of_transformers(
    make_engine: MakeEngine, make_model: Callable[..., Path]
) -> None:
    engine = make_engine("bert", "text-classification")
    tokenizer: Any = AutoTokenizer.from_pretrained(make_model("bert", "text-classification"))
    pairs = [("short", LONG), (LONG, "short"), (LONG, LONG + LONG), (LONG[:300], LONG)]
    for item, ours in zip(pairs, engine.tokenize(pairs, truncate=True), strict=True):
        theirs = tokenizer(*item, truncation="longest_first", max_length=80)
        assert len(ours) == 80
        assert ours.ids.tolist() == theirs["input_ids"]
        assert ours.types is not None
        assert ours.types.tolist() == theirs["token_type_ids"]
    cut, whole = engine.predict([LONG, "short"], truncate=True)
    assert cut.truncated
    assert not whole.truncated


@pytest.mark.parametrize("family", ["bert", "xlm-roberta"])
def test_long_texts_are_tagged_through_windows_with_exact_offsets(make_engine: MakeEngine, family: str) -> None:
    engine = make_engine(family, "token-classification", "fp32")
    windows = engine.tokenizer.windows(LONG, 0)
    assert len(windows) > 2
    assert all(len(w.tokens) <= 80 for w in windows)
    whole = engine.tokenizer.raw.encode(LONG, add_special_tokens=False)
    for part in windows:
        count = len(part.content)
        assert part.tokens.ids[part.content].tolist() == whole.ids[part.first : part.first + count]
        assert part.offsets.tolist() == [list(o) for o in whole.offsets[part.first : part.first + count]]
    (result,) = engine.predict([LONG])
    entities = result.entities  # type: ignore[union-attr]
    assert entities
    assert all(LONG[e.start : e.end] == e.text for e in entities)
    assert all(a.end <= b.start for a, b in pairwise(entities))


def test_a_text_that_fits_is_tagged_the_same_alone_and_beside_a_long_one(make_engine: MakeEngine) -> None:
    engine = make_engine("bert", "token-classification")
    assert engine.predict([LONG, "Ada met Grace."])[1] == engine.predict(["Ada met Grace."])[0]


def test_long_contexts_are_read_whole_and_a_long_question_is_refused(make_engine: MakeEngine) -> None:
    engine = make_engine("bert", "question-answering")
    (found,) = engine.predict([("Who?", LONG)])
    assert LONG[found.start : found.end] == found.answer  # type: ignore[union-attr]
    with pytest.raises(InputTooLong):
        engine.predict([(LONG, "context")])
    assert engine.predict([(LONG, "context")], truncate=True)[0].truncated
    for wrong in ("no pair",):
        with pytest.raises(CloisterError):
            engine.predict([wrong])
    assert engine.predict([("Who?", "")])[0].answer == ""  # type: ignore[union-attr]


def test_threads_get_their_own_answers(make_engine: MakeEngine) -> None:
    engine = make_engine("bert", "text-classification")
    texts = [f"text number {i} " * (i % 5 + 1) for i in range(60)]
    wanted = [engine.predict([t])[0] for t in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda t: engine.predict([t])[0], texts)) == wanted


def test_one_and_two_threads_give_the_same_bits(make_bundle: Callable[..., Path]) -> None:
    bundle = make_bundle("bert", "feature-extraction")
    texts = ["one", "two words", "three words here"] * 5
    one, two = (load(bundle, options=Options(threads=n)).predict(texts) for n in (1, 2))
    assert all(np.array_equal(a.vector, b.vector) for a, b in zip(one, two, strict=True))  # type: ignore[union-attr]


_SILENT = """
import sys
from cloister.runtime import load
print(load(sys.argv[1], check=True).predict(["hello"])[0].label)
heavy = {"torch", "transformers", "onnx", "optimum", "onnxscript"} & set(sys.modules)
assert not heavy, heavy
"""


def _run(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_loading_leaves_no_trace_and_needs_no_torch(tmp_path: Path, make_bundle: Callable[..., Path]) -> None:
    places = {}
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        (tmp_path / name).mkdir()
        places[name] = str(tmp_path / name)
    done = _run(_SILENT, str(make_bundle("bert", "text-classification")), **places)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in ("negative", "neutral", "positive")
    assert [p for p in tmp_path.rglob("*") if p.parent != tmp_path] == []


def test_telemetry_that_was_on_already_is_switched_off_with_a_warning(make_bundle: Callable[..., Path]) -> None:
    done = _run(f"import onnxruntime\n{_SILENT}", str(make_bundle("bert", "text-classification")))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("telemetry") == 1


def test_without_onnxruntime_the_extra_is_named(make_bundle: Callable[..., Path]) -> None:
    code = """
import sys
sys.modules["onnxruntime"] = None
from cloister import MissingExtra
from cloister.runtime import load
try:
    load(sys.argv[1])
except MissingExtra as error:
    print(error.hint)
"""
    done = _run(code, str(make_bundle("bert", "text-classification")))
    assert "cloister[cpu]" in done.stdout


def test_two_builds_of_onnxruntime_are_refused(
    make_bundle: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from cloister.runtime import session

    monkeypatch.setattr(session, "_is_installed", lambda name: True)
    with pytest.raises(CloisterError) as error:
        load(make_bundle("bert", "text-classification"))
    assert error.value.code == "conflicting_runtimes"


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu.max": "150000 100000"}, 1.5),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.max": "1 0"}, None),
        ({"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"}, 2.0),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({}, None),
    ],
)
def test_the_container_quota_is_read(tmp_path: Path, files: dict[str, str], quota: float | None) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert cgroup_quota(tmp_path) == quota
