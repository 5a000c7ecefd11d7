"""Targets of encoder-decoders while they are written: all of a call advance together, each is read on its own."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from .. import InvalidInput, Unavailable
from .generation import Generation, Piece, Summary
from .packing import Tokens
from .search import Rules


@dataclass(frozen=True, slots=True, repr=False)
class Written:
    """A target and how it ended."""

    text: str
    summary: Summary


class Walks(Protocol):
    """What writes targets step by step: see `EncoderDecoder.walk_all`."""

    def walk_all(self, tokens: Sequence[Tokens], rules: Rules) -> Generator[tuple[list[int], list[list[int]]]]:
        """After each step the places of the sources that run now, and their targets."""


_END = object()


class Together:
    """Targets that are written side by side. Safe to read from several threads, or from coroutines of one loop.

    Nothing runs ahead of the readers: whoever asks first for more takes the step for all that run together.

    Attributes:
        rules: of the search.
        targets: what is written so far, start token included.
    """

    def __init__(self, model: Walks, tokens: Sequence[Tokens], rules: Rules) -> None:
        self.rules = rules
        self.targets = [[rules.start_id] for _ in tokens]
        self._done = [False] * len(tokens)
        # Without a reference to self: what nobody holds is freed at once, keys and values with it.
        self._steps = _written(model, tokens, rules, self.targets, self._done)
        self._reading = set(range(len(tokens)))
        self._error: Exception | None = None
        self._step = threading.Lock()
        self._turn = asyncio.Lock()

    def __len__(self) -> int:
        return len(self.targets)

    def ended(self, index: int) -> bool:
        """Whether a target is complete. Raises what stopped the search before it was."""
        if self._error is not None and not self._done[index]:
            raise self._error
        return self._done[index]

    def advance(self, index: int, seen: int) -> None:
        """Take a step for all, unless target `index` is longer than `seen` or complete by now.

        Raises:
            Overloaded: not even one source fits into memory.
        """
        with self._step:
            if self._reading and self._waits(index, seen):
                try:
                    stopped = next(self._steps, _END) is _END and not self._done[index]
                except Exception as error:
                    self._error = error
                    raise
                if stopped:  # something that is no error ended it, such as an interrupt
                    self._error = Unavailable("the search was interrupted", hint="generate again")
        self._close_unread()

    async def advance_async(self, index: int, seen: int) -> None:
        """The same from a coroutine. One thread works at a time, and the coroutines wait for it."""
        async with self._turn:
            if self._waits(index, seen):
                await asyncio.to_thread(self.advance, index, seen)

    def leave(self, index: int) -> None:
        """Nobody reads a target any more. With the last one the search ends, after the step that is running."""
        self._reading.discard(index)
        self._close_unread()

    def _waits(self, index: int, seen: int) -> bool:
        return self._error is None and not self._done[index] and len(self.targets[index]) <= seen

    def _close_unread(self) -> None:
        # Whoever holds the lock comes here after letting it go: one of the two sees that nobody reads.
        if not self._reading and self._step.acquire(blocking=False):
            try:
                self._steps.close()
            finally:
                self._step.release()


def _written(
    model: Walks, tokens: Sequence[Tokens], rules: Rules, targets: list[list[int]], done: list[bool]
) -> Generator[None]:
    """Fills `targets`, and `done` as they are complete; a step each time it is asked.

    The target of a beam search is there when it is complete.
    """
    running: list[int] = []
    steps = model.walk_all(tokens, rules)
    try:
        for some, written in steps:
            for index in set(running) - set(some):
                done[index] = True
            running = some
            for index, target in zip(some, written, strict=True):
                targets[index] = target
                began = len(target) > 1
                long = len(target) >= rules.max_length or (began and target[-1] in rules.end_ids)
                done[index] = long or (began and rules.num_beams > 1)
            yield
    finally:
        steps.close()
    for index in running:
        done[index] = True


class Target(Generation):
    """One target.

    Args:
        together: writes it, as its `index`.
        prompt_tokens: tokens of its source.
        decode: ids to text.
        written: a complete target and the tokens of its source to text and summary.
        stop: texts that end it.
    """

    def __init__(
        self,
        together: Together,
        index: int,
        prompt_tokens: int,
        decode: Callable[[Sequence[int]], str],
        written: Callable[[Sequence[int], int], Written],
        stop: tuple[str, ...],
    ) -> None:
        self.prompt_tokens = prompt_tokens
        self._together, self._index = together, index
        self._decode, self._written = decode, written
        self._stop = stop
        # What comes piece by piece is decoded at each step; among others, that would take their time.
        self._whole = together.rules.num_beams > 1 or (len(together) > 1 and not stop)
        self._summary: Summary | None = None
        self._closed = self._read = False
        self._sent = ""
        self._seen = 1

    @property
    def summary(self) -> Summary:
        """How it ended."""
        if self._summary is None:
            raise InvalidInput("the text has not ended yet", hint="read it to its end first")
        return self._summary

    @property
    def _ids(self) -> list[int]:
        return self._together.targets[self._index]

    def close(self) -> None:
        """Stop and free the memory."""
        self._closed = True
        self._together.leave(self._index)
        if self._summary is None:
            self._summary = Summary("cancelled", self.prompt_tokens, len(self._ids) - 1)

    def pieces(self) -> Iterator[Piece]:
        """Pieces as they come; see `Generation.pieces`."""
        self._begin()
        try:
            while not self._closed:
                piece, ended = self._next()
                if piece is not None:
                    yield piece
                if ended:
                    return
                self._together.advance(self._index, self._seen)
        finally:
            self.close()

    async def apieces(self) -> AsyncIterator[Piece]:
        """The same from a coroutine; the model runs in a thread."""
        self._begin()
        try:
            while not self._closed:
                piece, ended = self._next() if self._whole else await asyncio.to_thread(self._next)
                if piece is not None:
                    yield piece
                if ended:
                    return
                await self._together.advance_async(self._index, self._seen)
        finally:
            self.close()

    def _begin(self) -> None:
        if self._read:
            raise InvalidInput("a generation is read once", hint="generate again")
        self._read = True

    def _next(self) -> tuple[Piece | None, bool]:
        """What is new in a target, and whether that was all. Raises what stopped the search."""
        ended = self._together.ended(self._index)
        ids, seen = list(self._ids), self._seen
        self._seen = len(ids)
        if self._stop and self._together.rules.num_beams == 1:
            # Others may have taken several steps since this one was read: it ends where it would alone.
            for count in range(seen + 1, len(ids) + 1):
                text = self._decode(ids[1:count])
                if any(s in text for s in self._stop):
                    return self._last(ids[:count]), True
        if ended:
            return self._last(ids), True
        if self._whole or len(ids) == 1:
            return None, False
        text = self._decode(ids[1:])
        held = max((len(s) for s in self._stop), default=1) - 1
        ready = text[: len(text) - held].rstrip(" \ufffd")
        if not ready.startswith(self._sent) or len(ready) == len(self._sent):
            return None, False
        piece, self._sent = Piece(ready[len(self._sent) :]), ready
        return piece, False

    def _last(self, ids: Sequence[int]) -> Piece | None:
        whole = self._written(ids, self.prompt_tokens)
        self._summary = whole.summary
        rest = whole.text[len(self._sent) :]
        return Piece(rest) if rest else None
