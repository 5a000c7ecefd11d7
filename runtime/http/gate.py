"""The way of every request to its handler, and of every answer back: who asks, how much, how long, and the headers."""

import asyncio
import contextlib
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from ... import (
    AuditError,
    CloisterError,
    InvalidInput,
    MethodNotAllowed,
    RequestError,
    RequestTimeout,
    RequestTooLarge,
    Unauthorized,
    Unavailable,
    UnsupportedMediaType,
)
from ..service import Service, internal_error
from ..trail import Trail
from .auth import Keys
from .bodies import decode
from .errors import error_body, status_of
from .limits import RequestLimits
from .telemetry import Telemetry

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

JSON = b"application/json"
ANY_METHOD = "*"
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_TIMEOUT = re.compile(rb"[0-9]{1,9}")
_LINGER_BYTES = 1 << 30
_BINARY_HEADER = b"inference-header-content-length"


@dataclass(frozen=True, repr=False)
class Incoming:
    """A request that passed the gate.

    Attributes:
        path: parameters of the path.
        headers: by lower-case name; the last of several.
        raw: the body.
        trail: what is known of it.
        timeout: seconds from its start until its client gives up.
    """

    path: Mapping[str, str]
    headers: Mapping[bytes, bytes]
    raw: bytes
    trail: Trail
    timeout: float


@dataclass(frozen=True, repr=False)
class Outgoing:
    """An answer.

    Attributes:
        stream: server-sent events instead of `body`; the request has its first audit record already, `index`.
    """

    body: bytes
    content_type: bytes = JSON
    headers: Sequence[tuple[bytes, bytes]] = ()
    stream: AsyncIterator[bytes] | None = None
    index: int = -1


Handler = Callable[[Any, Incoming], Awaitable[Outgoing]]


