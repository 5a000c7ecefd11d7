"""uvicorn around the application: sockets, slow clients, signals."""

import asyncio
import gc
import logging
import sys
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ... import SettingsError
from ..settings import Settings
from .application import Application, build
from .telemetry import log_to_stderr

HEADER_BYTES = 32 << 10
HEADER_SECONDS = 10.0
_LINGER_SECONDS = 1.0
_SWITCH_SECONDS = 0.0005
"""How long the event loop may keep Python's lock from a worker whose batch is done; Python's own 5 ms would be most
of a short text's latency."""

_log = logging.getLogger("cloister.server")


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1 with a bound on how large headers are and how long they may take: uvicorn itself has neither."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._header_bytes = 0
        self._in_headers = True
        self._header_timer: asyncio.TimerHandle | None = None
        self._rejected = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected: its first request must begin soon."""
        super().connection_made(transport)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """A client left."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._rejected:
            return
        if self._in_headers:
            self._header_bytes += len(data)
            if self._header_timer is None:
                self._await_headers()
        super().data_received(data)
        if self._in_headers and self._header_bytes > HEADER_BYTES and not self.transport.is_closing():
            self._reject(431, "Request Header Fields Too Large", "headers_too_large")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_headers = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """All headers of a request are there."""
        self._stop_timer()
        self._in_headers = False
        self._header_bytes = 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request is there; another may follow on the connection."""
        super().on_message_complete()
        self._in_headers = True

    def _await_headers(self) -> None:
        self._header_timer = self.loop.call_later(HEADER_SECONDS, self._too_slow)

    def _stop_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _too_slow(self) -> None:
        if not self.transport.is_closing() and not self._rejected:
            self._reject(408, "Request Timeout", "request_timeout")

    def _reject(self, status: int, reason: str, code: str) -> None:
        body = (
            f'{{"error":{{"code":"{code}","message":"the request\'s headers are too large or too slow",'
            f'"hint":"send fewer headers, sooner"}}}}'
        ).encode()
        head = (
            f"HTTP/1.1 {status} {reason}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            "connection: close\r\n\r\n"
        ).encode()
        self._rejected = True
        self.transport.write(head + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        # Closed at once with bytes unread, the connection would be reset and the client would not see the answer.
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)


class _Server(uvicorn.Server):
    """On a signal: refuse new work with 503, finish what was accepted, then stop. A second signal stops at once."""

    def __init__(self, config: uvicorn.Config, application: Application) -> None:
        super().__init__(config)
        self._application = application
        self._drain: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal came."""
        if self._application.state.draining or self._loop is None:
            self.should_exit = self.force_exit = True
            return
        self._application.state.draining = True
        self._loop.call_soon_threadsafe(self._start_draining)

    def _start_draining(self) -> None:
        self._drain = asyncio.ensure_future(self._finish())

    async def _finish(self) -> None:
        _log.warning("draining")
        until = asyncio.get_running_loop().time() + self._application.settings.drain
        while self._application.limits.active and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.02)
        self.should_exit = True

    async def startup(self, sockets: Any = None) -> None:
        """Load the models, then listen: whoever can connect is answered."""
        self._loop = asyncio.get_running_loop()
        await self._application.start()
        await super().startup(sockets)
        if self.started:
            gc.freeze()  # what is loaded now stays: a full collection need not walk it, and no request waits for that
            _announce(self._application, self._port())

    def _port(self) -> int:
        for server in self.servers:
            for sock in server.sockets:
                return int(sock.getsockname()[1])
        return self.config.port


def run(settings: Settings) -> None:
    """Serve until a signal comes.

    Raises:
        SettingsError: settings contradict each other, or the address cannot be bound.
        BundleError, ProviderError, PolicyError, MissingExtra: a model or the policy cannot be used.
    """
    application = build(settings)
    log_to_stderr(settings.log_level)
    config = uvicorn.Config(
        application,
        host=settings.host,
        port=settings.port,
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, int(settings.drain)),
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        backlog=2048,
    )
    sys.setswitchinterval(_SWITCH_SECONDS)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_serve(_Server(config, application), application))


async def _serve(server: _Server, application: Application) -> None:
    try:
        await server.serve()
    except SystemExit as error:
        # uvicorn logs a failed bind and exits; ours is to say it like every other command.
        raise SettingsError(
            "the address cannot be bound", hint="another program may use the port: choose another with --port"
        ) from error
    finally:
        await application.stop()


def _announce(application: Application, port: int) -> None:
    settings = application.settings
    scheme = "https" if settings.tls_certificate else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    names = ", ".join(model.name for model in application.service.models) or "no model yet"
    guard = application.service.guard
    redaction = "redaction off" if guard.name == "off" else f"redaction by policy {guard.name}"
    if guard.notice:
        redaction += f" ({guard.notice})"
    audit = "audit on" if application.service.audit.enabled else "no audit"
    sys.stderr.write(f"cloister: {scheme}://{host}:{port} serves {names}; {redaction}; {audit}\n")
    sys.stderr.flush()
