"""The monitor: one observation per request in, alerts out."""

import math
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from .alert import KINDS, Alert
from .baseline import Baseline
from .clients import Client, Clients
from .drift import Drift, Learning
from .reference import Reference
from .signals import TextSignals
from .sketch import Memory
from .thresholds import Thresholds

_TEXTS_CAP = 16
_ENTITY_CAP = 4
_OWN_PACE = 1 / 1024
_ALL_PACE = 1 / 4096
_ALL_FACTOR = 4.0
_MODELS = 64
_DAY = 86_400.0
_ALERTS_PER_MINUTE = 60.0

_NEAR, _WALK, _ENTITIES, _REFUSED, _LENGTHS, _INJECTION, _ENCODED = range(7)
_SUMS = ("near_duplicates", "boundary_walk", "entity_jump", "refusals", "lengths", "injection", "encoded_payload")


class Outcome(NamedTuple):
    """What a model answered to one text.

    Attributes:
        labels: none to several; None for a task without labels.
        score: of the answer, None where there is none.
        margin: distance of the two best scores, or what computes it: it is asked for rarely. None where the task has no
            two.
    """

    labels: tuple[str, ...] | None
    score: float | None
    margin: float | Callable[[], float | None] | None


@dataclass(slots=True)
class Observation:
    """One request, without content.

    Attributes:
        client: name of whoever sent it.
        at: seconds of a clock; steps back count as no time.
        time: seconds since 1970, for the alert.
        model: digest of the model that answered, None where none did.
        inputs: texts in it.
        entities: values that were redacted in it.
        refused: it was refused for what it asked.
        texts: signals of the texts that were read.
        outcomes: answers to the same texts, as many, or none.
    """

    client: str
    at: float
    time: float
    model: str | None = None
    inputs: int = 0
    entities: int = 0
    refused: bool = False
    texts: tuple[TextSignals, ...] = ()
    outcomes: tuple[Outcome, ...] = ()


