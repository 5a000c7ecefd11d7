"""Alerts to an HTTP endpoint: a bounded queue and a thread of its own, so that no request ever waits for it."""

import contextlib
import http.client
import ipaddress
import queue
import ssl
import threading
from collections.abc import Callable
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from .. import SettingsError
from ..privacy.monitoring import Alert

_WAITING = 256
_SECONDS = 5.0
_PAUSES = (1.0, 5.0)

Result = Literal["sent", "failed", "dropped"]


class Webhook:
    """Posts each alert as a JSON object. Redirects are not followed, proxies not used.

    Args:
        url: `https://…`, or `http://` to a loopback address.
        count: told what became of each alert.

    Raises:
        SettingsError: another URL.
    """

    def __init__(self, url: str, count: Callable[[Result], None]) -> None:
        self._secure, self._host, self._port, self._path = _parts(url)
        self._count = count
        self._queue: queue.Queue[Alert] = queue.Queue(_WAITING)
        self._closing = threading.Event()
        # A daemon: an endpoint that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="cloister-webhook", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return "<Webhook>"  # the path of a URL is often its secret

    def send(self, alert: Alert) -> None:
        """Queue an alert; it is dropped, and counted, where too many wait."""
        try:
            self._queue.put_nowait(alert)
        except queue.Full:
            self._count("dropped")

    def close(self, timeout: float = _SECONDS) -> None:
        """Try once more what waits, for at most `timeout` seconds."""
        self._closing.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            try:
                alert = self._queue.get(timeout=0.2)
            except queue.Empty:
                if self._closing.is_set():
                    return
                continue
            self._count("sent" if self._delivered(alert) else "failed")

    def _delivered(self, alert: Alert) -> bool:
        body = msgspec.json.encode(alert.fields())
        for pause in (*_PAUSES, 0.0):
            status = self._post(body)
            if 200 <= status < 300:
                return True
            if 300 <= status < 500 and status != 429:
                return False  # asking again gets the same answer
            if self._closing.wait(pause):
                return False
        return False

    def _post(self, body: bytes) -> int:
        """Status of one attempt, 0 where there was none."""
        connection = (
            http.client.HTTPSConnection(self._host, self._port, timeout=_SECONDS, context=ssl.create_default_context())
            if self._secure
            else http.client.HTTPConnection(self._host, self._port, timeout=_SECONDS)
        )
        with contextlib.closing(connection):
            try:
                connection.request("POST", self._path, body, {"Content-Type": "application/json"})
                return connection.getresponse().status
            except (OSError, http.client.HTTPException):
                return 0


def _parts(url: str) -> tuple[bool, str, int, str]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _wrong("is not a URL") from None
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or not url.isascii() or not url.isprintable() or " " in url:
        raise _wrong("is not a URL of http or https")
    if parts.username is not None or parts.password is not None:
        raise _wrong("has a name or password in it")
    if parts.scheme == "http" and not _loopback(host):
        raise _wrong("would send alerts unencrypted over a network")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    secure = parts.scheme == "https"
    return secure, host, port or (443 if secure else 80), path


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _wrong(what: str) -> SettingsError:
    return SettingsError(f"the alert webhook {what}", hint="use https://…, or http:// to 127.0.0.1, ::1 or localhost")
