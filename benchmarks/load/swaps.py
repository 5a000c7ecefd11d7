"""Is any request lost while models are swapped and workers die? 10,000 requests, 10 swaps, 5 killed workers.

    python -m benchmarks.load.swaps

The service runs in a process of its own, in which a text of one certain length kills the worker that meets it.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import uvloop

from benchmarks import workbench as wb

from .client import Pool, request
from .service import Texts

REQUESTS, SWAPS, KILLS, FATAL_TOKENS = 10_000, 10, 5, 100
KEY = "benchmark-admin-key"

_FAULTY = f"""
import sys
from cloister.runtime.encoder import Encoder
from cloister.runtime.http.server import run
from cloister.runtime.settings import read_settings
forward, left = Encoder.forward, [{KILLS}]
def deadly(self, tokens):
    if left[0] and any(len(t) == {FATAL_TOKENS} for t in tokens):
        left[0] -= 1
        raise SystemExit
    return forward(self, tokens)
run_it = read_settings({{"models": sys.argv[1], "bundles": ["minilm=" + sys.argv[1] + "/minilm"], "port": 0}})
import threading
threading.excepthook = lambda arguments: None
def arm():
    Encoder.forward = deadly
threading.Timer(1.0, arm).start()  # after the warm-up of the first load
run(run_it)
"""


def exactly(texts: Texts, engine: Any, tokens: int) -> str:
    """A text of exactly that many tokens."""
    for seed in range(1000):
        text = texts.of(tokens, seed)
        if len(engine.tokenize([text])[0]) == tokens:
            return text
    raise SystemExit("no text of that length")


async def everything(port: int, ordinary: list[bytes], fatal: bytes) -> tuple[Counter[int], Counter[int]]:
    """Statuses of the requests, and of the swaps."""
    pool, gate = Pool(port), asyncio.Semaphore(64)
    load = request("/v2/repository/models/minilm/load", {}, Authorization=f"Bearer {KEY}")
    answers: Counter[int] = Counter()
    swaps: Counter[int] = Counter()
    done = 0

    async def one(number: int) -> None:
        nonlocal done
        async with gate:
            status, _ = await pool.post(fatal if number % (REQUESTS // KILLS) == 500 else ordinary[number % 200])
            answers[status] += 1
            done += 1

    async def swap() -> None:
        for number in range(SWAPS):
            while done < number * REQUESTS / SWAPS:
                await asyncio.sleep(0.01)
            swaps[(await pool.post(load))[0]] += 1

    swapping = asyncio.ensure_future(swap())
    await asyncio.gather(*(one(number) for number in range(REQUESTS)))
    await swapping
    pool.close()
    return answers, swaps


def main() -> None:
    """Print how many requests were answered with what."""
    bundle, engine = wb.bundle(), wb.engine()
    texts = Texts(engine)

    def body(text: str) -> bytes:
        return request("/v1/embeddings", {"model": "minilm", "input": text, "encoding_format": "base64"})

    ordinary = [body(exactly(texts, engine, 8 + number % 60)) for number in range(200)]
    fatal = body(exactly(texts, engine, FATAL_TOKENS))
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(bundle, Path(folder) / "minilm")
        process = subprocess.Popen(
            [sys.executable, "-c", _FAULTY, folder],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "CLOISTER_ADMIN_KEY": KEY},
        )
        assert process.stderr is not None
        line = next(line for line in process.stderr if line.startswith("cloister: "))
        threading.Thread(target=process.stderr.read, daemon=True).start()
        try:
            port = int(line.split()[1].rsplit(":", 1)[1])
            answers, swaps = uvloop.run(everything(port, ordinary, fatal))
        finally:
            process.terminate()
            process.wait(60)
    print(wb.machine())
    print(f"{sum(answers.values())} of {REQUESTS} requests answered: {dict(answers)} (0: none); swaps: {dict(swaps)}")
    failed = sum(n for status, n in answers.items() if status != 200)
    print(f"  failures: {failed}; wanted: only those in flight on the {KILLS} killed workers")


if __name__ == "__main__":
    main()
