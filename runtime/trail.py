"""What is known of one request while it goes through the service: for its audit record, its metrics and its trace."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, Protocol

from .. import CloisterError
from ..privacy.monitoring import Alert, Outcome, Signals

Decision = Literal["allowed", "refused", "failed", "abandoned"]


@dataclass(repr=False)
class Trail:
    """No content: names, counts and times. One per request; used by one coroutine at a time.

    Attributes:
        request_id: as in the `X-Request-Id` header.
        route: the route's template, as in the documentation.
        client: name of the API key, or the address where there are none; the audit log keeps a keyed hash.
        model, model_digest: which bundle answered, as far as it was known.
        entities: how many values of each entity were redacted.
        input_tokens, output_tokens: tokens read and written by the model.
        found: values that a model wrote and that were not in the request, by entity.
        finish: why an answer in words ended.
        pieces: in which a model wrote.
        first_piece: seconds from the request until the first one, None before it.
        stages: seconds spent in each stage.
        inputs: texts in it.
        signals: what the monitor may know of its texts.
        outcomes: labels and scores of the same texts.
        watched: the monitor has seen it.
    """

    request_id: str
    route: str
    client: str | None = None
    started: float = field(default_factory=time.perf_counter)
    time: float = field(default_factory=time.time)
    model: str | None = None
    model_digest: str | None = None
    entities: Counter[str] = field(default_factory=Counter)
    input_tokens: int = 0
    output_tokens: int = 0
    found: Counter[str] = field(default_factory=Counter)
    finish: str = ""
    pieces: int = 0
    first_piece: float | None = None
    stages: dict[str, float] = field(default_factory=dict)
    inputs: int = 0
    signals: Signals | None = None
    outcomes: tuple[Outcome, ...] = ()
    watched: bool = False
    decision: Decision = "allowed"
    status: int = 200
    code: str | None = None

    def __repr__(self) -> str:
        return f"<Trail {self.request_id} {self.route}>"

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of a block to a stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.stages[name] = self.stages.get(name, 0.0) + time.perf_counter() - started

    @property
    def seconds(self) -> float:
        """Since the request came."""
        return time.perf_counter() - self.started

    def fail(self, error: CloisterError, status: int) -> None:
        """The request ends with an error."""
        self.status = status
        self.code = error.code
        self.decision = "refused" if status < 500 else "failed"


class Audit(Protocol):
    """Keeps a record of requests. When it raises, no answer leaves.

    Attributes:
        enabled: whether records are kept at all.
    """

    enabled: bool

    async def accepted(self, trail: Trail, request: bytes) -> int:
        """A request whose answer comes in pieces begins; returns the record's index once it is durable."""
        ...

    async def finished(self, trail: Trail, request: bytes, answer: bytes) -> int:
        """A request is answered, or failed, or was left; returns the record's index once it is durable."""
        ...

    def refused(self, code: str) -> None:
        """A request was refused before it named a model: counted for the summary record."""
        ...

    def alerted(self, alert: Alert) -> None:
        """The monitor raised an alert; no answer waits for its record. Raises AuditError when none can be made."""
        ...

    def passed(self, route: str) -> None:
        """A request that leaves no record of its own was answered: counted for the summary record."""
        ...

    async def start(self) -> None:
        """Begin what goes on beside requests."""
        ...

    async def close(self) -> None:
        """Write what is outstanding."""
        ...


class NoAudit:
    """Keeps nothing: a service without `--audit`."""

    enabled = False

    async def accepted(self, trail: Trail, request: bytes) -> int:
        """Nothing."""
        return -1

    async def finished(self, trail: Trail, request: bytes, answer: bytes) -> int:
        """Nothing."""
        return -1

    def refused(self, code: str) -> None:
        """Nothing."""

    def alerted(self, alert: Alert) -> None:
        """Nothing."""

    def passed(self, route: str) -> None:
        """Nothing."""

    async def start(self) -> None:
        """Nothing."""

    async def close(self) -> None:
        """Nothing."""
