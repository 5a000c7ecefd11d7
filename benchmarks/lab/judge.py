"""What was wanted, and what came of it: figures reached, missed (with the cause) or not measured; growth; losses.

A results document has `model`, `title`, `machine`, `threads`, `commit`, `date`, `versions`, `peers`, `failed` and
`workloads`; and, where it was measured, `roofline`: what `benchmarks.roofline` says of Cloister int8.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import figures
from .peers import OURS
from .workloads import GROWTHS

Results = Mapping[str, Any]

WRONG = 0.98
"""A least cosine with fp32 under this is marked: the answer is fast and wrong."""
RIGHT = 0.99
"""A least cosine with fp32 from this on counts as right where the fastest right peer is asked for."""
FASTEST = "the fastest peer that is right"
UNKNOWN = "cause not yet known"
_CAUSES = Path(__file__).with_name("causes.toml")
_OPTIMUM, _OPENVINO = "optimum-onnx int8 (AVX512-VNNI)", "OpenVINO int8 (NNCF)"


@dataclass(frozen=True)
class Wanted:
    """A figure: the peer's time at least `least` times ours; or, with `most`, our time at most `most` times its."""

    model: str
    load: str
    peer: str
    part: str
    least: float | None = None
    most: float | None = None

    @property
    def name(self) -> str:
        return f"{self.model}, {self.load}, {self.peer}"


WANTED = (
    Wanted("minilm", "mixed", _OPTIMUM, "excluded", least=3.0),
    Wanted("minilm", "mixed", _OPENVINO, "excluded", least=1.8),
    Wanted("minilm", "mixed", "sentence-transformers fp32", "included", least=6.0),
    Wanted("bert-base", "mixed", _OPTIMUM, "excluded", least=2.5),
    Wanted("bert-base", "mixed", _OPENVINO, "excluded", least=1.5),
    Wanted("minilm", "uniform 8x128", _OPENVINO, "excluded", most=1.3),
    Wanted("minilm", "single 1x16", FASTEST, "included", most=1.1),
)
SHARE = ("minilm", "8x128", 0.5)
"""Model, shape, and the least share of the int8 roofline: the time of the int8 products at their peak over the time."""
SLOPE = ("minilm", 1.0, 0.05)
"""Model, exponent of growth in total tokens from 100 to 100,000, and how far it may be off."""


@dataclass(frozen=True)
class Judged:
    """A figure beside what was wanted. `state` is `reached`, `missed` or `not measured`."""

    name: str
    wanted: str
    got: str
    state: str
    cause: str = ""


def judged(documents: Sequence[Results], causes: Mapping[str, str] | None = None) -> list[Judged]:
    """Every wanted figure."""
    known = read_causes() if causes is None else causes
    found = [_ratio(wanted, documents) for wanted in WANTED]
    found.append(_share(documents))
    found.append(_slope(documents))
    return [
        Judged(f.name, f.wanted, f.got, f.state, known.get(f.name, UNKNOWN)) if f.state == "missed" else f
        for f in found
    ]


def read_causes(path: Path = _CAUSES) -> dict[str, str]:
    """Causes by the figure's name."""
    return {c["figure"]: c["text"] for c in tomllib.loads(path.read_text("utf-8")).get("cause", [])}


def of(documents: Sequence[Results], model: str) -> Results | None:
    """A model's document."""
    return next((d for d in documents if d.get("model", "minilm") == model), None)


def compared(peers: Mapping[str, Any], name: str, part: str) -> dict[str, float] | None:
    """How many times our time a peer's is, with its interval; None where one of the two was not measured.

    By pairs: each of the peer's times over the one that Cloister int8 took just before it.
    """
    theirs = peers.get(name, {}).get(part)
    if theirs is None or not theirs.get("beside"):
        return None
    return figures.ratio(theirs["beside"], theirs["ms"])


def interval(ratio: Mapping[str, float]) -> str:
    """`[3.02, 3.17]`; of too few rounds for one, how many they are."""
    runs = int(ratio["rounds"])
    if runs < 3:
        return f"[{runs} round{'s' if runs > 1 else ''}]"
    return f"[{ratio['low']:.2f}, {ratio['high']:.2f}]"


def fastest_right(peers: Mapping[str, Any], part: str) -> str | None:
    """The peer that is not Cloister, right, and fastest by its median."""
    fit = {
        name: float(entry[part]["median"])
        for name, entry in peers.items()
        if part in entry and not name.startswith("Cloister") and entry.get("cosine", {}).get("least", 0.0) >= RIGHT
    }
    return min(fit, key=lambda name: fit[name]) if fit else None


