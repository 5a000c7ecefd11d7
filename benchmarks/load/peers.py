"""Cloister beside infinity (michaelfeil/infinity), the same model and texts, one server at a time in turns.

    make lab-infinity && python -m benchmarks.load.peers

infinity runs in an environment of its own (`.lab/infinity`), with its torch engine and otherwise its own defaults, on
as many threads as Cloister. It truncates long texts, so Cloister is told to.
"""

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import uvloop
from numpy.typing import NDArray

from benchmarks import workbench as wb

from . import report
from .client import Pool, Sent, closed_loop, open_loop, request
from .schedule import poisson
from .service import serving

COMMAND = wb.ROOT / ".lab" / "infinity" / "bin" / "infinity_emb"
PORT, TURNS, SECONDS = 7997, 3, 8.0


@contextmanager
def infinity() -> Iterator[int]:
    """infinity on its port."""
    if not COMMAND.exists():
        raise SystemExit("infinity is not installed: make lab-infinity")
    arguments = ["v2", "--model-id", str(wb.model_folder()), "--served-model-name", "minilm", "--engine", "torch"]
    arguments += ["--device", "cpu", "--no-bettertransformer", "--port", str(PORT)]
    quiet = {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "INFINITY_ANONYMOUS_USAGE_STATS": "0"}
    process = subprocess.Popen(
        [str(COMMAND), *arguments],
        env={**os.environ, **quiet},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health").read()
                break
            except OSError:
                time.sleep(0.5)
        yield PORT
    finally:
        process.terminate()
        process.wait(60)


async def closed(port: int, requests: list[bytes]) -> list[Sent]:
    """64 clients of one text each."""
    pool = Pool(port)
    sent = await closed_loop(pool, requests, 64, SECONDS)
    pool.close()
    return sent


async def paced(port: int, requests: list[bytes], rate: float) -> list[Sent]:
    """Poisson arrivals."""
    pool = Pool(port)
    plan = [(at, "all", requests[i % len(requests)]) for i, at in enumerate(poisson(rate, SECONDS, 3))]
    sent = await open_loop(pool, plan)
    pool.close()
    return sent


async def vectors(port: int, requests: list[bytes]) -> NDArray[np.float64]:
    """Embeddings of the requests, of length one."""
    pool = Pool(port)
    found = [json.loads((await pool.post(r))[1])["data"][0]["embedding"] for r in requests]
    pool.close()
    rows = np.array(found, np.float64)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def main() -> None:
    """Print throughput, latency at one rate, and how close both are to PyTorch in float."""
    texts = wb.traffic()
    bundle = wb.bundle()
    ours = [request("/v1/embeddings", {"model": "minilm", "input": t, "truncate": True}) for t in texts]
    theirs = [request("/embeddings", {"model": "minilm", "input": t}) for t in texts]
    print(wb.machine())
    rates: dict[str, list[float]] = {"cloister int8": [], "infinity torch": []}
    got, latency = {}, {}
    for turn in range(TURNS):
        with serving(bundle) as running:
            uvloop.run(closed(running.port, ours[:8]))
            rates["cloister int8"].append(_rate(uvloop.run(closed(running.port, ours))))
            got["cloister int8"] = uvloop.run(vectors(running.port, ours))
            if turn == TURNS - 1:
                shared = 0.7 * min(rates["infinity torch"])
                latency["cloister int8"] = uvloop.run(paced(running.port, ours, shared))
        with infinity() as port:
            uvloop.run(closed(port, theirs[:8]))
            rates["infinity torch"].append(_rate(uvloop.run(closed(port, theirs))))
            got["infinity torch"] = uvloop.run(vectors(port, theirs))
            if turn == TURNS - 1:
                latency["infinity torch"] = uvloop.run(paced(port, theirs, shared))
    for name, values in rates.items():
        print(
            f"{name}: {np.median(values):.0f} texts/s with 64 clients (turns {', '.join(f'{v:.0f}' for v in values)})"
        )
    ratios = np.array(rates["cloister int8"]) / np.array(rates["infinity torch"])
    print(f"  throughput ratio {np.median(ratios):.1f}")
    for name, sent in latency.items():
        report.table(f"{name}, Poisson at 70% of infinity's capacity", sent, SECONDS)
    cosine = (got["cloister int8"] * got["infinity torch"]).sum(1)
    print(f"  cosine of the two answers: mean {cosine.mean():.4f}, least {cosine.min():.4f}")


def _rate(sent: list[Sent]) -> float:
    return sum(s.status == 200 for s in sent) / SECONDS


if __name__ == "__main__":
    main()
