"""`make lab-run`, `make lab-full`: prepare every peer, measure all in turns, write .lab/report/results.json.

A peer that fails, at preparation or at one workload, is recorded with its reason and the others go on.
"""

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import workbench as wb
from cloister.runtime.processor import available_threads

from . import figures
from .peers import NOT_RUN, PEERS, REFERENCE, ROOT, Peer
from .process import PeerFailed, Worker
from .workloads import Workload, minilm, workloads

LAB = ROOT / ".lab"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="also 500 texts, long documents, growth")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument(
        "--seconds", type=float, default=90.0, help="a workload gets fewer rounds past this; at least 3"
    )
    parser.add_argument("--threads", type=int, default=available_threads())
    parser.add_argument("--only", help="peers whose name contains this, and the reference")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no stopped worker is left behind
    chosen = [p for p in PEERS if not given.only or given.only in p.name or p.name == REFERENCE]
    model = minilm(LAB / "models")
    results = measured(chosen, model, workloads(model, full=given.full), given.rounds, given.seconds, given.threads)
    target = LAB / "report" / "results.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(results, indent=1))


def measured(
    peers: Sequence[Peer], model: Path, loads: Sequence[Workload], rounds: int, seconds: float, threads: int
) -> dict[str, Any]:
    """The whole document: machine, versions, what failed and why, every workload's times and cosines."""
    failed: dict[str, str] = dict(NOT_RUN)
    workers: dict[str, Worker] = {}
    facts: dict[str, dict[str, Any]] = {}
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
            rows[load.name] = measured_load(workers, facts, load, rounds, seconds, failed)
    finally:
        for worker in workers.values():
            worker.close()
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return {
        "machine": wb.machine(), "threads": threads, "commit": commit.stdout.strip(), "date": time.strftime("%Y-%m-%d"),
        "versions": {p.name: versions(p) for p in {p.environment: p for p in peers}.values()},
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
        first, _ = worker.ask("vectors", mode=answer["modes"][0])
    except PeerFailed:
        worker.close()
        raise
    cold = time.perf_counter() - start
    return worker, {"modes": answer["modes"], "cold_start_seconds": cold, "memory": first["memory"]}


def measured_load(
    workers: dict[str, Worker],
    facts: dict[str, Any],
    load: Workload,
    rounds: int,
    seconds: float,
    failed: dict[str, str],
) -> dict[str, Any]:
    """One workload: each peer's better way of batching, then all of them in turns."""
    reference = reference_of(workers, load)
    modes: dict[tuple[str, bool], str] = {}
    entries: dict[str, dict[str, Any]] = {}
    for name, worker in list(workers.items()):
        try:
            split = worker.ask("texts", texts=list(load.texts))[0]["split"]
            for tokenized in (True, False) if split else (False,):
                modes[name, tokenized] = best_mode(worker, facts[name]["modes"], tokenized=tokenized)
            answer, got = worker.ask("vectors", mode=modes[name, False])
        except PeerFailed as error:
            failed[f"{name}, {load.name}"] = str(error)
            continue
        entries[name] = {"memory": answer["memory"], "mode": modes[name, False]}
        if reference is not None and got is not None:
            entries[name]["cosine"] = figures.cosines(got, reference)
    times: dict[tuple[str, bool], list[float]] = {key: [] for key in modes if key[0] in entries}
    start = time.perf_counter()
    for done in range(rounds):
        if done >= 3 and time.perf_counter() - start > seconds:
            break
        for (name, tokenized), taken in times.items():
            try:
                answer, _ = workers[name].ask(
                    "run", mode=modes[name, tokenized], tokenized=tokenized, repeat=load.repeat
                )
            except PeerFailed as error:
                failed[f"{name}, {load.name}"] = str(error)
                continue
            taken.append(float(np.median(answer["ms"])))
    for (name, tokenized), taken in times.items():
        if taken and f"{name}, {load.name}" not in failed:
            entries[name]["excluded" if tokenized else "included"] = {"ms": taken, **figures.summary(taken)}
    return {"texts": len(load.texts), "peers": entries}


def best_mode(worker: Worker, modes: Sequence[str], *, tokenized: bool) -> str:
    """The fastest of a peer's ways of batching: the second of two calls, once for each."""
    if len(modes) == 1:
        worker.ask("run", mode=modes[0], tokenized=tokenized, repeat=1)
        return modes[0]
    seen = {m: worker.ask("run", mode=m, tokenized=tokenized, repeat=2)[0]["ms"][1] for m in modes}
    return min(seen, key=lambda mode: float(seen[mode]))


def reference_of(workers: dict[str, Worker], load: Workload) -> NDArray[np.float32] | None:
    """Vectors of the reference, one text at a time, so that no padding is in them."""
    if REFERENCE not in workers:
        return None
    rows = []
    for text in dict.fromkeys(load.texts):
        workers[REFERENCE].ask("texts", texts=[text])
        rows.append(workers[REFERENCE].ask("vectors", mode="default")[1])
    found = dict(zip(dict.fromkeys(load.texts), rows, strict=True))
    return np.concatenate([r for r in (found[t] for t in load.texts) if r is not None])


def versions(peer: Peer) -> list[str]:
    """What is installed in a peer's environment."""
    if not peer.python.exists():
        return []
    done = subprocess.run([str(peer.python), "-m", "pip", "freeze"], capture_output=True, text=True, check=False)
    return [line for line in done.stdout.splitlines() if "==" in line]


if __name__ == "__main__":
    main()