def _ratio(wanted: Wanted, documents: Sequence[Results]) -> Judged:
    bound = f"its time ≥ {wanted.least:g} × ours" if wanted.least is not None else f"our time ≤ {wanted.most:g} × its"
    bound += f", tokenization {wanted.part}"
    document = of(documents, wanted.model)
    peers = {} if document is None else document["workloads"].get(wanted.load, {}).get("peers", {})
    name = fastest_right(peers, wanted.part) if wanted.peer == FASTEST else wanted.peer
    r = None if name is None else compared(peers, name, wanted.part)
    if r is None:
        return Judged(wanted.name, bound, "", "not measured")
    beside = f" ({name})" if wanted.peer == FASTEST else ""
    if wanted.least is not None:
        got, reached = f"{r['median']:.2f} {interval(r)}", r["median"] >= wanted.least
    else:
        assert wanted.most is not None
        got = f"{1 / r['median']:.2f} [{1 / r['high']:.2f}, {1 / r['low']:.2f}]"
        reached = 1 / r["median"] <= wanted.most
    return Judged(wanted.name, bound, got + beside, "reached" if reached else "missed")


def _share(documents: Sequence[Results]) -> Judged:
    model, shape, least = SHARE
    document = of(documents, model) or {}
    share = document.get("roofline", {}).get("shapes", {}).get(shape, {}).get("int8_share")
    name, wanted = f"{model}, uniform {shape}, share of the int8 roofline", f"≥ {least:.0%}"
    if share is None:
        return Judged(name, wanted, "", "not measured")
    return Judged(name, wanted, f"{share:.0%}", "reached" if share >= least else "missed")


def _slope(documents: Sequence[Results]) -> Judged:
    model, exponent, off = SLOPE
    points = growth(of(documents, model) or {"workloads": {}}, "growth").get(OURS, [])
    name, wanted = f"{model}, growth in total tokens, exponent", f"{exponent:.1f} ± {off:.2f} over 100 to 100,000"
    if len(points) < 2:
        return Judged(name, wanted, "", "not measured")
    slope = figures.exponent(*zip(*points, strict=True))
    return Judged(name, wanted, f"{slope:.3f}", "reached" if abs(slope - exponent) <= off else "missed")


def growth(document: Results, kind: str) -> dict[str, list[tuple[float, float]]]:
    """Size and median milliseconds, tokenization included, of each peer that ran the growing workloads of a kind.

    Cloister int8 runs before each turn of a peer as well: all of its runs count, so that its median at one size is of
    many minutes, and a machine that is slower for some seconds bends no line.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for load, data in document["workloads"].items():
        word, _, named = load.partition(" ")
        if word == kind:
            size = float(data.get(GROWTHS[kind][1]) or named)
            runs = {n: list(e["included"]["ms"]) for n, e in data["peers"].items() if "included" in e}
            if OURS in runs:
                runs[OURS] += [ms for e in data["peers"].values() for ms in e.get("included", {}).get("beside", ())]
            for name, taken in runs.items():
                found.setdefault(name, []).append((size, float(np.median(taken))))
    return {name: sorted(points) for name, points in found.items() if len(points) > 1}


def commits(document: Results) -> str:
    """The commit that was measured; where workloads were added later, each commit with what is of it."""
    of_commit: dict[str, list[str]] = {}
    for load, data in document["workloads"].items():
        of_commit.setdefault(data.get("commit", document["commit"])[:12], []).append(load)
    if len(of_commit) < 2:
        return next(iter(of_commit), document["commit"][:12])
    return "; ".join(f"{commit} ({', '.join(loads)})" for commit, loads in of_commit.items())


@dataclass(frozen=True)
class Loss:
    """A peer that is faster than Cloister: in a workload, by the whole interval of the ratio."""

    load: str
    part: str
    peer: str
    ratio: Mapping[str, float]
    least_cosine: float | None


def wrong(least_cosine: float | None) -> bool:
    """Whether an answer is to be marked as wrong; one that was not compared is not."""
    return least_cosine is not None and least_cosine < WRONG


def losses(document: Results) -> list[Loss]:
    """Where a peer is surely faster, wrong answers among them."""
    found = []
    for load, data in document["workloads"].items():
        for part in ("excluded", "included"):
            for name, entry in data["peers"].items():
                r = None if name.startswith("Cloister") else compared(data["peers"], name, part)
                if r is not None and r["high"] < 1:
                    found.append(Loss(load, part, name, r, entry.get("cosine", {}).get("least")))
    return found