class _Model:
    """One model's answers: learning what is normal first, unless it came with a reference."""

    def __init__(self, reference: Reference | None, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self._learning = Learning(thresholds.calibration)
        self.drift = None if reference is None else Drift(reference, thresholds)
        self.raised: dict[str, float] = {}

    def learn(self, outcome: Outcome, length: int) -> None:
        """An answer, before there is a reference."""
        reference = self._learning.add(outcome.labels, outcome.score, length)
        if reference is not None:
            self.drift = Drift(reference, self._thresholds)
            self._learning = Learning(0)


class Monitor:
    """Watches requests. Bounded memory, constant work per request; safe to call from threads.

    Args:
        thresholds: what is too much.
        secret: at least 16 random bytes for hashes of clients; drawn anew unless given.

    Attributes:
        suppressed: alerts that were not raised because too many were.
    """

    def __init__(self, thresholds: Thresholds | None = None, secret: bytes | None = None) -> None:
        self.thresholds = limits = thresholds or Thresholds()
        self.suppressed = 0
        self._shares = (
            limits.duplicate_share,
            limits.walk_share,
            0.0,  # what is usual for the client is taken off before
            limits.refused_share,
            limits.length_share,
            limits.injection_share,
            limits.encoded_share,
        )
        self._limits = (
            limits.duplicate_limit,
            limits.walk_limit,
            limits.entity_limit,
            limits.refused_limit,
            limits.length_limit,
            limits.injection_limit,
            limits.encoded_limit,
        )
        self._lock = threading.Lock()
        self._clients = Clients(limits.clients, limits.forget, len(_SUMS), secret or secrets.token_bytes(32))
        self._all = Client(0.0, len(_SUMS), shared=True)
        self._models: OrderedDict[str, _Model] = OrderedDict()
        self._baseline = Baseline()
        self._requests = 0
        self._last = math.nan
        self._now = 0.0
        self._quota = dict.fromkeys(KINDS, (_ALERTS_PER_MINUTE, 0.0))

    def __repr__(self) -> str:
        return f"<Monitor of {len(self._clients)} clients>"

    @property
    def watched(self) -> int:
        """Clients and buckets that are remembered now."""
        return len(self._clients)

    @property
    def calibrating(self) -> bool:
        """Whether what is usual is still being learned."""
        return self._requests < self.thresholds.calibration

    def expect(self, model: str, reference: Reference | None) -> None:
        """Say what is normal for a model; without a reference its first answers decide. Told once for each model."""
        with self._lock:
            if model not in self._models:
                self._add(model, reference)

    def knows(self, model: str) -> bool:
        """Whether `expect` was told of a model, and it was not forgotten since."""
        return model in self._models

    def _add(self, model: str, reference: Reference | None) -> _Model:
        made = self._models[model] = _Model(reference, self.thresholds)
        while len(self._models) > _MODELS:
            self._models.popitem(last=False)
        return made

    def observe(self, seen: Observation) -> list[Alert]:
        """Take in one request; what it makes worth saying, nearly always nothing."""
        alerts: list[Alert] = []
        with self._lock:
            elapsed = seen.at - self._last
            if 0.0 <= elapsed <= _DAY:
                self._now += elapsed
            if math.isfinite(seen.at):
                self._last = seen.at
            self._requests += 1
            client = self._clients.get(seen.client, self._now)
            if client.shared:
                limits = self.thresholds
                evidence = {"clients": float(limits.clients), "forget": limits.forget}
                self._raise("clients_full", self._all, self._all.raised, seen, evidence, alerts)
            self._rates(seen, client, alerts)
            if seen.refused or client.sums[_REFUSED]:
                self._step(_REFUSED, client, float(seen.refused), seen, alerts)
            if seen.texts:
                self._entities(seen, client, alerts)
                self._texts(seen, client, alerts)
        return alerts

    def _rates(self, seen: Observation, client: Client, alerts: list[Alert]) -> None:
        limits, usual, now, inputs = self.thresholds, self._baseline, self._now, max(1, seen.inputs)
        burst = float(limits.burst)
        if self._requests <= limits.calibration:
            usual.add(seen.client, now, inputs, seen.entities)
            if self._requests == limits.calibration:
                usual.finish(now)
            if limits.rate == 0.0:
                client.at = self._all.at = now
                return
        if limits.rate == 0.0:
            burst = max(burst, usual.burst)
            self._level(self._all, usual.total, _ALL_FACTOR * burst, inputs, seen, alerts)
        self._level(client, limits.rate or usual.rate, burst, inputs, seen, alerts)

    def _level(
        self, client: Client, rate: float, burst: float, inputs: int, seen: Observation, alerts: list[Alert]
    ) -> None:
        """A bucket that leaks at `rate` (leaky bucket as a meter; ITU-T I.371) and may hold `burst` inputs."""
        left = client.level - (self._now - client.at) * rate
        client.level = left + inputs if left > 0.0 else float(inputs)
        client.at = self._now
        if client.level > burst:
            evidence = {"excess": client.level, "limit": burst, "rate": rate}
            client.level = 0.0
            self._raise("burst", client, client.raised, seen, evidence, alerts)

    def _entities(self, seen: Observation, client: Client, alerts: list[Alert]) -> None:
        limits = self.thresholds
        texts = min(max(1, seen.inputs), _TEXTS_CAP)
        found = min(seen.entities, _ENTITY_CAP * texts, 2 * _TEXTS_CAP) if seen.entities else 0
        everyone = self._all
        if self._requests <= limits.calibration:
            everyone.entities = self._baseline.entities
        else:
            if found or client.sums[_ENTITIES]:
                usual = max(client.entities, self._baseline.entities)
                tolerated = texts * (limits.entity_factor * usual + limits.entity_share)
                self._step(_ENTITIES, client, found - tolerated, seen, alerts)
            if found or everyone.sums[_ENTITIES]:
                tolerated = texts * (limits.entity_factor * everyone.entities + limits.entity_share)
                self._step(_ENTITIES, everyone, (found - tolerated) / _ALL_FACTOR, seen, alerts)
            everyone.entities += (found / texts - everyone.entities) * _ALL_PACE
        client.entities += (found / texts - client.entities) * _OWN_PACE

    def _texts(self, seen: Observation, client: Client, alerts: list[Alert]) -> None:
        model = None
        if seen.model is not None and seen.outcomes:
            model = self._models.get(seen.model) or self._add(seen.model, None)
        memory = client.memory
        if memory is None:
            memory = client.memory = Memory()
        sums = client.sums  # a sum of 0 stays 0 where nothing was seen: most steps are not taken
        for index, text in enumerate(seen.texts):
            outcome = seen.outcomes[index] if index < len(seen.outcomes) else None
            if text.keys:
                same, similar = memory.meet(text.keys)
                # The same text again teaches nothing about a model, so it neither raises nor lowers the sum.
                if not same or text.partial:
                    near = same or similar
                    if near or sums[_NEAR]:
                        self._step(_NEAR, client, float(near), seen, alerts)
                    if (near or sums[_WALK]) and outcome is not None:
                        margin = outcome.margin() if callable(outcome.margin) else outcome.margin
                        close = near and margin is not None and margin < self.thresholds.margin
                        self._step(_WALK, client, float(close), seen, alerts)
            if text.injection or sums[_INJECTION]:
                self._step(_INJECTION, client, text.injection, seen, alerts)
            if text.encoded or sums[_ENCODED]:
                self._step(_ENCODED, client, text.encoded, seen, alerts)
            if model is not None and outcome is not None:
                self._answer(text, outcome, model, client, seen, alerts)

    def _answer(
        self,
        text: TextSignals,
        outcome: Outcome,
        model: _Model,
        client: Client,
        seen: Observation,
        alerts: list[Alert],
    ) -> None:
        drift = model.drift
        if drift is None:
            model.learn(outcome, text.length)
            return
        odd = not drift.shortest <= text.octave <= drift.longest
        if odd or client.sums[_LENGTHS]:
            self._step(_LENGTHS, client, float(odd), seen, alerts)
        for kind, evidence in drift.add(outcome.labels, outcome.score):
            self._raise(kind, self._all, model.raised, seen, evidence, alerts)

    def _step(self, detector: int, client: Client, value: float, seen: Observation, alerts: list[Alert]) -> None:
        """Page's cumulative sum of one detector."""
        total = client.sums[detector] + value - self._shares[detector]
        if total <= 0.0:
            total = 0.0
        elif total >= self._limits[detector]:
            evidence = {"sum": total, "limit": self._limits[detector], "share": self._shares[detector]}
            self._raise(_SUMS[detector], client, client.raised, seen, evidence, alerts)
            total = 0.0
        client.sums[detector] = total

    def _raise(
        self,
        kind: str,
        client: Client,
        raised: dict[str, float],
        seen: Observation,
        evidence: dict[str, float],
        alerts: list[Alert],
    ) -> None:
        now, limits = self._now, self.thresholds
        if kind in limits.off or now - raised.get(kind, -math.inf) < limits.silence:
            return
        raised[kind] = now
        # Nobody may fill a log by raising alerts under ever new names, nor hide one kind behind another.
        left, since = self._quota[kind]
        left = min(_ALERTS_PER_MINUTE, left + (now - since) * _ALERTS_PER_MINUTE / 60.0)
        self._quota[kind] = (left - 1.0 if left >= 1.0 else left, now)
        if left < 1.0:
            self.suppressed += 1
            return
        evidence = {**evidence, "suppressed": float(self.suppressed)}
        name = None if client.shared else seen.client
        hashed = None if name is None else self._clients.hashed(name)
        rounded = {k: round(v, 4) for k, v in evidence.items()}
        alerts.append(Alert(kind, seen.time, hashed, seen.model, rounded, name))
