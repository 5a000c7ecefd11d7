"""`make lab-run`: every peer in a process of its own, the same texts, round by round in turns; one JSON document.

    python -m benchmarks.lab.run [--model NAME] [--full] [--rounds N] [--threads N] [--only PART_OF_NAME]

A peer gets the faster of its own way of batching and of length sorting in batches of 32, for each workload. Its
vectors are compared with PyTorch's in fp32, text by text. What fails, in preparing or in a workload, is recorded with
its reason and the others go on.
"""

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import workbench as wb
from cloister.runtime.processor import available_threads

from . import figures
from .models import MODELS
from .peers import NOT_RUN, OURS, REFERENCE, ROOT, Peer, of_model
from .process import PeerFailed, Worker
from .workloads import Workload, workloads

LAB = ROOT / ".lab"
PADDED = 1 << 16
"""Padded tokens of one batch over which a peer that pads is not asked for its own way: that could take tens of GB."""
SORTED = 32
"""Texts of a sorted batch; with no more texts than these both ways are one batch."""
FIRST = 3
"""Rounds that every peer runs; after them only those go on whose time is near Cloister's."""
NEAR = 4.0
"""Times Cloister's median that still is near."""
LONG_MS = 5000.0
"""A way of batching that took so long at once, and twice the other's time, is not tried again."""


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=sorted(MODELS), default="minilm")
    parser.add_argument("--full", action="store_true", help="also 500 texts, long documents, growth")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="after three rounds of all, time for more of those near Cloister"
    )
    parser.add_argument("--threads", type=int, default=available_threads())
    parser.add_argument("--only", help="peers whose name contains this, Cloister int8 and the reference")
    parser.add_argument("--workload", help="workloads whose name contains this")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    chosen = [p for p in of_model(given.model) if not given.only or given.only in p.name or p.name in (OURS, REFERENCE)]
    model = MODELS[given.model].folder(LAB / "models")
    window = 256 if given.model == "tagger" else 512
    loads = [w for w in workloads(model, full=given.full, window=window) if (given.workload or "") in w.name]
    results = measured(chosen, model, loads, given.rounds, given.seconds, given.threads)
    results |= {"model": given.model, "title": MODELS[given.model].title}
    if not given.only and not given.workload and OURS in results["peers"]:
        bundle = model if given.model == "tagger" else LAB / "made" / model.name / "cloister-int8"
        try:
            results["roofline"] = roofline(bundle, given.threads)
        except PeerFailed as error:
            results["failed"]["roofline"] = str(error)
    target = results_file(given.model)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(results, indent=1))


