"""The scheduler: one queue for all callers, batches by token budget and deadline, and an answer for everyone.

It knows nothing of texts or arrays. What it runs is a `Model`: inputs whose length is known go in, outputs come out.
"""

import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from .. import CloisterError, ModelFailed, Unavailable, WorkerDied
from .cost import CostModel
from .queue import STRETCH, Item, Limits, Sized, WaitingItems
from .tickets import Ticket, expired, wake

W = TypeVar("W", bound=Sized)
W_contra = TypeVar("W_contra", bound=Sized, contravariant=True)
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

LEAST_SHARE = 64
"""Tokens that a batch may always have: idle workers share what waits, but not into pieces smaller than this."""


class Output(NamedTuple):
    """One output of an input of a batch. An input may have many (a stream); the last one ends it."""

    item: int
    value: Any
    last: bool = True


class Model(Protocol[W_contra]):
    """All that the scheduler asks of an engine."""

    def run(self, batch: Sequence[W_contra]) -> Iterable[Output]:
        """Run inputs together. Outputs may come in any order; called from several threads at once."""
        ...


@dataclass(frozen=True)
class Batch:
    """What is told to an observer about a batch that ran. No content.

    Attributes:
        items, tokens: how much ran.
        padding: share of the attention's cells that was padding, 0 to 1.
        seconds: time of the run.
        waited: longest time one of its inputs waited.
        failed: whether the model raised an error.
    """

    items: int
    tokens: int
    padding: float
    seconds: float
    waited: float
    failed: bool


