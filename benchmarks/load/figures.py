"""The service's figures, each against `Engine.predict` or itself in the same run.

python -m benchmarks.load.figures [throughput idle mixed overload] [--trace FOLDER] [--seconds N]
"""

import argparse
import asyncio
import random
import time
from pathlib import Path

import numpy as np
import uvloop

from benchmarks import workbench as wb
from cloister.runtime import Engine

from . import report, schedule
from .client import Pool, Sent, closed_loop, open_loop, request
from .service import Running, Texts, serving

SHORT, SEED = 16, 7
SHORT_SHARE = 0.8


def body(text: str) -> bytes:
    return request("/v1/embeddings", {"model": "minilm", "input": text, "encoding_format": "base64", "truncate": True})


def throughput(engine: Engine, running: Running, seconds: float) -> None:
    """64 closed-loop clients of one text each, against `Engine.predict` of 64 at once, in turns."""
    texts = wb.traffic()
    requests = [body(text) for text in texts]
    rates: dict[str, list[float]] = {"Engine.predict": [], "HTTP": []}
    engine.predict(texts, truncate=True)
    for _ in range(4):
        done, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds / 2:
            engine.predict(texts, truncate=True)
            done += len(texts)
        rates["Engine.predict"].append(done / (time.perf_counter() - start))
        start = time.perf_counter()
        sent = uvloop.run(_closed(running, requests, seconds / 2))
        rates["HTTP"].append(sum(s.status == 200 for s in sent) / (time.perf_counter() - start))
    best = {name: max(values) for name, values in rates.items()}
    ratios = np.array(rates["HTTP"]) / np.array(rates["Engine.predict"])
    print(f"throughput, texts/s: Engine.predict {best['Engine.predict']:.0f}, HTTP {best['HTTP']:.0f}")
    print(f"  HTTP / Engine.predict: {np.median(ratios):.2f} (median of turns; wanted: at least 0.80)")


async def _closed(running: Running, requests: list[bytes], seconds: float, clients: int = 64) -> list[Sent]:
    pool = Pool(running.port)
    sent = await closed_loop(pool, requests, clients, seconds)
    pool.close()
    return sent


def idle(engine: Engine, running: Running) -> None:
    """What HTTP, scheduler and JSON add to one text of 16 tokens when nothing else runs."""
    text = next(t for t in wb.texts("clinc150") if len(engine.tokenize([t])[0]) == SHORT)
    data = body(text)

    async def pairs() -> list[tuple[float, float]]:
        pool, found = Pool(running.port), []
        for _ in range(400):
            start = time.perf_counter()
            engine.predict([text])
            middle = time.perf_counter()
            await pool.post(data)
            found.append((middle - start, time.perf_counter() - middle))
        pool.close()
        return found[50:]

    times = np.array(uvloop.run(pairs())) * 1000
    alone, served = np.median(times, axis=0)
    added = float(np.median(times[:, 1] - times[:, 0]))
    print(f"one idle request of {SHORT} tokens: Engine.predict {alone:.2f} ms, HTTP {served:.2f} ms")
    print(f"  added: {added:.2f} ms (median of pairs; wanted: at most 1.5)")


