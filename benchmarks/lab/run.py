"""`make lab-run`: every peer in a process of its own, the same texts, round by round in turns; one JSON document.

    python -m benchmarks.lab.run [--model NAME] [--full] [--missing] [--rounds N] [--threads N] [--only PART_OF_NAME]

A peer gets the faster of its own way of batching and of length sorting in batches of 32, for each workload. Its
vectors are compared with PyTorch's in fp32, text by text. What fails, in preparing or in a workload, is recorded with
its reason and the others go on. Results are written after each workload; `--missing` adds to those that are there.
"""

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import workbench as wb
from cloister.runtime.processor import available_threads

from .models import MODELS
from .peers import NOT_RUN, OURS, REFERENCE, ROOT, Peer, of_model
from .process import PeerFailed, Worker
from .starting import LAB, prepared, remember, revive, versions
from .turns import Turns
from .workloads import Workload, workloads


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=sorted(MODELS), default="minilm")
    parser.add_argument("--full", action="store_true", help="also 500 texts, long documents, growth")
    parser.add_argument("--missing", action="store_true", help="only workloads that the last results do not have")
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
    target = results_file(given.model)
    before = json.loads(target.read_text("utf-8")) if given.missing and target.exists() else {}
    if before and (before["machine"], before["threads"]) != (wb.machine(), given.threads):
        parser.error(f"the last results are of another machine or number of threads: {before['machine']}")
    kept = [w for w in loads if w.name in before.get("workloads", {})]
    loads = [w for w in loads if w not in kept]
    about = {"model": given.model, "title": MODELS[given.model].title}

    def save(results: dict[str, Any]) -> None:
        write(target, merged(before, results | about))

    results = measured(chosen, model, loads, given.rounds, given.seconds, given.threads, save) if loads else {}
    if kept := [w for w in kept if lacks_memory(w, before["workloads"])]:  # that run was cut short before it
        remember(chosen, model, kept, before["workloads"], given.threads, results.setdefault("failed", {}))
    whole = not given.only and not given.workload and "roofline" not in before
    if whole and OURS in (before | results).get("peers", {}):
        bundle = model if given.model == "tagger" else LAB / "made" / model.name / "cloister-int8"
        try:
            results["roofline"] = roofline(bundle, given.threads)
        except PeerFailed as error:
            results.setdefault("failed", {})["roofline"] = str(error)
    if results:
        save(results)
    else:
        print(f"nothing is missing in {target.relative_to(ROOT)}")


def write(path: Path, results: dict[str, Any]) -> None:
    """The document, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(results, indent=1), "utf-8")
    unfinished.rename(path)


def lacks_memory(load: Workload, rows: dict[str, Any]) -> bool:
    """Whether a workload of earlier results is without the figures that a run takes last."""
    return not load.grows and not any("memory" in entry for entry in rows[load.name]["peers"].values())


def merged(before: dict[str, Any], results: dict[str, Any]) -> dict[str, Any]:
    """Results with those of before that they do not have themselves; each workload with the commit it is of."""
    keys = ("failed", "peers", "versions", "workloads")
    if before:
        again = set(results.get("peers", {})) | ({"roofline"} if "roofline" in results else set())
        failed = {what: why for what, why in before["failed"].items() if what.removesuffix(", memory") not in again}
        before = before | {"failed": failed}
        kept = {load: {"commit": before["commit"], **data} for load, data in before["workloads"].items()}
        before = before | {"workloads": kept}
    return before | results | {key: before.get(key, {}) | results.get(key, {}) for key in keys}


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
    peers: Sequence[Peer],
    model: Path,
    loads: Sequence[Workload],
    rounds: int,
    seconds: float,
    threads: int,
    save: Callable[[dict[str, Any]], None] = lambda _: None,
) -> dict[str, Any]:
    """The whole document: machine, versions, what failed and why, every workload's times and cosines.

    `save` gets what there is after each workload.
    """
    failed: dict[str, str] = dict(NOT_RUN)
    workers: dict[str, Worker] = {}
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    rows: dict[str, Any] = {}
    results = {
        "machine": wb.machine(), "threads": threads, "commit": commit.stdout.strip(), "date": time.strftime("%Y-%m-%d"),
        "versions": {p.environment: versions(p) for p in {p.environment: p for p in peers}.values()},
        "peers": {}, "failed": failed, "workloads": rows,
    }  # fmt: skip
    try:
        results["peers"] = facts = prepared(peers, model, threads, workers, failed)
        turns = Turns(workers, facts, failed, rounds, seconds)
        for load in loads:
            revive(peers, model, threads, workers)
            print(f"measuring {load.name}", flush=True)
            rows[load.name] = turns(load) | {"commit": results["commit"]}
            save(results)
    finally:
        for worker in workers.values():
            worker.close()
    print("measuring memory", flush=True)
    remember(peers, model, loads, rows, threads, failed)
    return results


if __name__ == "__main__":
    main()
