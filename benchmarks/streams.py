"""1,000 streams through the real service, half of them left by their clients: does anything stay behind?

    python -m benchmarks.streams [--streams 1000] [--at-once 64] [--tokens 200]

A tiny random model behind `cloister serve` in a process of its own, so that the time goes into what stands around a
model. Each client asks for a stream of server-sent events; every other one goes away without a word: at once, or after
one to four events. Memory is the process's own, before the streams (after a fifth as many others) and after each fifth.
"""

import argparse
import asyncio
import json
import logging
import random
import re
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx

from cloister.export import export
from tests.generation.test_decoder import save
from tests.support.service import Server


async def client(model: str, port: int, number: int, tokens: int, leave_after: int | None) -> str:
    """One stream, left after so many events; how it ended: `complete`, `left`, or the status that refused it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps(
        {
            "model": model,
            "messages": [{"role": "user", "content": f"Tell me about {number}, and call me at 415-555-{number:04}."}],
            "max_tokens": tokens,
            "temperature": 1.0,
            "seed": number,
            "stream": True,
        }
    ).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    try:
        writer.write(head.encode() + body)
        if leave_after == 0:
            await writer.drain()
            return "left"
        status = (await reader.readline()).split()[1].decode()
        if status != "200":
            return status
        seen = 0
        async for line in reader:
            if line.startswith(b"data: [DONE]"):
                return "complete"
            seen += line.startswith(b"data: ")
            if leave_after is not None and seen >= leave_after:
                return "left"
        return "cut off"
    finally:
        writer.transport.abort()


async def clients(model: str, port: int, first: int, count: int, at_once: int, tokens: int) -> Counter[str]:
    """Many streams, so many of them at once; every other one is left."""
    chance = random.Random(first)
    places = asyncio.Semaphore(at_once)

    async def run(number: int) -> str:
        leave = chance.randrange(5) if number % 2 else None
        async with places:
            while (end := await client(model, port, number, tokens, leave)) == "429":
                await asyncio.sleep(0.2)
            return end

    return Counter(await asyncio.gather(*(run(number) for number in range(first, first + count))))


def metric(url: str, name: str) -> float:
    """A number of the service's metrics, of all models together."""
    text = httpx.get(f"{url}/metrics", timeout=30).text
    found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
    if not found:
        raise SystemExit(f"the service has no metric {name}")
    return sum(map(float, found))


def settled(url: str, seconds: float) -> tuple[float, float]:
    """Generations that are still there once nothing changes, at most after so many seconds, and the memory then."""
    until = time.monotonic() + seconds
    while (running := metric(url, "cloister_generations")) and time.monotonic() < until:
        time.sleep(0.05)
    return running, metric(url, "cloister_resident_bytes")


def main() -> None:
    """Print how streams ended, and what stayed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("streams", 1000), ("at-once", 64), ("tokens", 200)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        save(home / "model", "llama", max_position_embeddings=512)
        export(home / "model", home / "bundle", precision="fp32")
        (home / "config.toml").write_text("timeout = 600.0\n")
        # Requests are redacted and answers restored; what a model without sense writes is not searched for names.
        (home / "policy.toml").write_text('output = "pass"\n[category]\ncontact = "replace"\n')
        files = ["--policy", str(home / "policy.toml"), "--config", str(home / "config.toml")]
        server = Server(f"writer={home / 'bundle'}", "--prompt-cache", "4MiB", *files)
        part = asked.streams // 5
        ends: Counter[str] = Counter()
        levels = []
        try:
            for number in range(6):
                found = asyncio.run(clients("writer", server.port, number * part, part, asked.at_once, asked.tokens))
                running, level = settled(server.url, 10)
                levels.append(level / 2**20)
                if number == 0:
                    started = time.monotonic()
                else:
                    ends += found
            seconds = time.monotonic() - started
        finally:
            stopped = server.stop()
    print(f"{5 * part} streams in {seconds:.1f} s, {asked.at_once} at once: {dict(sorted(ends.items()))}")
    print(f"still running afterwards: {running:.0f} (wanted 0); the service ended with {stopped} (wanted 0)")
    print(f"memory in MiB: {', '.join(f'{level:.1f}' for level in levels)} (wanted: back to its level)")


if __name__ == "__main__":
    main()
