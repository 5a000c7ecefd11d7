"""What service, redaction, scan and restoring add to a stream: python -m benchmarks.generation_service

Both sides in one run: a model that writes at once (a script of 200 pieces) read bare, and through the ASGI application
without a socket. The difference is what Cloister adds. With `output = "pass"` nothing is held back for the scan; with
`mask` the first piece also waits for the text that the scan wants to see, which a model writes at its own speed.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from cloister.runtime.generation import GenerationOptions, Message
from cloister.runtime.http.application import build
from cloister.runtime.settings import Settings
from tests.support.scripted import ScriptedEngine, install

TEXT = "My number is 415-555-0132 and my address ada@example.org. Please write back soon."
PIECES = 200


async def bare(engine: ScriptedEngine) -> list[float]:
    started = time.perf_counter()
    pieces = engine.generate([Message("user", TEXT)], GenerationOptions()).apieces()
    return [time.perf_counter() - started async for _ in pieces]


async def served(application: Any) -> list[float]:
    body = json.dumps({"model": "chat", "messages": [{"role": "user", "content": TEXT}], "stream": True}).encode()
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/chat/completions",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1),
    }
    asked = False
    times: list[float] = []
    started = time.perf_counter()

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if asked:
            await asyncio.Event().wait()
        asked = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if b'"content":"' in message.get("body", b"") and b'"role"' not in message["body"]:
            times.append(time.perf_counter() - started)

    await application(scope, receive, send)
    return times


async def measure(output: str, rounds: int, folder: Path) -> None:
    policy = folder / "policy.toml"
    policy.write_text(f'output = "{output}"\n[category]\ncontact = "replace"\nsecret = "replace"\n')
    application = build(Settings(models=str(folder), policy=str(policy)))
    await application.start()
    engine = ScriptedEngine(lambda prompt: ["word "] * PIECES)
    install(application, "chat", engine)
    first, more = [], []
    for number in range(rounds + 5):
        plain, through = await bare(engine), await served(application)
        if number >= 5:
            first.append(1000 * (through[0] - plain[0]))
            more.append(1000 * ((through[-1] - through[0]) - (plain[-1] - plain[0])) / (PIECES - 1))
    await application.stop()
    print(
        f"output={output:<5} first piece +{statistics.median(first):.3f} ms (wanted <= 5), "
        f"each further +{statistics.median(more):.3f} ms (wanted <= 0.5); medians of {rounds}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        for output in ("pass", "mask"):
            asyncio.run(measure(output, rounds, Path(name)))


if __name__ == "__main__":
    main()
