"""The lab without peers: its protocol with tiny peers in this interpreter, its figures against scipy, its report."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tokenizers import Tokenizer

from benchmarks.lab import figures, judge, markdown, redaction, report, run, starting, turns
from benchmarks.lab.page import page
from benchmarks.lab.peers import OURS, REFERENCE, Peer
from benchmarks.lab.process import PeerFailed, Worker
from benchmarks.lab.wire import receive, send
from benchmarks.lab.workloads import Workload, workloads


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
        Here("killed", "here", "counting", {"fails": "kill"}),
        Missing("absent", "missing", "counting"),
    ]


def test_every_peer_is_in_the_report_or_named_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "LAB", tmp_path)
    loads = [
        Workload("mixed", ("one", "two and three", "four")),
        Workload("growth 100", ("a",)),
        Workload("growth 1000", ("a b",)),
    ]
    saved: list[list[str]] = []
    results = run.measured(peers(), tmp_path / "model", loads, 4, 60.0, 1, lambda r: saved.append(list(r["workloads"])))
    assert saved == [["mixed"], ["mixed", "growth 100"], ["mixed", "growth 100", "growth 1000"]]
    grown = results["workloads"]["growth 1000"]["peers"]["wrong"]
    assert "excluded" not in grown
    assert "cosine" not in grown
    assert "memory" not in grown
    assert len(grown["included"]["ms"]) == turns.FIRST
    timed = results["workloads"]["mixed"]["peers"]
    assert {name for name, entry in timed.items() if "included" in entry} == {OURS, REFERENCE, "wrong"}
    assert len(timed[OURS]["excluded"]["ms"]) == 4
    assert "beside" not in timed[OURS]["excluded"]
    assert len(timed["wrong"]["excluded"]["beside"]) == len(timed["wrong"]["excluded"]["ms"]) == 4
    assert timed["wrong"]["cosine"]["least"] == pytest.approx(-1)
    assert timed[OURS]["cosine"]["least"] == pytest.approx(1)
    for name, why in (
        ("broken", "cannot prepare"),
        ("dies", "ended with 3"),
        ("killed, mixed", "memory runs out"),
        ("killed, growth 100", "memory runs out"),  # it was started again
        ("absent", "make lab"),
        ("breaks later, mixed", "cannot run"),
    ):
        assert why in results["failed"][name]
    assert timed[OURS]["memory"]["peak"] >= timed[OURS]["memory"]["resident"] > 0
    for text in (markdown.report([results]), page([results])):
        for name in (OURS, REFERENCE, "wrong", *results["failed"]):
            assert name in text
        assert "cannot prepare" in text
        assert "not measured" in text
    assert "**wrong**" in markdown.report([results])
    assert ">wrong</b>" in page([results])


def document(model: str = "minilm", /, **workloads: Any) -> dict[str, Any]:
    """Results with these rounds of each peer, cosines of 1 but for a peer whose name says otherwise."""
    made = {}
    for load, peers in workloads.items():
        made[load.replace("_", " ")] = {
            "texts": 1, "tokens": 10, "padded": 10,
            "peers": {
                name: {
                    "mode": "default", "memory": {"resident": 1, "peak": 2},
                    "cosine": {"least": 0.9 if "wrong" in name else 1.0, "mean": 1.0},
                    **{
                        part: {"ms": ms, "beside": peers.get(OURS), **figures.summary(ms)}
                        for part in ("excluded", "included")
                    },
                }
                for name, ms in peers.items()
            },
        }  # fmt: skip
    return {
        "model": model, "title": model, "machine": "m", "threads": 1, "commit": "c" * 40, "date": "d", "versions": {},
        "peers": {}, "failed": {}, "workloads": made,
    }  # fmt: skip


def states(*documents: dict[str, Any], causes: dict[str, str] | None = None) -> dict[str, judge.Judged]:
    return {j.name: j for j in judge.judged(documents, causes or {})}


def test_figures_are_judged_by_the_rounds_ratios_and_misses_have_a_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "read_causes", dict)
    optimum, openvino = "optimum-onnx int8 (AVX512-VNNI)", "OpenVINO int8 (NNCF)"
    mixed = {OURS: [10.0, 20.0, 10.0], optimum: [31.0, 64.0, 30.5], openvino: [17.0, 34.0, 17.0]}
    uniform = {OURS: [13.0, 26.0, 13.0], openvino: [10.0, 20.0, 10.0]}
    causes = {f"minilm, mixed, {openvino}": "its softmax is fused"}
    found = states(document(mixed=mixed, uniform_8x128=uniform), document("bert-base", mixed=mixed), causes=causes)
    assert found[f"minilm, mixed, {optimum}"].state == "reached"
    assert found[f"minilm, mixed, {optimum}"].got.startswith("3.10 [")
    assert found[f"minilm, mixed, {openvino}"].state == "missed"
    assert found[f"minilm, mixed, {openvino}"].cause == "its softmax is fused"
    assert found[f"bert-base, mixed, {openvino}"].state == "reached"
    assert found["minilm, mixed, sentence-transformers fp32"].state == "not measured"
    assert found[f"minilm, uniform 8x128, {openvino}"].got.startswith("1.30 [")
    assert found[f"minilm, uniform 8x128, {openvino}"].state == "reached"
    slower = {**uniform, OURS: [13.2, 26.4, 13.2]}
    late = states(document(uniform_8x128=slower))[f"minilm, uniform 8x128, {openvino}"]
    assert (late.state, late.cause) == ("missed", judge.UNKNOWN)
    assert judge.UNKNOWN in markdown.report([document(uniform_8x128=slower)])
    assert judge.UNKNOWN in page([document(uniform_8x128=slower)])


def test_single_texts_are_judged_against_the_fastest_peer_that_is_right() -> None:
    single = {OURS: [1.05, 1.05, 1.05], "fast and wrong": [0.5, 0.5, 0.5], "right": [1.0, 1.0, 1.0], "slow": [3.0] * 3}
    name = f"minilm, single 1x16, {judge.FASTEST}"
    found = states(document(single_1x16=single))[name]
    assert found.state == "reached"
    assert "(right)" in found.got
    assert states(document(single_1x16={**single, "right": [0.9] * 3}))[name].state == "missed"
    lost = {(x.peer, x.least_cosine) for x in judge.losses(document(single_1x16=single))}
    assert lost == {("fast and wrong", 0.9), ("right", 1.0)}


def test_growth_and_the_roofline_are_judged() -> None:
    linear = {f"growth_{n}": {OURS: [n / 10] * 3, "worse": [n**1.2] * 3} for n in (100, 1000, 10_000)}
    results = document(**linear)
    for load, n in zip(results["workloads"].values(), (110, 1100, 11_000), strict=True):
        load["tokens"] = n
    operators = [{"operator": "MatMul", "calls": 6, "ms": 3.0, "share": 0.6, "of_peak": 0.9}]
    shape = {"tokens": 1024, "ms": 5.0, "int8_share": 0.55, "limit_share": 0.6, "operators": operators}
    peaks = {"int8": 8e11, "bf16": None, "fp32": 2e11, "bandwidth": 3e10}
    results["roofline"] = {"peaks": peaks, "shapes": {"8x128": shape}}
    found = states(results)
    assert found["minilm, growth in total tokens, exponent"].got == "1.000"
    assert found["minilm, uniform 8x128, share of the int8 roofline"].state == "reached"
    for text in (page([results]), markdown.report([results])):
        assert "1.20 (110 to 11,000)" in text
        assert "MatMul" in text
        assert "int8 800 GOP/s, fp32 200 GFLOP/s, 30 GB/s" in text
    shape["int8_share"] = 0.49
    assert states(results)["minilm, uniform 8x128, share of the int8 roofline"].state == "missed"


def test_every_cause_names_a_figure() -> None:
    names = {j.name for j in judge.judged([])}
    assert set(judge.read_causes()) <= names


def test_the_page_is_well_formed_and_carries_its_results() -> None:
    results = document(mixed={OURS: [1.0] * 3, "<b>&": [2.0] * 3})
    text = page([results])
    raw = text.split('id="results">')[1].split("</script>")[0]
    assert json.loads(raw) == [results]
    assert "<b>&" not in text
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")

    class Checker(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in ("meta", "br"):
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    checker = Checker()
    checker.feed(text)
    assert checker.open == []


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


def test_the_readme_shows_losses_and_misses_beside_the_table() -> None:
    openvino = "OpenVINO int8 (NNCF)"
    mixed = {OURS: [100.0] * 5, openvino: [150.0] * 5}
    single = {OURS: [2.0] * 5, openvino: [1.0] * 5, "fast and wrong": [1.5] * 5}
    got = markdown.summary([document(mixed=mixed, single_1x16=single, batch_4=single)])
    assert f"- {openvino}: single 1x16 0.50\n" in got
    assert "- fast and wrong: single 1x16 0.75 (wrong)\n" in got
    assert "batch 4" not in got
    assert f"- minilm, mixed, {openvino}: 1.50 [1.50, 1.50], wanted its time ≥ 1.8 × ours" in got
    assert "- nobody" in markdown.summary([document(mixed=mixed)])


def test_the_readme_gets_its_summary_between_the_markers() -> None:
    given = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    assert report.filled(given, "new\n") == f"before\n{report.BEGIN}\nnew\n{report.END}\nafter\n"
    with pytest.raises(ValueError, match="no markers"):
        report.filled("nothing", "new")


_LAB_THAT_IS_KILLED = """
import sys, time
from pathlib import Path
from benchmarks.lab.process import Worker
worker = Worker("benchmarks.lab.adapters.counting", threads=1, log=Path(sys.argv[1]))
worker.ask("prepare", options={}, model=".", work=".", threads=1)
print(worker._process.pid, flush=True)
time.sleep(600)
"""


def state(pid: int) -> str:
    """A process's state letter; `gone` when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "gone"


