"""An engine behind a scheduler: how requests of many callers share its runs."""

import math
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .batching import Batch, Output, Scheduler
from .encoder import Encoder
from .packing import Tokens
from .processor import available_threads
from .queue import Limits
from .results import Prediction
from .tasks import Wanted
from .tickets import Ticket

if TYPE_CHECKING:
    from .engine import Engine

Floats = NDArray[np.float32]
Input = str | tuple[str, str]

BATCH_TOKENS = 256
"""Token budget of a batch. On one thread a token costs the same from about 128 tokens in a run on, so larger batches
only make everybody wait longer (benchmarks/load)."""
QUEUE_TOKENS = 65536

PROBE = "The quick brown fox jumps over the lazy dog."
"""What warm-up and readiness probes run; nobody's text."""


@dataclass(frozen=True)
class Concurrency:
    """How much runs and waits at once.

    Attributes:
        workers: batches that run at once; None takes the processors divided by the engine's threads.
        batch_tokens: token budget of a batch.
        queue_tokens: most tokens that wait; more is `Overloaded`.
    """

    workers: int | None = None
    batch_tokens: int = BATCH_TOKENS
    queue_tokens: int = QUEUE_TOKENS


class _EncoderModel:
    """An encoder as the scheduler sees it."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def run(self, batch: Sequence[Tokens]) -> Iterable[Output]:
        return (Output(index, value) for index, value in enumerate(self._encoder.forward(batch)))


@dataclass(frozen=True, repr=False)
class Pending:
    """Predictions to come. Wait with `result()` in a thread or `await` in a coroutine.

    Attributes:
        tokens: tokens of all inputs, special tokens included.
    """

    tokens: int
    ticket: Ticket[Floats]
    finish: Callable[[Sequence[Floats]], list[Prediction]]

    def __repr__(self) -> str:
        return f"<Pending {self.tokens} tokens>"

    def result(self) -> list[Prediction]:
        """Wait in this thread; raises as `Ticket.result` does."""
        return self.finish(self.ticket.result())

    def __await__(self) -> Generator[object, None, list[Prediction]]:
        """Wait in a coroutine; raises as `result` does. A cancelled task takes its inputs out of the queue."""
        return self._wait().__await__()

    async def _wait(self) -> list[Prediction]:
        return self.finish(await self.ticket)

    def cancel(self) -> None:
        """Leave: what has not run yet will not."""
        self.ticket.cancel()


class OnlineEngine:
    """Answers requests of many callers over one engine. Safe to call from threads and coroutines.

    Args:
        engine: what answers. It runs on as many sessions as it has, which is one: concurrent runs of one session
            share its weights.
        concurrency: workers, budget and bound.
        observe: told about every batch that ran; see `Scheduler`.
    """

    def __init__(
        self,
        engine: "Engine",
        concurrency: Concurrency | None = None,
        observe: Callable[[Batch], None] | None = None,
    ) -> None:
        chosen = concurrency or Concurrency()
        self.engine = engine
        self.workers = chosen.workers or max(1, available_threads() // engine.threads)
        self.scheduler: Scheduler[Tokens, Floats] = Scheduler(
            _EncoderModel(engine.encoder),
            workers=self.workers,
            limits=Limits(chosen.batch_tokens, chosen.queue_tokens),
            observe=observe,
        )

    def __repr__(self) -> str:
        return f"<OnlineEngine {self.engine.task}, {self.workers} workers>"

    def submit(
        self,
        texts: Sequence[Input],
        *,
        wanted: Wanted = Wanted(),  # noqa: B008 - frozen
        timeout: float = math.inf,
    ) -> Pending:
        """Tokenize texts and queue them.

        Args:
            texts: as for `Engine.predict`.
            wanted: what else the request asks for.
            timeout: seconds until nobody waits for the answer any more.

        Raises:
            InputTooLong, InvalidInput: as `Engine.predict`.
            Overloaded: the queue is full.
            Unavailable: the engine was closed.
        """
        prepared = self.engine.prepare(texts, wanted)
        ticket = self.scheduler.submit(prepared.tokens, timeout=timeout)
        return Pending(sum(map(len, prepared.tokens)), ticket, prepared.finish)

    def warm_up(self) -> None:
        """Run batches of several shapes, so that memory is laid out and the cost model knows this machine.

        Takes about as long as ten times the longest text; raises what the model raises.
        """
        limits = self.scheduler.limits
        longest = min(self.engine.tokenizer.window, max(limits.batch_tokens, 8))
        observed = []
        for length in sorted({8, 32, 128, longest}):
            if length > longest:
                continue
            for count in {1, max(1, limits.batch_tokens // length)}:
                batch = [self._sample(length)] * count
                self.engine.forward(batch)
                started = time.perf_counter()
                self.engine.forward(batch)
                observed.append((count * length, count * length**2, time.perf_counter() - started))
        self.scheduler.cost.fit(observed)

    def _sample(self, length: int) -> Tokens:
        one = self.engine.tokenizer.encode([PROBE], truncate=True)[0][0]
        types = None if one.types is None else np.resize(one.types, length)
        ids = np.resize(one.ids, length)
        mask = self.engine.manifest.tokenizer.mask_id
        if mask is not None:
            ids[length // 2] = mask
        return Tokens(ids, types)

    async def probe(self, timeout: float) -> None:
        """Send a text of our own through queue and model; raises what a caller would see."""
        await self.scheduler.submit([self._sample(8)], timeout=timeout)

    def close(self, timeout: float = math.inf) -> bool:
        """Finish what was accepted and stop; whether all of it was answered within `timeout` seconds."""
        return self.scheduler.close(timeout)


class LazyOnline:
    """The online side of an engine that is used directly: made with the first request, ended with the engine."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: OnlineEngine | None = None

    def get(self, engine: "Engine") -> OnlineEngine:
        """The one `OnlineEngine`."""
        with self._lock:
            if self._made is None:
                self._made = OnlineEngine(engine)
                weakref.finalize(engine, self._made.scheduler.close, 0.0)
            return self._made

    def close(self) -> None:
        """Finish what was accepted and stop, where anything was ever asked."""
        with self._lock:
            if self._made is not None:
                self._made.close()