@dataclass(frozen=True)
class Route:
    """One method of one path, and all that the documentation says of it.

    Attributes:
        handler: gets the parsed body (None where there is none) and the request.
        body: type of the body.
        raw_body: the handler parses it itself.
        answer: type of the answer's body, or a content type.
        access: who may use it.
        audited: whether each request leaves a record.
        admitted: whether it counts against the limits and is refused while draining.
        streams: may answer by server-sent events.
        errors: statuses besides 200 that its own work can end with.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    answer: type[msgspec.Struct] | str
    body: type[msgspec.Struct] | None = None
    raw_body: bool = False
    access: Literal["open", "key", "admin"] = "key"
    audited: bool = False
    admitted: bool = True
    streams: bool = False
    errors: tuple[int, ...] = ()
    tag: str = "Models"
    example: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Doors:
    """What the gate checks by.

    Attributes:
        hosts: names under which the service may be asked; empty for any.
        keys, admin_keys: clients and administrators.
        limits: requests at once and over time.
        body_bytes: largest body.
        body_seconds: longest time a body may take to arrive.
        timeout: seconds a request may take that does not say otherwise, and the most it may ask for.
    """

    hosts: frozenset[str]
    keys: Keys
    admin_keys: Keys
    limits: RequestLimits
    body_bytes: int
    body_seconds: float
    timeout: float


@dataclass
class State:
    """What changes while the service runs."""

    draining: bool = False


class Gate:
    """All methods of one path, as an ASGI application."""

    def __init__(
        self, routes: Sequence[Route], service: Service, doors: Doors, state: State, telemetry: Telemetry
    ) -> None:
        self._routes = {route.method: route for route in routes}
        self._service = service
        self._doors = doors
        self._state = state
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        request_id = given.decode() if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        route = self._routes.get(scope["method"], self._routes.get(ANY_METHOD))
        client = scope.get("client")
        trail = Trail(request_id, route.path if route else "-", client[0] if client else "-")
        answer = _Answer(send, trail, close=self._state.draining)
        try:
            if route is None:
                allowed = ", ".join(sorted(self._routes))
                answer.more.append((b"allow", allowed.encode()))
                raise MethodNotAllowed("the route has no such method", hint=f"use {allowed}")
            await self._pass(route, scope, headers, receive, answer)
        except CloisterError as error:
            await self._refuse(error, trail, headers, receive, answer)
        except Exception as error:  # noqa: BLE001 - a fault of ours is answered, and named in the log
            await self._refuse(internal_error(trail, error), trail, headers, receive, answer)
        self._telemetry.finished(trail)

    async def _pass(
        self, route: Route, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, answer: "_Answer"
    ) -> None:
        trail = answer.trail
        self._check_host(headers)
        trail.client = self._client(route, headers, trail.client)
        if not route.admitted:
            incoming = Incoming(scope.get("path_params", {}), headers, b"", trail, self._doors.timeout)
            await answer.send(await route.handler(None, incoming))
            self._service.audit.passed(route.path)
            return
        if self._state.draining:
            raise Unavailable("the service is shutting down", hint="send the request to another server")
        with self._doors.limits.admit(trail.client):
            timeout = self._timeout(headers)
            if route.audited:
                self._service.admit(timeout)
            raw = await self._body(headers, receive)
            incoming = Incoming(scope.get("path_params", {}), headers, raw, trail, timeout)
            body = _parsed(route, incoming)
            watch = asyncio.ensure_future(_leave_with(receive, asyncio.current_task()))
            try:
                if route.audited:
                    await self._recorded(route, body, incoming, answer)
                else:
                    await answer.send(await route.handler(body, incoming))
                    self._service.audit.passed(route.path)
            except asyncio.CancelledError:
                if not watch.done():
                    raise
                trail.status, trail.code = 499, "client_left"
            finally:
                watch.cancel()

    async def _recorded(self, route: Route, body: object, incoming: Incoming, answer: "_Answer") -> None:
        outgoing: list[Outgoing] = []

        async def work() -> bytes | None:
            outgoing.append(await route.handler(body, incoming))
            return None if outgoing[0].stream is not None else outgoing[0].body

        recorded = await self._service.recorded(incoming.trail, incoming.raw, work, error_body)
        if recorded is None:
            await self._streamed(incoming, outgoing[0], answer)
            return
        if recorded.index >= 0:
            answer.more.append((b"x-audit-index", str(recorded.index).encode()))
        if incoming.trail.status == 200:
            await answer.send(outgoing[0])
        else:
            self._explain(incoming.trail.status, answer)
            await answer.send(Outgoing(recorded.body))

    async def _streamed(self, incoming: Incoming, outgoing: Outgoing, answer: "_Answer") -> None:
        if outgoing.index >= 0:
            answer.more.append((b"x-audit-index", str(outgoing.index).encode()))
        assert outgoing.stream is not None  # noqa: S101 - what `recorded` gave None for
        await answer.begin(outgoing)
        await self._service.streamed(
            incoming.trail, incoming.raw, outgoing.stream, answer.part, _error_event, b"data: [DONE]\n\n"
        )
        await answer.finish()

    def _check_host(self, headers: Mapping[bytes, bytes]) -> None:
        # A page in a browser can be made to send requests to a loopback address under a name of its own
        # (DNS rebinding); such a request carries that name.
        hosts = self._doors.hosts
        if not hosts:
            return
        name = headers.get(b"host", b"").decode("latin-1").lower()
        if not name.endswith("]") and ":" in name:
            name = name.rpartition(":")[0]
        if name not in hosts:
            raise RequestError(
                "the Host header names another host",
                hint="add the name with --allowed-host, or send the request under a name that is allowed",
                code="wrong_host",
            )

    def _client(self, route: Route, headers: Mapping[bytes, bytes], address: str | None) -> str:
        authorization = headers.get(b"authorization")
        if route.access == "admin":
            if not self._doors.admin_keys:
                raise Unauthorized(
                    "no admin key is set, so nobody may do this",
                    hint="start the service with --admin-key-file",
                    code="admin_disabled",
                )
            return self._doors.admin_keys.client(authorization)
        if route.access == "key" and self._doors.keys:
            return self._doors.keys.client(authorization)
        return address or "-"

    def _timeout(self, headers: Mapping[bytes, bytes]) -> float:
        given = headers.get(b"x-request-timeout-ms")
        if given is None:
            return self._doors.timeout
        if not _TIMEOUT.fullmatch(given) or int(given) == 0:
            raise InvalidInput("X-Request-Timeout-Ms is not a positive number", hint="send whole milliseconds")
        return min(int(given) / 1000, self._doors.timeout)

    async def _body(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
        length = headers.get(b"content-length")
        if length is not None and length.isdigit() and int(length) > self._doors.body_bytes:
            raise _too_large(self._doors.body_bytes)
        message = await self._part(receive)
        if not message.get("more_body"):
            whole: bytes = message.get("body", b"")
            if len(whole) > self._doors.body_bytes:
                raise _too_large(self._doors.body_bytes)
            return whole
        parts, size = [message["body"]], len(message["body"])
        until = asyncio.get_running_loop().time() + self._doors.body_seconds
        while message.get("more_body"):
            left = until - asyncio.get_running_loop().time()
            message = await self._part(receive, left)
            size += len(message.get("body", b""))
            if size > self._doors.body_bytes:
                raise _too_large(self._doors.body_bytes)
            parts.append(message.get("body", b""))
        return b"".join(parts)

    async def _part(self, receive: Receive, seconds: float | None = None) -> MutableMapping[str, Any]:
        try:
            async with asyncio.timeout(self._doors.body_seconds if seconds is None else max(0.0, seconds)):
                message = await receive()
        except TimeoutError:
            raise RequestTimeout("the body did not arrive in time", hint="send it faster or in parts") from None
        if message["type"] == "http.disconnect":
            raise RequestTimeout("the client left while it sent the body", hint="nobody reads this", code="client_left")
        return message

    async def _refuse(
        self, error: CloisterError, trail: Trail, headers: Mapping[bytes, bytes], receive: Receive, answer: "_Answer"
    ) -> None:
        trail.fail(error, status_of(error))
        self._service.audit.refused(error.code)
        with contextlib.suppress(AuditError):  # this answer tells nothing of a text, and the next request will fail
            self._service.watched(trail)
        if answer.begun:
            return
        self._explain(trail.status, answer)
        if isinstance(error, RequestTooLarge | RequestTimeout):
            answer.close = True
        linger = isinstance(error, RequestTooLarge) and b"expect" not in headers
        await answer.send(Outgoing(error_body(error)), before_end=_Linger(receive) if linger else None)

    def _explain(self, status: int, answer: "_Answer") -> None:
        """The headers that belong to a status."""
        if status == 429:
            answer.more.append((b"retry-after", str(self._retry_after()).encode()))
        elif status == 401:
            answer.more.append((b"www-authenticate", b"Bearer"))

    def _retry_after(self) -> int:
        """Seconds until what waits now should have run; at least 1."""
        seconds = 1.0
        for _, online in self._service.models.online():
            scheduler = online.scheduler
            tokens = scheduler.waiting_tokens
            seconds = max(seconds, scheduler.cost.predict(tokens, 0) / online.workers)
        for model in self._service.models:
            seconds = max(seconds, model.engine.backlog)
        return min(60, round(seconds + 0.5))


class _Answer:
    """Sends the one answer of a request."""

    def __init__(self, send: Send, trail: Trail, *, close: bool) -> None:
        self.trail = trail
        self.more: Headers = []
        self.begun = False
        self.close = close
        self._send = send

    async def begin(self, outgoing: Outgoing) -> None:
        """Start an answer in parts."""
        self.begun = True
        headers = [*self._headers(outgoing), (b"x-accel-buffering", b"no")]
        await self._send({"type": "http.response.start", "status": self.trail.status, "headers": headers})

    async def part(self, data: bytes) -> None:
        """Send a part."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self) -> None:
        """There are no more parts."""
        await self._send({"type": "http.response.body", "body": b""})

    def _headers(self, outgoing: Outgoing) -> Headers:
        headers: Headers = [
            (b"content-type", outgoing.content_type),
            (b"x-request-id", self.trail.request_id.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"cache-control", b"no-store"),
            *outgoing.headers,
            *self.more,
        ]
        if self.close:
            headers.append((b"connection", b"close"))
        return headers

    async def send(self, outgoing: Outgoing, before_end: "_Linger | None" = None) -> None:
        """Send it; `before_end` runs when the client has all of it but the end."""
        self.begun = True
        headers = [*self._headers(outgoing), (b"content-length", str(len(outgoing.body)).encode())]
        await self._send({"type": "http.response.start", "status": self.trail.status, "headers": headers})
        if before_end is not None:
            await self._send({"type": "http.response.body", "body": outgoing.body, "more_body": True})
            await before_end.drain()
            await self._send({"type": "http.response.body", "body": b""})
        else:
            await self._send({"type": "http.response.body", "body": outgoing.body})


