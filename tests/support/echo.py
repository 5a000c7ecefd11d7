"""A model that writes back what it was asked: a bundle's tokenizer, template and stream around a copy of the prompt.

What it was given is kept as tokens: that is all that a model of this bundle would have seen.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

from cloister.runtime import load
from cloister.runtime.generate import GeneratorEngine
from cloister.runtime.generation import Generation, GenerationOptions, Message, Piece, Summary
from cloister.runtime.streaming import TextStream


class Echo(Generation):
    """The last message, a token at a time."""

    def __init__(self, engine: "EchoEngine", given: int, tokens: list[int], stop: Sequence[str]) -> None:
        self.prompt_tokens = given
        self._tokens = tokens
        self._stream = TextStream(engine.words.text, stop)
        self._written = 0
        self._ended = False

    def pieces(self) -> Iterator[Piece]:
        for token in self._tokens:
            self._written += 1
            text, stopped = self._stream.take(token)
            if text:
                yield Piece(text)
            if stopped:
                break
        if rest := self._stream.rest():
            yield Piece(rest)
        self._ended = True

    async def apieces(self) -> AsyncIterator[Piece]:
        for piece in self.pieces():
            yield piece

    def close(self) -> None:
        pass

    @property
    def summary(self) -> Summary:
        return Summary("stop" if self._ended else "cancelled", self.prompt_tokens, self._written)


class EchoEngine:
    """Stands where the service has an engine.

    Attributes:
        seen: the text of the tokens that each request gave to the model, special tokens included.
    """

    generates = True
    labels: tuple[str, ...] = ()
    reference = None
    width = None

    def __init__(self, bundle: Path) -> None:
        engine = load(bundle)
        assert isinstance(engine, GeneratorEngine)
        self._engine = engine
        self.words = engine.tokenizer
        self.tokenizer, self.task, self.digest = engine.tokenizer, engine.task, engine.digest
        self.variant, self.provider = engine.variant, engine.provider
        self.seen: list[str] = []

    def generate(self, prompt: str | Sequence[Message], options: GenerationOptions) -> Generation:
        tokens = self._engine._chat.tokens(prompt)
        self.seen.append(self.words.raw.decode(tokens, skip_special_tokens=False))
        last = prompt if isinstance(prompt, str) else prompt[-1].content
        return Echo(self, len(tokens), self.words.plain(last), options.stop)

    def generate_each(self, prompts: Sequence[str | Sequence[Message]], options: GenerationOptions) -> list[Generation]:
        return [self.generate(prompt, options) for prompt in prompts]

    def close(self) -> None:
        self._engine.close()


def install(application: Any, name: str, engine: EchoEngine) -> None:
    """Let a service answer to `name` with it."""
    import time

    from cloister.runtime.models import Model
    from cloister.runtime.writers import Writers

    made: Any = engine
    application.service.models._models[name] = Model(name, Path(), Writers(made), time.time(), 1)