def mix(texts: Texts, arrivals: list[float], window: int) -> list[tuple[float, str, bytes]]:
    """Short texts and, one in five, a long one."""
    chosen, plan = random.Random(SEED), []
    for number, at in enumerate(arrivals):
        short = chosen.random() < SHORT_SHARE
        length = SHORT if short else chosen.randint(window // 4, window)
        plan.append((at, "short" if short else "long", body(texts.of(length, number % 50))))
    return plan


def capacity(running: Running, texts: Texts, window: int, seconds: float = 5.0) -> float:
    """Requests per second of the mix that the service answers when it always has enough to do."""
    requests = [data for _, _, data in mix(texts, [float(i) for i in range(500)], window)]
    sent = uvloop.run(_closed(running, requests, seconds, clients=48))
    return sum(s.status == 200 for s in sent) / seconds


async def _open(running: Running, plan: list[tuple[float, str, bytes]]) -> list[Sent]:
    pool = Pool(running.port)
    sent = await open_loop(pool, plan)
    pool.close()
    return sent


def mixed(engine: Engine, running: Running, seconds: float) -> None:
    """Poisson arrivals at 70% of capacity."""
    texts, window = Texts(engine), engine.tokenizer.window
    full = capacity(running, texts, window)
    longest = texts.of(window, 1)
    alone = min(_timed(engine, longest) for _ in range(9))
    plan = mix(texts, schedule.poisson(0.7 * full, seconds, SEED), window)
    sent = uvloop.run(_open(running, plan))
    report.table(f"Poisson at 70% of {full:.0f}/s", sent, seconds)
    every = [s.seconds for s in sent if s.status == 200]
    short = [s.seconds for s in sent if s.kind == "short" and s.status == 200]
    p99, middle = report.percentile(every, 99), report.percentile(short, 50)
    batch = _longest_batch(running)
    print(f"  longest text alone {alone * 1000:.1f} ms; p99 is {p99 / alone:.1f} times that (wanted: at most 3)")
    limit = 2 * middle + batch
    print(
        f"  short: p99 {report.percentile(short, 99) * 1000:.1f} ms, limit 2 x p50 + longest batch in flight "
        f"({batch * 1000:.0f} ms bucket) = {limit * 1000:.1f} ms"
    )
    out = wb.WORK / "load-mixed.svg"
    report.curve(out, {k: [s.seconds for s in sent if s.kind == k and s.status == 200] for k in ("short", "long")})
    print(f"  latency curve: {out.relative_to(wb.ROOT)}")


def _timed(engine: Engine, text: str) -> float:
    start = time.perf_counter()
    engine.predict([text], truncate=True)
    return time.perf_counter() - start


def _longest_batch(running: Running) -> float:
    """Upper bound of the bucket that holds 99.9% of the batches, from the service's own metrics."""
    import urllib.request

    text = urllib.request.urlopen(f"http://127.0.0.1:{running.port}/metrics").read().decode()
    rows = [line for line in text.splitlines() if line.startswith("cloister_batch_seconds_bucket")]
    counts = [(float(r.split('le="')[1].split('"')[0].replace("+Inf", "inf")), float(r.split()[-1])) for r in rows]
    return next(bound for bound, n in counts if n >= 0.999 * counts[-1][1])


def overload(engine: Engine, running: Running, seconds: float) -> None:
    """Three times capacity, each request with a deadline of one second."""
    texts, window = Texts(engine), engine.tokenizer.window
    full = capacity(running, texts, window)
    plan = []
    for at, kind, data in mix(texts, schedule.poisson(3 * full, seconds, SEED), window):
        plan.append((at, kind, data.replace(b"Host: localhost", b"Host: localhost\r\nX-Request-Timeout-Ms: 1000", 1)))
    before = running.resident()
    sent = uvloop.run(_open(running, plan))
    report.table(f"overload at 3 x {full:.0f}/s, deadline 1 s", sent, seconds)
    refused = [s.seconds for s in sent if s.status == 429]
    accepted = [s.seconds for s in sent if s.status == 200]
    print(f"  alive: {running.alive()}; memory {before >> 20} -> {running.resident() >> 20} MiB")
    print(f"  answered: p99 {report.percentile(accepted, 99) * 1000:.0f} ms (deadline 1000)")
    if refused:
        print(f"  429 after: p99 {report.percentile(refused, 99) * 1000:.1f} ms (wanted: within 50)")


def trace(engine: Engine, running: Running, folder: Path, seconds: float) -> None:
    """The arrival times and lengths of a real service, scaled to 70% of this machine's capacity."""
    texts, window = Texts(engine), engine.tokenizer.window
    full = capacity(running, texts, window)
    arrivals, lengths = schedule.azure(folder, rate=0.7 * full, seconds=seconds)
    real = [min(len(t), window) for t in engine.tokenize(wb.texts(), truncate=True)]
    mapping = schedule.Quantiles(lengths, [*real, window])
    print(f"trace: prompt tokens → tokens here: {mapping}")
    plan = [
        (at, "trace", body(texts.of(max(4, mapping(n)), i % 50)))
        for i, (at, n) in enumerate(zip(arrivals, lengths, strict=True))
    ]
    report.table("Azure trace", uvloop.run(_open(running, plan)), seconds)


def memory(engine: Engine, running: Running) -> None:
    """Resident memory over 10,000 requests of mixed length."""
    texts, window = Texts(engine), engine.tokenizer.window
    requests = [data for _, _, data in mix(texts, [float(i) for i in range(500)], window)]
    seen = []

    async def run() -> None:
        pool, gate = Pool(running.port), asyncio.Semaphore(48)

        async def one(number: int) -> None:
            async with gate:
                await pool.post(requests[number % len(requests)])

        for block in range(10):
            await asyncio.gather(*(one(block * 1000 + i) for i in range(1000)))
            seen.append(running.resident() >> 20)
        pool.close()

    uvloop.run(run())
    print(f"memory after each 1,000 of 10,000 requests, MiB: {seen}")


def main() -> None:
    """Run the figures that are named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", nargs="*", default=["throughput", "idle", "mixed", "overload", "memory"])
    parser.add_argument("--trace", type=Path, help="folder of the Azure LLM inference trace 2023")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the open-loop runs (default 20)")
    chosen = parser.parse_args()
    bundle = wb.bundle()
    engine = wb.engine()
    print(wb.machine())
    for name in chosen.figures:
        with serving(bundle) as running:
            uvloop.run(_closed(running, [body("warm up")], 0.5, clients=4))
            if name == "throughput":
                throughput(engine, running, min(6.0, chosen.seconds))
            elif name == "idle":
                idle(engine, running)
            elif name == "mixed":
                mixed(engine, running, chosen.seconds)
            elif name == "overload":
                overload(engine, running, chosen.seconds)
            elif name == "memory":
                memory(engine, running)
            else:
                parser.error(f"no figure is called {name}")
    if chosen.trace is None:
        print("Azure trace: not run; name its folder with --trace")
        return
    with serving(bundle) as running:
        trace(engine, running, chosen.trace, chosen.seconds)


if __name__ == "__main__":
    main()
