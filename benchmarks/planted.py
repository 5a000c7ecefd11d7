"""Does planted personal data reach a model that writes, or come back to somebody else?

`python -m benchmarks.planted [COUNT]` (10,000): requests to the whole service over its ASGI interface, with a policy
that replaces every structured identifier. Each holds one to three values of 37 kinds in messages of a chat or in a
prompt, English or Chinese, half of them streamed, and in every third one a placeholder of an earlier request or one
that nobody was given. The model echoes: tokenizer, chat template and stream are a bundle's, and what it writes is the
last message as it saw it. Counted are values in the tokens that the model was given (as they are, and by their letters
and digits alone), answers that are not the message word for word, and values in an answer that its own request did not
have.
"""

import asyncio
import json
import logging
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.redaction.values import GENERATORS, carrier
from cloister.export import export
from cloister.runtime.http.application import Application, build
from cloister.runtime.settings import Settings
from tests.generation.test_decoder import save
from tests.support.echo import EchoEngine, install

AT_ONCE = 8
KINDS = [kind for kind in GENERATORS if kind[0] != "URL"]
POLICY = (
    'name = "planted"\noutput = "mask"\ndefault = "keep"\n[category]\n'
    + "".join(f'{c} = "replace"\n' for c in ("contact", "financial", "government", "device", "network", "secret"))
    + "".join(f'[entity.{entity}]\naction = "replace"\n' for entity in sorted({kind[0] for kind in KINDS}))
)
MARK = re.compile(r"<[A-Z_]+_[0-9a-f]{16}>")


@dataclass(frozen=True, repr=False)
class Planted:
    """A request. Attributes: its texts in order, the values in them with their kinds, and whether it is streamed."""

    texts: list[str]
    values: list[tuple[str, str]]
    stream: bool
    chat: bool


def planted(number: int, foreign: Sequence[str]) -> Planted:
    """A request drawn from its number; `foreign` are placeholders of others."""
    chance = random.Random(number)
    texts, values = [], []
    for _ in range(chance.randint(1, 3)):
        entity, _, make, english, chinese = chance.choice(KINDS)
        value = make(chance)
        _, text, _ = carrier(chance.randrange(4), english, chinese, value)
        texts.append(text)
        values.append((entity, value))
    if number % 3 == 0:
        other = chance.choice(foreign) if foreign and chance.random() < 0.7 else f"<EMAIL_ADDRESS_{number:016x}>"
        texts[-1] += f" {other}"
    return Planted(texts, values, stream=number % 2 == 0, chat=number % 4 != 3)


def plain(text: str) -> str:
    """Letters and digits alone."""
    return "".join(filter(str.isalnum, text)).casefold()


class Tally:
    """What was found."""

    def __init__(self) -> None:
        self.requests = self.values = 0
        self.reached: Counter[str] = Counter()
        self.changed = self.foreign = 0

    def count(self, one: Planted, seen: str, answer: str, others: set[str]) -> None:
        self.requests += 1
        self.values += len(one.values)
        letters = plain(seen)
        for entity, value in one.values:
            self.reached[entity] += value in seen or (len(plain(value)) >= 7 and plain(value) in letters)
        self.changed += answer != one.texts[-1]
        own = plain("".join(one.texts))
        found = (v for v in others if v in answer)
        self.foreign += any(plain(v) not in own for v in found)

    @property
    def failed(self) -> bool:
        return bool(self.reached.total() or self.changed or self.foreign)


async def ask(client: httpx.AsyncClient, one: Planted) -> str:
    """The answer's text."""
    body: dict[str, Any] = {"model": "echo", "stream": one.stream}
    if one.chat:
        roles = ["system", "user", "assistant", "user"][-len(one.texts) :] if len(one.texts) > 1 else ["user"]
        body["messages"] = [{"role": r, "content": t} for r, t in zip(roles, one.texts, strict=True)]
    else:
        body["prompt"] = one.texts[-1]
    response = await client.post("/v1/chat/completions" if one.chat else "/v1/completions", json=body)
    assert response.status_code == 200, response.text
    if not one.stream:
        choice = response.json()["choices"][0]
        return str(choice["message"]["content"] if one.chat else choice["text"])
    chunks = [json.loads(line[6:]) for line in response.text.split("\n\n") if line and line != "data: [DONE]"]
    choices = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
    return "".join(c["delta"].get("content", "") if one.chat else c["text"] for c in choices)


async def run(application: Application, engine: EchoEngine, count: int) -> Tally:
    """All requests, some at a time; those of one batch are told apart by what is in them."""
    tally, known, foreign = Tally(), set[str](), list[str]()
    transport = httpx.ASGITransport(app=application, client=("10.0.0.1", 5000))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60) as client:
        for begin in range(0, count, AT_ONCE):
            batch = [planted(n, foreign) for n in range(begin, min(count, begin + AT_ONCE))]
            engine.seen.clear()
            answers = await asyncio.gather(*(ask(client, one) for one in batch))
            assert len(engine.seen) == len(batch)
            everything = "\n".join(engine.seen)
            for one, answer in zip(batch, answers, strict=True):
                asked = one if one.chat else Planted(one.texts[-1:], one.values[-1:], one.stream, one.chat)
                tally.count(asked, everything, answer, known | {v for o in batch for _, v in o.values})
            known |= {value for one in batch for _, value in one.values}
            foreign = (foreign + MARK.findall(everything))[-400:]
            if len(known) > 2000:  # enough of others to look for
                known = set(random.Random(begin).sample(sorted(known), 1000))
    return tally


def service(folder: Path) -> tuple[Application, EchoEngine]:
    """The service with the echo in it."""
    export(save(folder / "model", "llama", max_position_embeddings=2048), folder / "bundle", precision="fp32")
    (folder / "policy.toml").write_text(POLICY, "utf-8")
    (folder / "models").mkdir()
    application = build(Settings(models=str(folder / "models"), policy=str(folder / "policy.toml")))
    engine = EchoEngine(folder / "bundle")
    return application, engine


async def main(count: int, folder: Path) -> Tally:
    """Start, run, stop."""
    application, engine = service(folder)
    await application.start()
    install(application, "echo", engine)
    try:
        return await run(application, engine, count)
    finally:
        await application.stop()


if __name__ == "__main__":
    logging.disable(logging.INFO)  # a line for every request
    with tempfile.TemporaryDirectory() as scratch:
        start = time.perf_counter()
        found = asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, Path(scratch)))
    print(f"{found.requests:,} requests with {found.values:,} values in {time.perf_counter() - start:.0f} s")
    print(f"reached the model: {found.reached.total()} {dict(+found.reached) or ''}")
    print(f"answers that are not the message word for word: {found.changed}")
    print(f"answers with a value of somebody else: {found.foreign}")
    sys.exit(found.failed)
