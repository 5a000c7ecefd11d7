"""One answer in words: pieces from the model, searched, and put back into terms of the original.

The model has seen placeholders only. Its text goes through the scan of the policy first, then placeholders become
values again; each step holds back only what it cannot decide yet.
"""

from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from .generation import Generation, Summary, TokenLogprob
from .guard import GuardedConversation

Aside = Callable[[Callable[[], str]], Awaitable[str]]


@dataclass(frozen=True, slots=True, repr=False)
class Written:
    """A part of an answer as its client gets it.

    Attributes:
        text: may be empty.
        logprobs: of the tokens as the model wrote them, placeholders included.
    """

    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


class Writing:
    """One choice of an answer while it is written. Iterate over it once; closing it stops the model.

    Args:
        generation: what the model writes.
        conversation: of the request.
        aside: runs what costs a model's run where no event loop waits for it.
        in_json: the answer is a JSON document.

    Attributes:
        found: values that were not in the request, by entity.
        pieces: of the model.
    """

    def __init__(
        self, generation: Generation, conversation: GuardedConversation, aside: Aside, *, in_json: bool = False
    ) -> None:
        self.generation = generation
        self._aside = aside
        self._restoring = conversation.restoring(in_json=in_json)
        self._scan = conversation.scan()
        self._tokens: deque[tuple[int, int, tuple[TokenLogprob, ...]]] = deque()
        self._fed = 0
        self.pieces = 0

    def __repr__(self) -> str:
        return f"<Writing {self.pieces} pieces>"

    @property
    def found(self) -> Counter[str]:
        """What the model wrote and nobody had said, by entity."""
        return Counter() if self._scan is None else self._scan.counts

    @property
    def filtered(self) -> bool:
        """Whether the policy ended it."""
        return self._scan is not None and self._scan.stopped

    @property
    def summary(self) -> Summary:
        """How it ended."""
        return self.generation.summary

    def close(self) -> None:
        """Stop the model and free its memory."""
        self.generation.close()

    async def __aiter__(self) -> AsyncIterator[Written]:
        """Parts of the answer; raises what the model or the scan raises."""
        try:
            async for piece in self.generation.apieces():
                self.pieces += 1
                written = await self._take(piece.text, piece.logprobs)
                if written.text or written.logprobs:
                    yield written
                if self.filtered:
                    break
            yield await self._end()
        finally:
            self.generation.close()

    async def _take(self, text: str, logprobs: tuple[TokenLogprob, ...]) -> Written:
        if logprobs:
            self._tokens.append((self._fed, self._fed + len(text), logprobs))
        self._fed += len(text)
        scan, safe = self._scan, text
        if scan is not None:
            # The model goes on meanwhile; what it writes is taken after this, in order.
            safe = await self._aside(partial(scan.feed, text)) if scan.waits(text) else scan.feed(text)
        return Written(self._restoring.feed(safe), self._known())

    async def _end(self) -> Written:
        scan, safe = self._scan, ""
        if scan is not None:
            safe = await self._aside(scan.close) if scan.waits() else scan.close()
        text = self._restoring.feed(safe) + self._restoring.close()
        return Written(text, self._known())

    def _known(self) -> tuple[TokenLogprob, ...]:
        """Log-probabilities of the tokens whose text is decided. Those of a masked value are left out, with those that
        came just before it: a token may come ahead of its text.
        """
        if not self._tokens:
            return ()
        decided = self._fed if self._scan is None else self._scan.decided
        masked = [] if self._scan is None else self._scan.masked
        out: list[TokenLogprob] = []
        while self._tokens and (self._tokens[0][1] < decided or self._tokens[0][1] == decided == self._fed):
            start, end, logprobs = self._tokens.popleft()
            # A piece without text belongs to what follows it.
            if not any(low < max(end, start + 1) and start <= high for low, high in masked):
                out += logprobs
        return tuple(out)
