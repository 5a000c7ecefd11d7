"""The service's audit log: what is known of a request becomes a record, and no answer leaves before it is on disk."""

import asyncio
import time
from collections import Counter, deque
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta

from .. import AuditError
from ..privacy.audit import Alert as AlertEvent
from ..privacy.audit import AuditLog, Event, Request, Summary
from ..privacy.monitoring import Alert
from .trail import Trail

SUMMARY_SECONDS = 60.0
RETENTION_SECONDS = 3600.0
_INLINE_BYTES = 256 << 10


class AuditRecords:
    """Keeps a record of every request in an audit log. Lives on one event loop.

    Args:
        log: where records go; closed with this.
        policy_digest: of the redaction policy.
        retention_days: after how many days keys of periods and records are deleted; None keeps them.
    """

    enabled = True

    def __init__(self, log: AuditLog, policy_digest: str, retention_days: int | None = None) -> None:
        self.log = log
        self._policy = policy_digest
        self._retention = None if retention_days is None else timedelta(days=retention_days)
        self._counts: Counter[str] = Counter()
        self._since = time.monotonic()
        self._timer: asyncio.TimerHandle | None = None
        self._retiring: asyncio.Task[None] | None = None
        self._durable: deque[tuple[asyncio.Future[int], Future[int]]] = deque()
        self._waking = False

    async def start(self) -> None:
        """Begin to delete what is past its time, now and every hour. Raises AuditError when that fails now."""
        if self._retention is not None:
            await self._retire(self._retention)
            self._retiring = asyncio.ensure_future(self._keep_retiring(self._retention))

    async def accepted(self, trail: Trail, request: bytes) -> int:
        """A request whose answer comes in pieces begins; returns the record's index once it is durable."""
        return await self._append(self._event(trail, request, None))

    async def finished(self, trail: Trail, request: bytes, answer: bytes) -> int:
        """A request is answered, or failed, or was left; returns the record's index once it is durable."""
        return await self._append(self._event(trail, request, answer))

    def _event(self, trail: Trail, request: bytes, answer: bytes | None) -> Request:
        known = trail.model_digest is not None  # an unknown model's name is whatever the client sent
        return Request(
            request_id=trail.request_id,
            route=trail.route,
            client=trail.client or "-",
            model=trail.model if known else None,
            model_digest=trail.model_digest,
            policy_digest=self._policy,
            entities=trail.entities,
            input_tokens=trail.input_tokens,
            output_tokens=trail.output_tokens,
            seconds=trail.seconds,
            status=trail.status,
            code=trail.code,
            decision=trail.decision,
            phase="accepted" if answer is None else "finished",
            found=trail.found,
            finish=trail.finish,
            input=request,
            output=answer or b"",
        )

    async def _append(self, event: Request) -> int:
        if len(event.input) + len(event.output) > _INLINE_BYTES:
            future = await asyncio.to_thread(self.log.submit, event)
        else:
            future = self.log.submit(event)
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[int] = loop.create_future()
        future.add_done_callback(lambda done: self._arrived(loop, waiter, done))
        return await waiter

    def _arrived(self, loop: asyncio.AbstractEventLoop, waiter: "asyncio.Future[int]", done: "Future[int]") -> None:
        """A record is durable, or failed; called in the log's thread. One wake-up of the loop serves a whole group."""
        self._durable.append((waiter, done))
        if not self._waking:
            self._waking = True
            loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._waking = False  # before the queue is emptied: what comes later wakes the loop again
        while self._durable:
            waiter, done = self._durable.popleft()
            if waiter.done():
                continue  # its client left
            error = done.exception()
            if error is None:
                waiter.set_result(done.result())
            else:
                waiter.set_exception(error)

    def record(self, event: Event) -> None:
        """Record something that no answer waits for. Raises AuditError when the log takes nothing now."""
        self.log.submit(event)

    def refused(self, code: str) -> None:
        """A request was refused before it named a model: counted for the summary record."""
        self._count(f"refused:{code}")

    def passed(self, route: str) -> None:
        """A request that leaves no record of its own was answered: counted for the summary record."""
        self._count(route)

    def alerted(self, alert: Alert) -> None:
        """The monitor raised an alert; no answer waits for its record. Raises AuditError when none can be made."""
        evidence: dict[str, float | int | str] = dict(alert.evidence)
        if alert.model is not None:
            evidence["model"] = alert.model
        self.record(AlertEvent(alert.kind, alert.title, alert.severity, alert.name, evidence))

    def _count(self, what: str) -> None:
        if not self._counts:
            self._since = time.monotonic()
            self._timer = asyncio.get_running_loop().call_later(SUMMARY_SECONDS, self._summarize)
        self._counts[what] += 1

    def _summarize(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            self.record(Summary(time.monotonic() - self._since, counts))
        except AuditError:
            # The disk refuses: what was counted goes into the summary of the next minute.
            self._counts = counts
            self._timer = asyncio.get_running_loop().call_later(SUMMARY_SECONDS, self._summarize)

    async def _keep_retiring(self, age: timedelta) -> None:
        while True:
            await asyncio.sleep(RETENTION_SECONDS)
            try:
                await self._retire(age)
            except AuditError:
                continue  # the same failure refuses every request; it is tried again in an hour

    async def _retire(self, age: timedelta) -> None:
        before = datetime.now(UTC) - age
        await asyncio.to_thread(
            self.log.retire,
            periods_before=before.date().isoformat(),
            records_before=round(before.timestamp() * 1000),
        )

    async def close(self) -> None:
        """Write what is outstanding and let go of the log. Raises AuditError."""
        if self._retiring is not None:
            self._retiring.cancel()
        self._summarize()
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.to_thread(self.log.close)
