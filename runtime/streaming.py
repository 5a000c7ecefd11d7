"""Tokens to text as it comes, and the channel from the thread that writes to the one that reads."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial

from .. import CloisterError, InvalidInput, ModelFailed
from .generation import FinishReason, Piece, Summary


class TextStream:
    """Whole characters of a growing text, without what could become a stop text.

    Args:
        decode: token ids to text; what is no whole character yet ends in U+FFFD.
        stop: texts that end it.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], stop: Sequence[str]) -> None:
        self._decode = decode
        self._stop = tuple(stop)
        self._ids: list[int] = []
        self._prefix = 0
        self._read = 0
        self._held = ""

    def take(self, token: int) -> tuple[str, bool]:
        """Text that is certain after one more token, and whether a stop text was reached."""
        self._ids.append(token)
        # The text of a token can depend on the one before it (a space), so each is decoded with those before.
        known = self._decode(self._ids[self._prefix : self._read])
        whole = self._decode(self._ids[self._prefix :])
        if len(whole) <= len(known) or whole.endswith("\ufffd"):
            return "", False
        self._prefix, self._read = self._read, len(self._ids)
        self._held += whole[len(known) :]
        places = [place for place in (self._held.find(s) for s in self._stop) if place >= 0]
        if places:
            return self._held[: min(places)], True
        kept = max((_overlap(self._held, s) for s in self._stop), default=0)
        text, self._held = self._held[: len(self._held) - kept], self._held[len(self._held) - kept :]
        return text, False

    def rest(self) -> str:
        """What was held back, once nothing more comes; bytes that are no whole character are left out."""
        text, self._held = self._held, ""
        return text


def _overlap(text: str, stop: str) -> int:
    """How much of the end of a text is a beginning of the stop text."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)


def _wake(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    """Tell a reader; one whose loop is closed has gone."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(event.set)


class Channel:
    """Pieces from one writer to one reader, a thread or a coroutine."""

    def __init__(self, prompt_tokens: int) -> None:
        self._changed = threading.Condition()
        self._pieces: deque[Piece] = deque()
        self._prompt_tokens = prompt_tokens
        self._summary: Summary | None = None
        self._error: BaseException | None = None
        self._wake: Callable[[], None] | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self._summary is not None or self._error is not None

    @property
    def summary(self) -> Summary:
        """How it ended; raises InvalidInput before."""
        if self._summary is None:
            raise InvalidInput("the generation has not ended", hint="read it to its end first")
        return self._summary

    def put(self, piece: Piece) -> None:
        """Add a piece."""
        with self._changed:
            if not self.ended:
                self._pieces.append(piece)
            self._tell()

    def finish(self, reason: FinishReason, written: int, cached: int = 0) -> None:
        """End it; the first end counts."""
        with self._changed:
            if not self.ended:
                self._summary = Summary(reason, self._prompt_tokens, written, cached)
            self._tell()

    def fail(self, error: BaseException) -> None:
        """End it with an error that the reader gets."""
        with self._changed:
            if not self.ended:
                self._error = error
            self._tell()

    def _tell(self) -> None:
        self._changed.notify_all()
        if self._wake is not None:
            self._wake()

    def _take(self) -> Piece | None:
        """The next piece; None where there is none now."""
        if self._pieces:
            return self._pieces.popleft()
        if isinstance(self._error, CloisterError):
            raise self._error
        if self._error is not None:
            raise ModelFailed("the model failed while it wrote", hint="see the cause; try again") from self._error
        return None

    def read(self) -> Iterator[Piece]:
        """Pieces, in a thread."""
        while True:
            with self._changed:
                while (piece := self._take()) is None and not self.ended:
                    self._changed.wait()
            if piece is None:
                return
            yield piece

    async def aread(self) -> AsyncIterator[Piece]:
        """Pieces, in a coroutine."""
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        with self._changed:
            self._wake = partial(_wake, loop, event)
        try:
            while True:
                with self._changed:
                    event.clear()
                    piece, ended = self._take(), self.ended
                if piece is not None:
                    yield piece
                elif ended:
                    return
                else:
                    await event.wait()
        finally:
            with self._changed:
                self._wake = None