@pytest.mark.skipif(sys.platform != "linux", reason="prctl(2)")
def test_a_stopped_worker_ends_with_a_lab_that_is_killed(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    lab = subprocess.Popen(
        [sys.executable, "-c", _LAB_THAT_IS_KILLED, str(tmp_path / "log")],
        cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert lab.stdout is not None
    worker = int(lab.stdout.readline())
    while state(worker) != "T":
        time.sleep(0)
    lab.send_signal(signal.SIGKILL)
    lab.wait()
    lab.stdout.close()
    end = time.monotonic() + 30
    while state(worker) not in ("gone", "Z"):
        assert time.monotonic() < end, "the worker outlived the lab"


def test_a_worker_that_does_not_answer_is_ended(tmp_path: Path) -> None:
    worker = Worker("benchmarks.lab.adapters.counting", threads=1, log=tmp_path / "log", limit=0.5)
    try:
        with pytest.raises(PeerFailed, match=r"no answer within 0\.5 s"):
            worker.ask("prepare", options={"fails": "hang"}, model="", work="", threads=1)
        with pytest.raises(PeerFailed):
            worker.ask("texts", texts=["a"])
    finally:
        worker.close()


class Timed:
    """A worker whose runs take what a list says, and which notes what was asked of it."""

    def __init__(self, **taken: list[float]) -> None:
        self.taken = taken
        self.asked: list[str] = []

    def ask(self, do: str, *, mode: str = "", **fields: Any) -> tuple[dict[str, Any], Any]:
        if do == "texts":
            return {"split": False}, None
        self.asked.append(mode)
        return {"ms": [self.taken[mode].pop(0)]}, None


def test_the_faster_way_is_taken_by_its_second_run() -> None:
    quick = Timed(default=[9.0, 2.0], sorted=[5.0, 3.0])
    assert turns.best_mode(quick, ["default", "sorted"], padding=True) == ("default", 2.0)  # type: ignore[arg-type]
    compiling = Timed(default=[9.0, 2.0], sorted=[19_000.0, 1.0])
    assert turns.best_mode(compiling, ["default", "sorted"], padding=True) == ("sorted", 1.0)  # type: ignore[arg-type]
    long = Timed(default=[20_001.0], sorted=[26_000.0])
    assert turns.best_mode(long, ["default", "sorted"], padding=False) == ("default", 20_001.0)  # type: ignore[arg-type]
    assert long.asked == ["sorted", "default"]
    padding = Timed(default=[], sorted=[6000.0, 5500.0])
    assert turns.best_mode(padding, ["default", "sorted"], padding=True) == ("sorted", 5500.0)  # type: ignore[arg-type]


def test_a_slow_peer_is_asked_until_it_is_enough_and_ours_as_often() -> None:
    ours, slow = Timed(default=[1000.0] * 50), Timed(default=[11_000.0] * 50)
    fact = {"modes": ["default"], "one_batch": False}
    measure = turns.Turns({OURS: ours, "slow": slow}, {OURS: fact, "slow": fact}, {}, 12, 60.0)  # type: ignore[dict-item]
    entry = measure(Workload("growth 100", ("a",)))["peers"]["slow"]["included"]
    assert (entry["ms"], entry["beside"]) == ([11_000.0] * 2, [1000.0] * 2)
    peers = {"slow": {"included": entry}, OURS: {"included": {"ms": [1.0]}}}
    r = judge.compared(peers, "slow", "included")
    assert r is not None
    assert judge.interval(r) == "[2 rounds]"


def test_tokenization_is_not_timed_beside_seconds() -> None:
    class Slow(Timed):
        def ask(self, do: str, *, mode: str = "", **fields: Any) -> tuple[dict[str, Any], Any]:
            if do == "texts":
                return {"split": True}, None
            if do == "vectors":
                return {}, np.ones((1, 1), np.float32)
            assert fields["tokenized"]
            return {"ms": [6000.0]}, None

    fact = {"modes": ["default"], "one_batch": True}
    measure = turns.Turns({REFERENCE: Slow()}, {REFERENCE: fact}, {}, 12, 60.0)  # type: ignore[dict-item]
    entry = measure(Workload("mixed", ("a",)))["peers"][REFERENCE]
    assert set(entry) == {"mode", "cosine", "excluded"}


def test_a_turn_is_repeated_as_long_as_it_is_short() -> None:
    fact = {"modes": ["default"], "one_batch": False}
    quick, slow = Timed(default=[10.0] * 99), Timed(default=[150.0] * 99)
    measure = turns.Turns({OURS: quick, "slow": slow}, {OURS: fact, "slow": fact}, {}, 1, 60.0)  # type: ignore[dict-item]
    load = Workload("growth 100", ("a",), repeat=20)
    measure(load)
    assert measure._repeats == {OURS: 20, "slow": 2}


def test_missing_workloads_are_added_to_the_last_results() -> None:
    before = document(mixed={OURS: [1.0] * 3})
    later = document(single_1x16={OURS: [2.0] * 3}) | {"commit": "d" * 40}
    later["workloads"]["single 1x16"]["commit"] = "d" * 40
    both = run.merged(before, later)
    assert list(both["workloads"]) == ["mixed", "single 1x16"]
    assert judge.commits(both) == f"{'c' * 12} (mixed); {'d' * 12} (single 1x16)"
    assert judge.commits(before) == "c" * 12
    assert run.merged({}, later) == later
    before["failed"] = {"x": "was missing", "x, memory": "gone", "y": "stays", "roofline": "gone"}
    later |= {"peers": {"x": {"cold_start_seconds": 1.0, "memory": {"resident": 1, "peak": 1}}}, "roofline": {}}
    assert run.merged(before, later)["failed"] == {"y": "stays"}
    assert not run.lacks_memory(Workload("mixed", ("a",)), before["workloads"])
    del before["workloads"]["mixed"]["peers"][OURS]["memory"]
    assert run.lacks_memory(Workload("mixed", ("a",)), before["workloads"])
    assert f"commit {judge.commits(both)}" in markdown.report([both])


def test_all_runs_of_cloister_count_for_its_growth() -> None:
    results = document(growth_100={OURS: [9.0], "x": [5.0]}, growth_1000={OURS: [90.0], "x": [50.0]})
    for load, beside in (("growth 100", [1.0, 1.0]), ("growth 1000", [10.0, 10.0])):
        data = results["workloads"][load]
        data["tokens"] = int(load.split()[1])
        data["peers"][OURS]["included"]["beside"] = []
        data["peers"]["x"]["included"]["beside"] = beside
    assert judge.growth(results, "growth")[OURS] == [(100.0, 1.0), (1000.0, 10.0)]


def test_a_way_that_would_pad_too_much_is_not_tried() -> None:
    both = {"modes": ["default", "sorted"], "one_batch": True}
    many = Workload("many", ("a",) * 1000, 1, (33,) * 1000)
    assert many.padded > turns.PADDED
    assert turns.ways(both, many) == ["sorted"]
    assert turns.ways({**both, "one_batch": False}, many) == ["default", "sorted"]
    assert turns.ways(both, Workload("few", ("a",) * 32, 1, (9,) * 32)) == ["default"]
    assert turns.ways(both, Workload("mixed", ("a",) * 64, 1, (9,) * 64)) == ["default", "sorted"]
    assert turns.ways({"modes": ["default"], "one_batch": False}, many) == ["default"]


def test_after_the_first_rounds_the_slow_ones_rest() -> None:
    times = {
        (OURS, True): [1.0, 9.0, 1.0],
        ("near", True): [4.0, 3.9, 4.1],
        ("slow", True): [4.1] * 3,
        ("gone", True): [],
    }
    assert turns.near(times) == [(OURS, True), ("near", True)]
    assert turns.near({("alone", False): [9.0]}) == [("alone", False)]


def test_workloads_have_the_tokens_that_they_name(tmp_path: Path) -> None:
    from benchmarks.lab.models import xlmr_tokenizer

    xlmr_tokenizer(tmp_path, pieces=800, size=2000)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert tokenizer.get_vocab_size() == 2000
    assert [tokenizer.token_to_id(t) for t in ("<s>", "<pad>", "</s>", "<unk>")] == [0, 1, 2, 3]
    ids = tokenizer.encode("how long does a parcel take to arrive").ids
    assert (ids[0], ids[-1]) == (0, 2)
    assert 3 not in ids  # everything is in the pieces that were trained
    assert tokenizer.decode(ids) == "how long does a parcel take to arrive"
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["pad_token"] == "<pad>"
    for load in workloads(tmp_path, full=True):
        lengths = [len(tokenizer.encode(text)) for text in load.texts]
        assert tuple(lengths) == load.lengths
        kind, _, of = load.name.partition(" ")
        if kind in ("uniform", "single"):
            count, tokens = map(int, of.split("x"))
            assert lengths == [tokens] * count
        elif kind in ("batch", "length"):
            assert set(lengths) == ({32} if kind == "batch" else {int(of)})
            assert len(lengths) == (int(of) if kind == "batch" else 1)
        elif kind == "growth":
            assert int(of) <= load.tokens < int(of) + 256
        elif kind == "mixed":
            assert max(lengths) <= 256


def test_a_value_is_found_when_all_of_it_is_in_spans() -> None:
    valued = [
        ("URL", "see example.org now", (4, 15)),
        ("URL", "see example.org now", (4, 15)),
        ("IP", "1.2.3.4", (0, 7)),
    ]
    spans = [[(4, 10), (10, 15)], [(4, 14)], []]
    assert redaction.by_kind(valued, spans) == pytest.approx({"all": 1 / 3, "URL": 0.5, "IP": 0.0})


def test_redaction_names_what_could_not_run_and_finds_planted_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redaction, "LAB", tmp_path)

    class Here(Peer):
        @property
        def python(self) -> Path:
            return Path(sys.executable if self.environment == "here" else "/nowhere/python")

    given = redaction.values(2)
    assert {kind for kind, _, _ in given} == set(redaction.KINDS)
    assert all(0 <= start < end <= len(text) for _, text, (start, end) in given)
    tools = [
        Here(redaction.CLOISTER, "here", "redaction", {"tool": "cloister"}),
        Here("unknown", "here", "redaction", {"tool": "none"}),
        Here("absent", "missing", "redaction", {"tool": "scrubadub"}),
    ]
    found = redaction.measured(tools, given, ["nothing is in this one"], 1)
    assert set(found["peers"]) == {redaction.CLOISTER}
    assert found["peers"][redaction.CLOISTER]["found"]["EMAIL_ADDRESS"] == 1.0
    assert found["peers"][redaction.CLOISTER]["alarms"] == 0.0
    assert "none" in found["failed"]["unknown"]
    assert "make lab-redaction" in found["failed"]["absent"]
    results = document()
    for text in (markdown.report([results], found), page([results], found)):
        assert "absent" in text
        assert redaction.CLOISTER in text