def roofline(bundle: Path, threads: int) -> dict[str, Any]:
    """Cloister's distance to the limits of this machine, in a process of its own. Raises PeerFailed."""
    print("measuring the roofline", flush=True)
    command = [sys.executable, "-m", "benchmarks.roofline", str(bundle), "--json", "--seconds", "2"]
    done = subprocess.run([*command, "--threads", str(threads)], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PeerFailed(done.stderr.strip().splitlines()[-1][:500] if done.stderr.strip() else "it ended")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def results_file(model: str) -> Path:
    """Where a model's results are."""
    return LAB / "report" / ("results.json" if model == "minilm" else f"results-{model}.json")


def measured(
    peers: Sequence[Peer], model: Path, loads: Sequence[Workload], rounds: int, seconds: float, threads: int
) -> dict[str, Any]:
    """The whole document: machine, versions, what failed and why, every workload's times and cosines."""
    failed: dict[str, str] = dict(NOT_RUN)
    workers: dict[str, Worker] = {}
    facts: dict[str, dict[str, Any]] = {}
    reference = Reference(workers, failed)
    try:
        for peer in peers:
            print(f"preparing {peer.name}", flush=True)
            try:
                # Once to make its files, unmeasured; then in a new process that only loads them.
                for _ in range(2):
                    workers[peer.name], facts[peer.name] = started(peer, model, threads, workers.get(peer.name))
            except (PeerFailed, OSError) as error:
                failed[peer.name] = str(error)
                if peer.name in workers:
                    workers.pop(peer.name).close()
        rows = {}
        for load in loads:
            print(f"measuring {load.name}", flush=True)
            rows[load.name] = measured_load(workers, facts, load, rounds, seconds, failed, reference)
    finally:
        for worker in workers.values():
            worker.close()
    print("measuring memory", flush=True)
    remember(peers, model, loads, rows, threads, failed)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return {
        "machine": wb.machine(), "threads": threads, "commit": commit.stdout.strip(), "date": time.strftime("%Y-%m-%d"),
        "versions": {p.environment: versions(p) for p in {p.environment: p for p in peers}.values()},
        "peers": facts, "failed": failed, "workloads": rows,
    }  # fmt: skip


def started(peer: Peer, model: Path, threads: int, before: Worker | None) -> tuple[Worker, dict[str, Any]]:
    """A new process of a peer, ready; with the seconds from its start to its first vector. Raises PeerFailed."""
    if before is not None:
        before.close()
    if not peer.python.exists():
        raise PeerFailed(f"its environment is missing: make lab ({peer.environment})")
    (LAB / "logs").mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    log = LAB / "logs" / f"{peer.environment}.log"
    worker = Worker(f"benchmarks.lab.adapters.{peer.adapter}", python=peer.python, threads=threads, log=log)
    try:
        work = str(LAB / "made" / model.name)
        answer, _ = worker.ask("prepare", options=peer.options, model=str(model), work=work, threads=threads)
        worker.ask("texts", texts=["how long does a parcel take to arrive"])
        worker.ask("vectors", mode=answer["modes"][0])
        cold = time.perf_counter() - start
        memory = worker.ask("memory")[0]["memory"]
    except PeerFailed:
        worker.close()
        raise
    known = {"modes": answer["modes"], "one_batch": answer["one_batch"]}
    return worker, {**known, "cold_start_seconds": cold, "memory": memory}


class Reference:
    """Vectors of the reference, one text at a time, so that no padding is in them; each text is run once."""

    def __init__(self, workers: Mapping[str, Worker], failed: dict[str, str]) -> None:
        self._workers, self._failed = workers, failed
        self._known: dict[str, NDArray[np.float32]] = {}

    def __call__(self, load: Workload) -> NDArray[np.float32] | None:
        """Shape: `[texts, D]`; None where the reference is missing or failed."""
        if REFERENCE not in self._workers:
            return None
        worker = self._workers[REFERENCE]
        try:
            for text in dict.fromkeys(load.texts):
                if text not in self._known:
                    worker.ask("texts", texts=[text])
                    row = worker.ask("vectors", mode="default")[1]
                    assert row is not None
                    self._known[text] = row
        except PeerFailed as error:
            self._failed[f"{REFERENCE}, {load.name}, one text at a time"] = str(error)
            return None
        return np.concatenate([self._known[text] for text in load.texts])


def measured_load(
    workers: dict[str, Worker],
    facts: dict[str, Any],
    load: Workload,
    rounds: int,
    seconds: float,
    failed: dict[str, str],
    reference: Reference,
) -> dict[str, Any]:
    """One workload: each peer's better way of batching, then all of them in turns.

    Just before each turn of a peer Cloister int8 runs once more: the ratio is of these two, so that a machine that is
    slower for some seconds meets both.
    """
    expected = reference(load)
    times: dict[tuple[str, bool], list[float]] = {}
    beside: dict[tuple[str, bool], list[float]] = {}
    entries: dict[str, dict[str, Any]] = {}
    for name, worker in list(workers.items()):
        try:
            split = worker.ask("texts", texts=list(load.texts))[0]["split"]
            mode = best_mode(worker, ways(facts[name], load))
            _, got = worker.ask("vectors", mode=mode)
            entries[name] = {"mode": mode}
            for tokenized in (True, False) if split else (False,):
                worker.ask("run", mode=mode, tokenized=tokenized, repeat=1)
                times[name, tokenized], beside[name, tokenized] = [], []
        except PeerFailed as error:
            failed[f"{name}, {load.name}"] = str(error)
            continue
        if expected is not None and got is not None:
            entries[name]["cosine"] = figures.cosines(got, expected)

    def turn(name: str, tokenized: bool) -> float:
        mode = entries[name]["mode"]
        answer, _ = workers[name].ask("run", mode=mode, tokenized=tokenized, repeat=load.repeat)
        return float(np.median(answer["ms"]))

    going, start = list(times), time.perf_counter()
    for done in range(rounds):
        if done == FIRST:
            going, start = near(times), time.perf_counter()
        if done >= FIRST and time.perf_counter() - start > seconds:
            break
        for name, tokenized in going:
            try:
                if f"{OURS}, {load.name}" not in failed and name != OURS and (OURS, tokenized) in times:
                    asked = OURS
                    ours = turn(OURS, tokenized)
                    asked = name
                    times[name, tokenized].append(turn(name, tokenized))
                    beside[name, tokenized].append(ours)
                elif f"{name}, {load.name}" not in failed:
                    asked = name
                    times[name, tokenized].append(turn(name, tokenized))
            except PeerFailed as error:
                failed[f"{asked}, {load.name}"] = str(error)
    for (name, tokenized), taken in times.items():
        if taken and f"{name}, {load.name}" not in failed:
            part = {"ms": taken, **figures.summary(taken)}
            if len(beside[name, tokenized]) == len(taken):
                part["beside"] = beside[name, tokenized]
            entries[name]["excluded" if tokenized else "included"] = part
    return {"texts": len(load.texts), "tokens": load.tokens, "padded": load.padded, "peers": entries}


def near(times: Mapping[tuple[str, bool], Sequence[float]]) -> list[tuple[str, bool]]:
    """The peers that go on after the first rounds: those whose ratio to Cloister int8 needs to be known closely."""
    found = []
    for (name, tokenized), taken in times.items():
        ours = times.get((OURS, tokenized))
        if taken and (not ours or np.median(taken) <= NEAR * np.median(ours)):
            found.append((name, tokenized))
    return found


def remember(
    peers: Sequence[Peer],
    model: Path,
    loads: Sequence[Workload],
    rows: dict[str, Any],
    threads: int,
    failed: dict[str, str],
) -> None:
    """Adds to each workload what a new process of each peer holds after it, and at most while it runs.

    From the smallest workload to the largest, in the chosen way of batching alone: so neither the other way nor a
    larger workload before has grown what the process keeps.
    """
    for peer in peers:
        measured_in = [w for w in loads if "included" in rows[w.name]["peers"].get(peer.name, {})]
        if not measured_in:
            continue
        try:
            worker, _ = started(peer, model, threads, None)
        except PeerFailed as error:
            failed[f"{peer.name}, memory"] = str(error)
            continue
        try:
            for load in sorted(measured_in, key=lambda w: w.padded):
                entry = rows[load.name]["peers"][peer.name]
                worker.ask("texts", texts=list(load.texts))
                worker.ask("forget")
                worker.ask("run", mode=entry["mode"], tokenized=False, repeat=1)
                entry["memory"] = worker.ask("memory")[0]["memory"]
        except PeerFailed as error:
            failed[f"{peer.name}, memory"] = str(error)
        finally:
            worker.close()


def ways(fact: Mapping[str, Any], load: Workload) -> list[str]:
    """The ways of batching that are tried: both, unless they are the same, or the peer's own would pad too much."""
    modes: list[str] = list(fact["modes"])
    if len(modes) > 1 and len(load.texts) <= SORTED:
        return ["default"]
    if len(modes) > 1 and fact["one_batch"] and load.padded > PADDED:
        return ["sorted"]
    return modes


def best_mode(worker: Worker, modes: Sequence[str]) -> str:
    """The fastest of a peer's ways of batching, by the second of two calls. Raises PeerFailed where none runs."""
    seen: dict[str, float] = {}
    problem: PeerFailed | None = None
    for mode in reversed(modes) if len(modes) > 1 else ():
        try:
            first = float(worker.ask("run", mode=mode, tokenized=False, repeat=1)[0]["ms"][0])
            if seen and first > max(LONG_MS, 2 * min(seen.values())):
                continue
            seen[mode] = float(worker.ask("run", mode=mode, tokenized=False, repeat=1)[0]["ms"][0])
        except PeerFailed as error:
            problem = error
    if len(modes) > 1 and not seen and problem is not None:
        raise problem
    return min(seen, key=lambda mode: seen[mode]) if seen else modes[0]


def versions(peer: Peer) -> list[str]:
    """What is installed in a peer's environment."""
    if not peer.python.exists():
        return []
    done = subprocess.run([str(peer.python), "-m", "pip", "freeze"], capture_output=True, text=True, check=False)
    return [line for line in done.stdout.splitlines() if "==" in line]


if __name__ == "__main__":
    main()
