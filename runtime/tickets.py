"""A request that waits for its answer: one promise for threads and for asyncio alike."""

import asyncio
import threading
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Generic, TypeVar

from .. import CloisterError, DeadlineExceeded

R = TypeVar("R")


class Ticket(Generic[R]):
    """Outputs to come for the inputs of one request; made by `Scheduler.submit`.

    Wait for it with `result()` in a thread or with `await` in a coroutine. Both give one output per input, in order,
    or raise the one error of the request. It is answered exactly once, whatever happens to the worker, and when its
    deadline passes, the wait ends there.

    Args:
        count: how many inputs.
        deadline: seconds of `time.monotonic`.
        on_output: called with `(input's index, output)` for every output as it comes, in the worker's thread; must
            be quick and must not raise.
        on_leave: called once when nobody waits any more.
    """

    def __init__(
        self,
        count: int,
        deadline: float,
        on_output: Callable[[int, R], None] | None,
        on_leave: Callable[["Ticket[R]"], None],
    ) -> None:
        self.deadline = deadline
        self.on_output = on_output
        self._on_leave = on_leave
        self._outputs: list[R | None] = [None] * count
        self._missing = count
        self._error: CloisterError | None = None
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._waiter: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | None = None
        if count == 0:
            self._done.set()

    @property
    def done(self) -> bool:
        """Whether the answer, or an error, is there."""
        return self._done.is_set()

    def keep(self, index: int, output: R) -> bool:
        """The scheduler's: set an input's last output; true when that completed the request."""
        with self._lock:
            if self._done.is_set():
                return False
            self._outputs[index] = output
            self._missing -= 1
            if self._missing:
                return False
            self._done.set()
            return True

    def fail(self, error: CloisterError) -> bool:
        """The scheduler's: end the request with an error; false when it had ended before."""
        with self._lock:
            if self._done.is_set():
                return False
            self._error = error
            self._done.set()
            return True

    def cancel(self) -> None:
        """Leave: what still waits goes out of the queue and costs nothing. Harmless once the answer is there."""
        if self.fail(DeadlineExceeded("the request was cancelled", hint="nobody waits for it", code="cancelled")):
            self._on_leave(self)
            wake([self])

    def expire(self) -> None:
        """Leave because the deadline has passed."""
        if self.fail(expired()):
            self._on_leave(self)
            wake([self])

    def _value(self) -> Sequence[R]:
        if self._error is not None:
            # A new error each time: a traceback grows with every raise of the same one.
            error = self._error
            raise type(error)(error.message, hint=error.hint, code=error.code)
        return self._outputs  # type: ignore[return-value]

    def result(self) -> Sequence[R]:
        """Wait in this thread, at most until the deadline.

        Raises:
            DeadlineExceeded: the deadline passed, or the request was cancelled.
            ModelFailed: the model raised an error for one of the inputs.
            WorkerDied: the worker died while it ran one of the inputs.
            Unavailable: the scheduler was closed before the request ran.
        """
        if not self._done.wait(max(0.0, self.deadline - time.monotonic())):
            self.expire()
        return self._value()

    def __await__(self) -> Generator[object, None, Sequence[R]]:
        """Wait in a coroutine; raises as `result` does. A cancelled task cancels the request."""
        return self._wait().__await__()

    async def _wait(self) -> Sequence[R]:
        if self.done:
            return self._value()
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        with self._lock:
            self._waiter = loop, future
            if self._done.is_set():
                return self._value()
        timer = loop.call_later(max(0.0, self.deadline - time.monotonic()), self.expire)
        try:
            await future
        except asyncio.CancelledError:
            self.cancel()
            raise
        finally:
            timer.cancel()
        return self._value()


def wake(tickets: Iterable[Ticket[R]]) -> None:
    """Wake the coroutines that wait for these tickets, with one call into each event loop."""
    waiting: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for ticket in tickets:
        with ticket._lock:
            waiter = ticket._waiter
        if waiter is not None:
            waiting.setdefault(waiter[0], []).append(waiter[1])
    for loop, futures in waiting.items():
        try:
            loop.call_soon_threadsafe(_resolve, futures)
        except RuntimeError:  # the loop was closed: nobody is left to wake
            continue


def _resolve(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


def expired() -> DeadlineExceeded:
    """The error of a request whose deadline passed."""
    return DeadlineExceeded("the request's deadline has passed", hint="allow more time, or send fewer texts at once")