class Scheduler(Generic[W, R]):
    """Runs requests of many callers on a few worker threads. Safe to call from threads and coroutines alike.

    An idle worker starts at once: there is no timer that waits for a batch to fill. While all are busy the queue
    grows by itself, and the next batch is as large as the token budget and the deadlines allow.

    Args:
        model: what runs the inputs.
        workers: threads that run batches.
        limits: token budget of a batch and bound of the queue.
        cost: predicts how long a batch takes; refined by every batch.
        observe: told about every batch, in the worker's thread; must be quick and must not raise.
    """

    def __init__(
        self,
        model: Model[W],
        *,
        workers: int,
        limits: Limits,
        cost: CostModel | None = None,
        observe: Callable[[Batch], None] | None = None,
    ) -> None:
        self.limits = limits
        self.cost = cost or CostModel()
        self.deaths = 0
        self._model = model
        self._observe = observe
        self._queue: WaitingItems[W] = WaitingItems(limits, self.cost)
        self._items: dict[Ticket[R], list[Item[W]]] = {}
        self._ready = threading.Condition()
        self._running = self._idle = 0
        self._closed = False
        self._workers = workers
        self._started = 0
        self.last_success = -math.inf

    def __repr__(self) -> str:
        return f"<Scheduler {self.waiting_tokens} tokens waiting, {self._running} batches running>"

    @property
    def waiting_tokens(self) -> int:
        """Tokens in the queue."""
        return self._queue.tokens

    @property
    def running(self) -> int:
        """Batches that run now."""
        return self._running

    def submit(
        self, inputs: Sequence[W], *, timeout: float = math.inf, on_output: Callable[[int, R], None] | None = None
    ) -> Ticket[R]:
        """Queue the inputs of one request.

        Args:
            inputs: may run in several batches, together with inputs of others.
            timeout: seconds until nobody waits for the answer any more.
            on_output: told of every output as it comes; see `Ticket`.

        Raises:
            Overloaded: the queue has no room for it.
            Unavailable: the scheduler is closed.
        """
        now = time.monotonic()
        lengths = [len(work) for work in inputs]
        deadline = now + min(timeout, _FOREVER)
        ticket: Ticket[R] = Ticket(len(inputs), deadline, on_output, self._leave)
        if not inputs:
            return ticket
        items, cost = [], 0.0
        for index, (work, length) in enumerate(zip(inputs, lengths, strict=True)):
            # A request of many texts is as urgent as its first ones, not as urgent as many requests.
            cost += self.cost.predict(length, length**2)
            urgency = min(now + STRETCH * cost, deadline - cost)
            items.append(Item(work, ticket, index, urgency, deadline, length, now, self.cost.share(length)))
        with self._ready:
            if self._closed:
                raise Unavailable("the service is shutting down", hint="send the request to another server")
            wait = (self._queue.seconds + sum(item.seconds for item in items)) / self._workers
            self._queue.admit(sum(lengths), wait, timeout)
            for item in items:
                self._queue.put(item)
            self._items[ticket] = items
            self._ready.notify(min(len(items), self._idle))
            if self._started < self._workers:
                self._start()
        return ticket

    def admit(self, timeout: float) -> None:
        """Whether a small request would be taken now, before anything is spent on it.

        Raises:
            Overloaded: the queue is full, or too long for `timeout` seconds.
        """
        self._queue.admit(1, self._queue.seconds / self._workers, timeout)

    def _start(self) -> None:
        self._started += 1
        threading.Thread(target=self._live, name="cloister-worker", daemon=True).start()

    def _leave(self, ticket: Ticket[R]) -> None:
        with self._ready:
            for item in self._items.pop(ticket, ()):
                self._queue.abandon(item)
            self._ready.notify_all()  # whoever waits for the queue to run dry

    def _live(self) -> None:
        """A worker's life. Whatever ends it, its callers are answered and another takes its place."""
        _yield_to_others()
        batch: list[Item[W]] = []
        try:
            while batch := self._next():
                self._run(batch)
                with self._ready:
                    self._running -= 1
                    batch.clear()
                    self._ready.notify_all()
        finally:
            with self._ready:
                self._started -= 1
                if batch:
                    self._running -= 1
                    self.deaths += 1
                    if len(self._queue):
                        self._start()
                self._ready.notify_all()
            error = WorkerDied("the worker died while it ran the request", hint="send the request again")
            self._end([item.owner for item in batch], error)

    def _next(self) -> list[Item[W]]:
        """The next batch, once there is one; empty when there is nothing left to do."""
        with self._ready:
            while True:
                now = time.monotonic()
                late = [item.owner for item in self._queue.expired(now)]
                if late:
                    self._end(late, expired())
                    continue
                if len(self._queue):
                    share = math.ceil(self._queue.tokens / (self._idle + 1))
                    batch = self._queue.take(now, max(LEAST_SHARE, share))
                    self._running += 1
                    return batch
                if self._closed:
                    return []
                self._idle += 1
                self._ready.wait()
                self._idle -= 1

    def _run(self, batch: list[Item[W]]) -> None:
        tokens = sum(item.tokens for item in batch)
        squares = sum(item.tokens**2 for item in batch)
        started = time.monotonic()
        finished: list[Ticket[Any]] = []
        left = set(range(len(batch)))
        failed = False
        try:
            for output in self._model.run([item.work for item in batch]):
                self._deliver(batch[output.item], output, finished)
                if output.last:
                    left.discard(output.item)
        except Exception:  # noqa: BLE001 - whatever a model raises, its callers are answered
            failed = True
        seconds = time.monotonic() - started
        self._forget(finished)
        if not left and not failed:
            self.cost.observe(tokens, squares, seconds)
            self.last_success = time.monotonic()
        else:
            self._again([batch[index] for index in sorted(left)], alone=len(batch) == 1)
        if self._observe is not None:
            longest = max(item.tokens for item in batch)
            padding = 1 - squares / (len(batch) * longest**2)
            waited = started - min(item.queued for item in batch)
            self._observe(Batch(len(batch), tokens, padding, seconds, waited, failed))

    def _deliver(self, item: Item[W], output: Output, finished: list[Ticket[Any]]) -> None:
        ticket = item.owner
        if ticket.on_output is not None:
            ticket.on_output(item.index, output.value)
        if output.last and ticket.keep(item.index, output.value):
            finished.append(ticket)

    def _forget(self, finished: list[Ticket[Any]]) -> None:
        if finished:
            with self._ready:
                for ticket in finished:
                    self._items.pop(ticket, None)
            wake(finished)

    def _again(self, items: list[Item[W]], *, alone: bool) -> None:
        """After a failed batch every input is tried once more, alone: a poisonous one fails nobody but its owner."""
        if alone or all(item.retried for item in items):
            error = ModelFailed("the model failed on this input", hint="leave the input out; the log names the model")
            self._end([item.owner for item in items], error)
            return
        with self._ready:
            for item in items:
                if item.owner in self._items:
                    item.retried = item.live = True
                    self._queue.put(item)
            self._ready.notify_all()

    def _end(self, tickets: Sequence[Ticket[Any]], error: CloisterError) -> None:
        ended = list(dict.fromkeys(tickets))
        with self._ready:
            for ticket in ended:
                ticket.fail(error)  # changes nothing for one that had its answer just before
                for item in self._items.pop(ticket, ()):
                    self._queue.abandon(item)
        wake(ended)

    def close(self, timeout: float = math.inf) -> bool:
        """Take no new work, finish what was accepted, and stop the workers.

        Args:
            timeout: seconds to wait; what is still unanswered then gets `Unavailable`.

        Returns:
            Whether everything accepted was answered in time.
        """
        until = time.monotonic() + min(timeout, _FOREVER)
        with self._ready:
            self._closed = True
            self._ready.notify_all()
            while self._items and time.monotonic() < until:
                self._ready.wait(max(0.0, until - time.monotonic()))
            left = list(self._items)
        self._end(left, Unavailable("the service shut down before the request ran", hint="send the request again"))
        return not left


def _yield_to_others() -> None:
    """Let the other threads of the process go first: whoever takes in requests must not wait for who computes."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


_NICENESS = 10
_FOREVER = 10.0 * 365 * 86400
