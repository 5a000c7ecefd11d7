"""What waits for a run: bounded by tokens, taken out by urgency, in batches of texts of about one length."""

import heapq
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from .. import Overloaded
from .cost import CostModel
from .packing import PADDING_BOUND
from .tickets import Ticket

_MARGIN = 0.4
"""Share of a request's time that the predicted wait may take: a prediction is no promise."""

STRETCH = 8.0
"""A text may wait about this many times its own run before others that came later go first. A short text passes a
long one that came a little earlier; a long one is passed for a bounded time only."""


class Sized(Protocol):
    """An input whose length in tokens is known."""

    def __len__(self) -> int: ...


W = TypeVar("W", bound=Sized)


@dataclass(eq=False, slots=True)
class Item(Generic[W]):
    """One input on its way through the queue.

    Attributes:
        work: what the model runs.
        owner: the request it belongs to.
        index: which of the request's inputs.
        urgency: when it should start, in seconds of `time.monotonic`: smaller goes first.
        deadline: when nobody waits for it any more, on the same clock.
        queued: when it came, on the same clock.
        seconds: what it should take in a batch with others.
        retried: whether it runs alone, after a batch with it failed.
        live: false once it was abandoned or taken.
    """

    work: W
    owner: Ticket[Any]
    index: int
    urgency: float
    deadline: float
    tokens: int
    queued: float
    seconds: float = 0.0
    retried: bool = False
    live: bool = True


@dataclass(frozen=True)
class Limits:
    """What fits.

    Attributes:
        batch_tokens: most tokens of a batch; a longer text runs alone.
        queue_tokens: most tokens that wait.
    """

    batch_tokens: int
    queue_tokens: int


class WaitingItems(Generic[W]):
    """Items in heaps by length. Not safe for threads by itself: the scheduler holds its lock around every call.

    The lengths of one heap differ by at most the square root of the padding bound, so a batch from one heap always
    packs within the bound.
    """

    def __init__(self, limits: Limits, cost: CostModel) -> None:
        self.limits = limits
        self.tokens = 0
        self.seconds = 0.0  # of one worker, as predicted
        self._cost = cost
        self._heaps: dict[int, list[tuple[float, int, Item[W]]]] = {}
        self._live: dict[int, int] = {}
        self._count = itertools.count()

    def __len__(self) -> int:
        return sum(self._live.values())

    def admit(self, tokens: int, seconds: float, within: float) -> None:
        """Make sure that more may wait.

        Args:
            tokens: how many more.
            seconds: what they and all that waits should take, as predicted.
            within: seconds in which they must be answered.

        Raises:
            Overloaded: they do not fit, or would not be answered in time: then it is kinder to say so at once. A
                request that is larger than the whole queue fits only when it is empty.
        """
        if self.tokens and seconds > _MARGIN * within:
            raise Overloaded(
                "the queue is too long for the request's deadline", hint="try again later, or allow more time"
            )
        if self.tokens and self.tokens + tokens > self.limits.queue_tokens:
            raise Overloaded("the queue is full", hint="try again later, or start more servers")

    def put(self, item: Item[W]) -> None:
        """Add an item."""
        level = _level(item.tokens)
        heapq.heappush(self._heaps.setdefault(level, []), (item.urgency, next(self._count), item))
        self._live[level] = self._live.get(level, 0) + 1
        self.tokens += item.tokens
        self.seconds += item.seconds

    def abandon(self, item: Item[W]) -> None:
        """Forget an item that waits; nothing happens when it was taken already."""
        if not item.live:
            return
        level = _level(item.tokens)
        self._leave(item, level)
        heap = self._heaps[level]
        # What left stays in its heap until it reaches the top, unless it becomes the larger part of it.
        if len(heap) > 2 * self._live[level] + 64:
            self._heaps[level] = [entry for entry in heap if entry[2].live]
            heapq.heapify(self._heaps[level])

    def _leave(self, item: Item[W], level: int) -> None:
        item.live = False
        self._live[level] -= 1
        self.tokens -= item.tokens
        self.seconds = max(0.0, self.seconds - item.seconds) if self.tokens else 0.0

    def _top(self, level: int) -> Item[W] | None:
        heap = self._heaps.get(level)
        while heap:
            if heap[0][2].live:
                return heap[0][2]
            heapq.heappop(heap)
        return None

    def expired(self, now: float) -> Iterator[Item[W]]:
        """Take out what stands at the head of a heap past its deadline."""
        for level in list(self._heaps):
            while (item := self._top(level)) is not None and item.deadline <= now:
                self._leave(item, level)
                yield item

    def take(self, now: float, share: int) -> list[Item[W]]:
        """Take out the next batch: the most urgent item, and others of about its length that still fit.

        They fit while the batch stays under the token budget and under `share` tokens, keeps the padding bound, and
        should end before the earliest deadline among them.
        """
        budget = min(self.limits.batch_tokens, share)
        heads = [(item.urgency, level) for level in self._heaps if (item := self._top(level)) is not None]
        if not heads:
            return []
        _, first = min(heads)
        seed = self._pop(first)
        batch = _Batch([seed], seed.tokens, seed.tokens**2, seed.tokens, seed.deadline)
        if seed.retried:
            return batch.items
        for level in (first, first - 1, first + 1, first - 2):
            while (item := self._top(level)) is not None and not item.retried and self._fits(batch, item, now, budget):
                batch.add(self._pop(level))
        return batch.items

    def _pop(self, level: int) -> Item[W]:
        item = heapq.heappop(self._heaps[level])[2]
        self._leave(item, level)
        return item

    def _fits(self, batch: "_Batch[W]", item: Item[W], now: float, budget: int) -> bool:
        tokens, squares = batch.tokens + item.tokens, batch.squares + item.tokens**2
        longest = max(batch.longest, item.tokens)
        return (
            tokens <= budget
            and (len(batch.items) + 1) * longest**2 <= PADDING_BOUND * squares
            and now + self._cost.predict(tokens, squares) <= min(batch.deadline, item.deadline)
        )


@dataclass
class _Batch(Generic[W]):
    items: list[Item[W]]
    tokens: int
    squares: int
    longest: int
    deadline: float

    def add(self, item: Item[W]) -> None:
        self.items.append(item)
        self.tokens += item.tokens
        self.squares += item.tokens**2
        self.longest = max(self.longest, item.tokens)
        self.deadline = min(self.deadline, item.deadline)


_RATIO = math.log(math.sqrt(PADDING_BOUND))


def _level(tokens: int) -> int:
    return int(math.log(max(1, tokens)) / _RATIO)
