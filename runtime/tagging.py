"""Named-entity models of a service: behind schedulers, out of the same budget of threads and tokens as its models.

A guard asks for names in a thread of its own and waits there for the scheduler, at most until the request's deadline.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING

from .. import Overloaded
from .batching import Batch
from .online import Concurrency, OnlineEngine
from .results import Prediction
from .scripts import Script
from .tagger import BundleTagger, ScriptTagger
from .tickets import expired

if TYPE_CHECKING:
    from ..privacy.detector import Tagger

Observe = Callable[[str, Batch], None]

# A colon stands in no model's name.
_NAME = "tagger:"

_deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Taggers that are asked in this block, or in a thread that was given its context, have so many seconds."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


class Taggers:
    """The named-entity models of one service.

    Args:
        concurrency: as for every model.
        observe: told about every batch of every one of them, under a name that no model has.
    """

    def __init__(self, concurrency: Concurrency, observe: Observe | None = None) -> None:
        self._concurrency = concurrency
        self._observe = observe
        self._online: dict[str, OnlineEngine] = {}
        self._waiting: list[Callable[[], BundleTagger]] = []
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[tuple[str, OnlineEngine]]:
        return iter(list(self._online.items()))

    def scheduled(self, tagger: "Tagger") -> "Tagger":
        """The same tagger, run by schedulers; one that is not Cloister's runs as it is, in the thread that asks."""
        match tagger:
            case BundleTagger():
                return self._online_tagger("bundle", tagger)
            case ScriptTagger():
                made = ScriptTagger({script: self._making(str(script), tagger, script) for script in tagger.scripts})
                self._waiting += [partial(made.tagger, script) for script in tagger.scripts]
                return made
            case _:
                return tagger

    def _making(self, name: str, tagger: ScriptTagger, script: Script) -> Callable[[], BundleTagger]:
        return lambda: self._online_tagger(name, tagger.tagger(script))

    def _online_tagger(self, name: str, tagger: BundleTagger) -> BundleTagger:
        name, observe = _NAME + name, self._observe
        online = OnlineEngine(
            tagger.engine, self._concurrency, None if observe is None else lambda batch: observe(name, batch)
        )
        with self._lock:
            self._online[name] = online

        def predict(texts: list[str]) -> Sequence[Prediction]:
            left = _deadline.get() - time.monotonic()
            if left <= 0:
                raise expired()
            return online.submit(texts, timeout=left).result()

        return BundleTagger(tagger.engine, predict)

    def start(self) -> None:
        """Load what is not loaded yet and warm everything up, so that no request waits for it and damage shows at once.

        Raises:
            BundleError, ProviderError: a bundle cannot be used.
        """
        for load in self._waiting:
            load()
        for _, online in self:
            online.warm_up()

    def admit(self, timeout: float) -> None:
        """Refuse a request whose names could not be found in time, before anything is spent on it.

        Raises:
            Overloaded: the queues of all of them are too long for `timeout` seconds.
        """
        everyone = list(self)
        for number, (_, online) in enumerate(everyone, 1):
            try:
                online.scheduler.admit(timeout)
            except Overloaded:
                if number == len(everyone):
                    raise
            else:
                return

    def close(self, timeout: float = math.inf) -> bool:
        """Finish what was accepted and stop; whether all of it was answered within `timeout` seconds."""
        until = time.monotonic() + timeout
        closed = [online.close(max(0.0, until - time.monotonic())) for _, online in self]
        return all(closed)
