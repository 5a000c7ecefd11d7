"""An engine that writes what a script says: for tests of what stands around a model."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

from cloister.runtime.generation import Generation, GenerationOptions, Message, Piece, Summary, TokenLogprob

Script = Callable[[str], Sequence[str]]


class ScriptedGeneration(Generation):
    """Pieces of a script; counts in `open` while it runs."""

    def __init__(
        self, engine: "ScriptedEngine", pieces: Sequence[str], prompt: str, options: GenerationOptions
    ) -> None:
        self.engine, self.script, self.options = engine, list(pieces), options
        self.prompt_tokens = len(prompt.split())
        self.written = 0
        self.end: str | None = None
        engine.open.add(self)

    def _piece(self, text: str) -> Piece:
        self.written += 1
        tokens = () if self.options.logprobs is None else (TokenLogprob(text, text.encode(), -0.5),)
        return Piece(text, tokens)

    def pieces(self) -> Iterator[Piece]:
        for text in self.script:
            yield self._piece(text)
        self.finish("stop")

    async def apieces(self) -> AsyncIterator[Piece]:
        for text in self.script:
            await asyncio.sleep(0 if not self.engine.never else 3600)
            if self.end is not None:
                return
            if text == "FAIL":
                raise RuntimeError("the model broke")
            yield self._piece(text)
        self.finish("stop")

    def finish(self, reason: str) -> None:
        self.end = self.end or reason
        self.engine.open.discard(self)

    def close(self) -> None:
        self.finish("cancelled")

    @property
    def summary(self) -> Summary:
        return Summary(self.end or "cancelled", self.prompt_tokens, self.written, 1)  # type: ignore[arg-type]


class ScriptedEngine:
    """Looks like an engine that writes. `seen` keeps what it was given."""

    generates = True
    labels: tuple[str, ...] = ()
    digest = "d" * 64
    provider = "cpu"
    width = None
    reference = None
    backlog = 0.0

    def __init__(self, script: Script, task: str = "text-generation") -> None:
        self.script, self.task = script, task
        self.seen: list[str] = []
        self.options: list[GenerationOptions] = []
        self.open: set[ScriptedGeneration] = set()
        self.never = False
        self.variant = SimpleNamespace(name="int4")
        self.tokenizer = SimpleNamespace(window=4096)

    def generate(self, prompt: str | Sequence[Message], options: GenerationOptions) -> Generation:
        text = prompt if isinstance(prompt, str) else "\n".join(f"{m.role}: {m.content}" for m in prompt)
        self.seen.append(text)
        self.options.append(options)
        return ScriptedGeneration(self, self.script(text), text, options)

    def generate_each(self, prompts: Sequence[str | Sequence[Message]], options: GenerationOptions) -> list[Generation]:
        return [self.generate(prompt, options) for prompt in prompts]

    def probe_options(self) -> GenerationOptions:
        return GenerationOptions(max_tokens=1)

    def close(self) -> None:
        pass


def install(application: Any, name: str, engine: ScriptedEngine) -> None:
    """Let a service answer to `name` with it."""
    from pathlib import Path

    from cloister.runtime.models import Model
    from cloister.runtime.writers import Writers

    made: Any = engine
    application.service.models._models[name] = Model(name, Path(), Writers(made), time.time(), 1)
