"""`cloister bench` on tiny bundles, and the statistics against scipy."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from cloister import InvalidInput
from cloister.cli import app
from cloister.cli.chart import lines
from cloister.runtime import Engine
from cloister.runtime.measure import measure, ratio_interval, text

QUICK = ["--seconds", "0.01", "--lengths", "8,32,512", "--batches", "1,4"]


def test_one_document_with_a_comparison_and_a_chart(tmp_path: Path, make_bundle: Callable[..., Path]) -> None:
    first = make_bundle("bert", "text-classification")
    second = make_bundle("bert", "text-classification", "fp32")
    for name in ("chart.svg", "chart.html"):
        arguments = ["bench", str(first), "--compare", str(second), "--json", "--chart", str(tmp_path / name), *QUICK]
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, done.output
        document = json.loads(done.stdout)
    assert [b["variant"] for b in document["bundles"]] == ["int8", "fp32"]
    for entry in document["bundles"]:
        lengths = [row["tokens"] for row in entry["latency"]]
        assert lengths == sorted(lengths)
        assert lengths[-1] <= 80  # the window of the tiny models
        assert [row["texts"] for row in entry["throughput"]] == [1, 4]
        for row in entry["latency"] + entry["throughput"]:
            assert 0 < row["min_ms"] <= row["median_ms"] <= row["p95_ms"]
    assert 0 < document["memory"]["process_bytes"] <= document["memory"]["peak_bytes"]
    assert len(document["comparison"]) == 5
    assert all(c["interval"][0] <= c["ratio"] <= c["interval"][1] for c in document["comparison"])
    assert len(ET.fromstring((tmp_path / "chart.svg").read_text()).findall(".//{*}polyline")) == 4  # noqa: S314 - ours
    assert (tmp_path / "chart.html").read_text().count("<polyline") == 4


@pytest.mark.parametrize(
    ("task", "kind"),
    [("question-answering", "bert"), ("fill-mask", "bert"), ("zero-shot-classification", "bert"),
     ("text-ranking", "bert"), ("token-classification", "distilbert"), ("feature-extraction", "mpnet")],
)  # fmt: skip
def test_every_task_is_measured(task: str, kind: str, make_bundle: Callable[..., Path]) -> None:
    done = CliRunner().invoke(app, ["bench", str(make_bundle(kind, task)), *QUICK])
    assert done.exit_code == 0, (done.output, done.exception)
    assert "4 x " in done.stdout
    assert "texts/s" in done.stdout
    assert ", at most " in done.stdout


def test_bad_settings_are_refused(tmp_path: Path, make_bundle: Callable[..., Path]) -> None:
    bundle = str(make_bundle("bert", "text-classification"))
    for arguments in (["--lengths", "a"], ["--batches", "0"], ["--chart", "x.png"], ["--lengths", "1,,2"]):
        done = CliRunner().invoke(app, ["bench", bundle, *arguments])
        assert isinstance(done.exception, InvalidInput), arguments
    other = str(make_bundle("bert", "feature-extraction"))
    assert isinstance(CliRunner().invoke(app, ["bench", bundle, "--compare", other]).exception, InvalidInput)


def test_texts_have_the_length_that_was_asked_for(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine("bert", "text-classification")
    for tokens in (8, 16, 40, 80):
        assert tokens - 3 <= len(engine.tokenize([text(engine, tokens)])[0]) <= tokens
    with pytest.raises(InvalidInput):
        measure([])


def test_the_interval_agrees_with_scipy() -> None:
    random = np.random.default_rng(3)
    first = random.gamma(50, 0.1, 40)
    second = 2 * random.gamma(50, 0.1, 40)
    ratio, low, high = ratio_interval(first.tolist(), second.tolist(), draws=9000)
    known = stats.bootstrap(
        (second / first,), np.median, n_resamples=9000, method="percentile", rng=np.random.default_rng(5)
    ).confidence_interval
    assert ratio == pytest.approx(np.median(second / first))
    assert (low, high) == pytest.approx((known.low, known.high), rel=0.01)


def test_a_chart_needs_points_above_zero() -> None:
    with pytest.raises(ValueError, match="above zero"):
        lines("t", "x", "y", {"a": [(0.0, 1.0)]})
    assert "&lt;b&gt;" in lines("<b>", "x", "y", {"a": [(1.0, 1.0)]})
