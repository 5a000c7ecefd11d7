"""The lab without peers: its protocol with tiny peers in this interpreter, its figures against scipy, its report."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks.lab import figures, report, run
from benchmarks.lab.peers import OURS, REFERENCE, Peer
from benchmarks.lab.process import PeerFailed, Worker
from benchmarks.lab.wire import receive, send
from benchmarks.lab.workloads import Workload


def peers() -> list[Peer]:
    class Here(Peer):
        @property
        def python(self) -> Path:
            return Path(sys.executable)

    class Missing(Peer):
        @property
        def python(self) -> Path:
            return Path("/nowhere/python")

    return [
        Here(OURS, "here", "counting"),
        Here(REFERENCE, "here", "counting"),
        Here("wrong", "here", "counting", {"sign": -1}),
        Here("broken", "here", "counting", {"fails": "prepare"}),
        Here("breaks later", "here", "counting", {"fails": "run"}),
        Here("dies", "here", "counting", {"fails": "exit"}),
        Missing("absent", "missing", "counting"),
    ]


def test_every_peer_is_in_the_report_or_named_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "LAB", tmp_path)
    loads = [
        Workload("mixed", ("one", "two and three", "four")),
        Workload("growth 100", ("a",)),
        Workload("growth 1000", ("a b",)),
    ]
    results = run.measured(peers(), tmp_path / "model", loads, 4, 60.0, 1)
    timed = results["workloads"]["mixed"]["peers"]
    assert {name for name, entry in timed.items() if "included" in entry} == {OURS, REFERENCE, "wrong"}
    assert len(timed[OURS]["excluded"]["ms"]) == 4
    assert timed["wrong"]["cosine"]["least"] == pytest.approx(-1)
    assert timed[OURS]["cosine"]["least"] == pytest.approx(1)
    for name, why in (
        ("broken", "cannot prepare"),
        ("dies", "ended"),
        ("absent", "make lab"),
        ("breaks later, mixed", "cannot run"),
    ):
        assert why in results["failed"][name]
    for text in (report.markdown(results), report.page(results)):
        for name in (OURS, REFERENCE, "wrong", *results["failed"]):
            assert name in text
        assert "**wrong**" in text
        assert "cannot prepare" in text
    assert "growth exponent" in report.markdown(results)
    assert "optimum-onnx int8 (AVX512-VNNI), tokenization excluded: at least 3.00: not measured" in report.markdown(
        results
    )


def test_a_worker_that_is_not_asked_is_stopped(tmp_path: Path) -> None:
    worker = Worker("benchmarks.lab.adapters.counting", threads=1, log=tmp_path / "log")
    try:
        worker.ask("prepare", options={}, model=str(tmp_path), work=str(tmp_path), threads=1)
        stat = Path(f"/proc/{worker._process.pid}/stat")
        while stat.read_text().rpartition(")")[2].split()[0] != "T":
            pass
        assert worker.ask("texts", texts=["a"])[0] == {"split": True}
        with pytest.raises(PeerFailed, match="unknown request"):
            worker.ask("dance")
    finally:
        worker.close()


@given(st.lists(st.lists(st.floats(width=32, allow_nan=False), min_size=2, max_size=2), max_size=5), st.text())
def test_frames_come_back(rows: list[list[float]], word: str) -> None:
    array = np.array(rows, np.float32).reshape(-1, 2)
    stream = io.BytesIO()
    send(stream, {"word": word}, array)
    send(stream, {"last": True})
    stream.seek(0)
    header, got = receive(stream)
    assert header["word"] == word
    assert got is not None
    assert got.tobytes() == array.tobytes()
    assert receive(stream) == ({"last": True}, None)
    with pytest.raises(EOFError):
        receive(io.BytesIO(stream.getvalue()[:-1][-3:]))


def test_the_exponent_agrees_with_scipy() -> None:
    random = np.random.default_rng(1)
    sizes = [100.0, 1000.0, 10_000.0, 100_000.0]
    times = [0.02 * n**1.1 * float(random.uniform(0.9, 1.1)) for n in sizes]
    known = stats.linregress(np.log(sizes), np.log(times)).slope
    assert figures.exponent(sizes, times) == pytest.approx(known)
    with pytest.raises(ValueError, match="two sizes"):
        figures.exponent([5.0], [1.0])


def test_the_readme_gets_its_table_between_the_markers() -> None:
    given = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    assert report.filled(given, "new\n") == f"before\n{report.BEGIN}\nnew\n{report.END}\nafter\n"
    with pytest.raises(ValueError, match="no markers"):
        report.filled("nothing", "new")
