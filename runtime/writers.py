"""A model that writes text, in a service: the texts it is writing now, so that they end with it."""

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import DeadlineExceeded, Unavailable
from .generation import Generation, GenerationOptions, Message

if TYPE_CHECKING:
    from .engine import Engine

_FRESH_SECONDS = 1.0
_PROBE = "The"


class Writers:
    """Generations of many callers over one engine. Lives on one event loop.

    Args:
        engine: what writes; it schedules generations among themselves.

    Attributes:
        last_success: when a generation last gave a piece, by `time.monotonic`.
    """

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.last_success = 0.0
        self._open: set[Generation] = set()
        self._closed = False

    def __repr__(self) -> str:
        return f"<Writers {self.engine.task}, {self.running} running>"

    @property
    def running(self) -> int:
        """Generations that have not ended."""
        return len(self._open)

    def begin(self, prompt: str | Sequence[Message], options: GenerationOptions) -> Generation:
        """Start a generation; raises as `Engine.generate`. Give it to `end` when it is read or left."""
        return self.begin_each([prompt], options)[0]

    def begin_each(self, prompts: Sequence[str | Sequence[Message]], options: GenerationOptions) -> list[Generation]:
        """Start generations side by side; raises as `Engine.generate_each`. Give each to `end`."""
        if self._closed:
            raise Unavailable("the model is being taken away", hint="send the request again")
        generations = self.engine.generate_each(prompts, options)
        self._open.update(generations)
        return generations

    def end(self, generation: Generation) -> None:
        """A generation is read or left; its memory is freed."""
        generation.close()
        self._open.discard(generation)

    async def probe(self, timeout: float) -> None:
        """Have the model write one token, unless it just wrote; raises what a caller would see."""
        if time.monotonic() - self.last_success < _FRESH_SECONDS:
            return
        generation = await asyncio.to_thread(self.begin, _PROBE, self.engine.probe_options())
        try:
            async with asyncio.timeout(timeout):
                await generation.atext()
        except TimeoutError:
            raise DeadlineExceeded("the model wrote nothing in time", hint="see the metrics") from None
        finally:
            self.end(generation)
        self.last_success = time.monotonic()

    def close(self, timeout: float) -> bool:
        """Take nothing more, wait for what is being written, and stop the rest; whether nothing had to be stopped."""
        self._closed = True
        until = time.monotonic() + timeout
        while self.running and time.monotonic() < until:
            time.sleep(0.02)
        left = list(self._open)
        for generation in left:
            self.end(generation)
        self.engine.close()
        return not left