class _Linger:
    """Reads and forgets the rest of a body that is too large: a client that is still sending would otherwise see its
    connection reset instead of the answer."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive

    async def drain(self) -> None:
        size = 0
        try:
            async with asyncio.timeout(10):
                while size < _LINGER_BYTES:
                    message = await self._receive()
                    size += len(message.get("body", b""))
                    if not message.get("more_body"):
                        return
        except TimeoutError:
            return


def _parsed(route: Route, incoming: Incoming) -> object:
    if route.body is None:
        return None
    given = incoming.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    # Clients of the binary tensor extension send octets, or no type at all. A page in a browser can send neither
    # without asking first, because of the extension's own header.
    binary = route.raw_body and _BINARY_HEADER in incoming.headers and given in (b"", b"application/octet-stream")
    if given != JSON and not binary:
        raise UnsupportedMediaType(
            "the content type is not application/json", hint="send `Content-Type: application/json`"
        )
    return incoming.raw if route.raw_body else decode(incoming.raw, route.body)


async def _leave_with(receive: Receive, task: "asyncio.Task[Any] | None") -> None:
    """Cancel a request's task when its client goes."""
    while (await receive())["type"] != "http.disconnect":
        continue
    if task is not None:
        task.cancel()


def _error_event(error: CloisterError) -> bytes:
    return b"data: " + error_body(error) + b"\n\n"


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(f"the body is larger than {limit} bytes", hint="send fewer texts at once")
