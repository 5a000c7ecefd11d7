"""Processes of the peers: started, made ready; and what a new one holds in memory after each workload."""

import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from .peers import ROOT, Peer
from .process import PeerFailed, Worker
from .workloads import Workload

LAB = ROOT / ".lab"


def prepared(
    peers: Sequence[Peer], model: Path, threads: int, workers: dict[str, Worker], failed: dict[str, str]
) -> dict[str, dict[str, Any]]:
    """Fills `workers`, or `failed` with the reason; what each ready peer said of itself, its cold start and memory."""
    facts: dict[str, dict[str, Any]] = {}
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
    return facts


def revive(peers: Sequence[Peer], model: Path, threads: int, workers: dict[str, Worker]) -> None:
    """Start again what ended in a workload, so that it takes part in the next; what does not start ends there, too."""
    for peer in peers:
        if peer.name in workers and workers[peer.name].ended:
            with suppress(PeerFailed):
                workers[peer.name], _ = started(peer, model, threads, workers[peer.name])


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


def remember(
    peers: Sequence[Peer],
    model: Path,
    loads: Sequence[Workload],
    rows: Mapping[str, Any],
    threads: int,
    failed: dict[str, str],
) -> None:
    """Adds to each workload what a new process of each peer holds after it, and at most while it runs.

    From the smallest workload to the largest, in the chosen way of batching alone: so neither the other way nor a
    larger workload before has grown what the process keeps. Growing workloads are left out.
    """
    for peer in peers:
        ran = [
            w
            for w in loads
            if not w.grows and {"included", "excluded"} & rows[w.name]["peers"].get(peer.name, {}).keys()
        ]
        if not ran:
            continue
        try:
            worker, _ = started(peer, model, threads, None)
        except PeerFailed as error:
            failed[f"{peer.name}, memory"] = str(error)
            continue
        try:
            for load in sorted(ran, key=lambda w: w.padded):
                entry = rows[load.name]["peers"][peer.name]
                worker.ask("texts", texts=list(load.texts))
                worker.ask("forget")
                worker.ask("run", mode=entry["mode"], tokenized=False, repeat=1)
                entry["memory"] = worker.ask("memory")[0]["memory"]
        except PeerFailed as error:
            failed[f"{peer.name}, memory"] = str(error)
        finally:
            worker.close()


def versions(peer: Peer) -> list[str]:
    """What is installed in a peer's environment."""
    if not peer.python.exists():
        return []
    done = subprocess.run([str(peer.python), "-m", "pip", "freeze"], capture_output=True, text=True, check=False)
    return [line for line in done.stdout.splitlines() if "==" in line]
