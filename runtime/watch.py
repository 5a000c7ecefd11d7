"""A finished request becomes an observation of the monitor; what that makes worth saying goes to its listeners."""

import ipaddress
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial

from ..privacy.monitoring import Alert, Monitor, Observation, Outcome, Reader, Signals
from .engine import Engine
from .results import Answer, Classification, Prediction, Tagging
from .tokens import Input
from .trail import Trail

_OVERLOAD = (408, 429, 499)


class Watch:
    """Monitors the requests of a service. Safe to call from threads.

    Args:
        monitor: decides.
        listen: told of every alert, besides the audit log; must not block.
        reader: turns texts into signals.
        clock: seconds that only rise.
    """

    def __init__(
        self,
        monitor: Monitor,
        listen: Callable[[Alert], None] | None = None,
        reader: Reader | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.monitor = monitor
        self._listen = listen
        self._reader = reader or Reader()
        self._clock = clock

    def read(self, texts: Sequence[Input]) -> Signals:
        """Signals of texts as the guard let them through; the texts themselves go no further."""
        return self._reader.read(texts)

    def answered(self, trail: Trail, engine: Engine, predictions: Sequence[Prediction]) -> None:
        """A model answered the texts that were read."""
        if not self.monitor.knows(engine.digest):
            self.monitor.expect(engine.digest, engine.reference)
        if trail.signals is not None:
            trail.outcomes = tuple([outcome(predictions[i]) for i in trail.signals.indices])

    def finished(self, trail: Trail) -> list[Alert]:
        """A request ended; the alerts it raised, for the audit log. Once for each trail."""
        if trail.watched:
            return []
        trail.watched = True
        alerts = self.monitor.observe(
            Observation(
                _group(trail.client or "-"),
                self._clock(),
                trail.time,
                trail.model_digest,
                trail.inputs,
                trail.entities.total() if trail.entities else 0,
                400 <= trail.status < 500 and trail.status not in _OVERLOAD,
                () if trail.signals is None else trail.signals.texts,
                trail.outcomes,
            )
        )
        if not alerts:
            return alerts
        # One host's many addresses are watched as one client; the audit log knows them by what the request came from.
        alerts = [a if a.name is None else replace(a, name=trail.client) for a in alerts]
        if self._listen is not None:
            for alert in alerts:
                self._listen(alert)
        return alerts


def outcome(prediction: Prediction) -> Outcome:
    """Labels, score and margin of a prediction; no content."""
    match prediction:
        case Classification():
            labels = (prediction.label,) if prediction.labels is None else prediction.labels
            return Outcome(labels, prediction.score, partial(_margin, prediction))
        case Tagging():
            found = prediction.entities
            score = sum(e.score for e in found) / len(found) if found else 1.0
            return Outcome(tuple(e.label for e in found), score, None)
        case Answer():
            return Outcome(None, prediction.score, None)
        case _:
            return Outcome(None, None, None)


def _margin(prediction: Classification) -> float | None:
    """Distance to the nearest other decision: of the two best probabilities, or of the nearest one from one half."""
    scores = prediction.scores
    if prediction.labels is not None:
        return 2 * min((abs(s - 0.5) for s in scores.values()), default=0.5)
    if len(scores) < 2:
        return None
    others = list(scores.values())
    others.remove(prediction.score)
    return prediction.score - max(others)


@lru_cache(maxsize=4096)
def _group(client: str) -> str:
    """Who counts as one client: a key's name, an IPv4 address, or the /64 of an IPv6 address, which one host has."""
    if ":" not in client:
        return client
    try:
        return str(ipaddress.IPv6Network((client.partition("%")[0], 64), strict=False))
    except ValueError:
        return client
