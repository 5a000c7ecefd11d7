"""Keys that make digests of contents meaningless to everyone else: one per period, and from it one per record.

    record key = HKDF-SHA256(period key, info = "cloister audit record" + index as 8 bytes)     RFC 5869
    client key = HKDF-SHA256(period key, info = "cloister audit client")

Equal texts have different digests since every record has a key of its own. Whoever is given one record's key can check
that record's digests and no others. When a period's key is deleted, all its digests mean nothing to anyone.
"""

import hmac
import os
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, date, datetime

from ... import AuditLogError
from . import paths
from .storage import Storage

KEY_BYTES = 32
_DAY = 86_400_000
_CLIENTS = 4096
_RECORD = b"cloister audit record"
_CLIENT = b"cloister audit client"


def period_of(milliseconds: int) -> str:
    """The period a time falls into: its UTC date, such as `2026-01-31`."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date().isoformat()


def is_period(name: str) -> bool:
    """Whether a name is a period's."""
    try:
        return date.fromisoformat(name).isoformat() == name
    except ValueError:
        return False


def derive(key: bytes, info: bytes) -> bytes:
    """HKDF-SHA256 (RFC 5869) without salt, 32 bytes."""
    extracted = hmac.digest(bytes(32), key, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def record_key(period_key: bytes, index: int) -> bytes:
    """The key of the record with an index."""
    return derive(period_key, _RECORD + index.to_bytes(8))


class Digests:
    """Keyed digests within one period; made once for many records."""

    def __init__(self, period: str, key: bytes) -> None:
        self.period = period
        self._extracted = hmac.digest(bytes(32), key, "sha256")
        self._client_key = derive(key, _CLIENT)
        self._clients: dict[str, str] = {}  # the hashes of those who asked last

    def of_record(self, index: int, *contents: bytes) -> list[str]:
        """HMAC-SHA256 of contents under the record's key, in base64."""
        key = hmac.digest(self._extracted, _RECORD + index.to_bytes(8) + b"\x01", "sha256")
        return [b64encode(hmac.digest(key, content, "sha256")).decode() for content in contents]

    def of_client(self, name: str) -> str:
        """What stands for a client within the period: equal for equal names, meaningless without the key."""
        found = self._clients.get(name)
        if found is None:
            if len(self._clients) >= _CLIENTS:
                self._clients.clear()
            found = self._clients[name] = hmac.digest(self._client_key, name.encode(), "sha256").hex()[:16]
        return found


class PeriodKeys:
    """The keys of a log's periods on disk, one file each.

    Args:
        storage: the log's folder.
        fresh: makes a key; random unless given.
    """

    def __init__(self, storage: Storage, fresh: Callable[[], bytes] = lambda: os.urandom(KEY_BYTES)) -> None:
        self._storage = storage
        self._fresh = fresh
        self._current: Digests | None = None
        self._day = -1

    def digests(self, milliseconds: int) -> Digests:
        """Digests of the period of a time; its key is made, durably, when it is the first use.

        Raises:
            OSError: the key cannot be written or read.
            AuditLogError: the key file is damaged.
        """
        day = milliseconds // _DAY
        if self._current is None or self._day != day:
            period = period_of(milliseconds)
            self._current = Digests(period, self.read(period) or self._make(period))
            self._day = day
        return self._current

    def read(self, period: str) -> bytes | None:
        """The key of a period; None where it was never made or is deleted. Raises OSError, AuditLogError."""
        data = self._storage.read(paths.period_key(period))
        if data is None:
            return None
        try:
            key = bytes.fromhex(data.decode().strip())
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise AuditLogError("the key of a period is damaged", hint="restore periods/ from a backup")
        return key

    def _make(self, period: str) -> bytes:
        key = self._fresh()
        path = paths.period_key(period)
        self._storage.write(paths.NEW_PERIOD_KEY, key.hex().encode() + b"\n", 0o600)
        self._storage.sync(paths.NEW_PERIOD_KEY)
        self._storage.rename(paths.NEW_PERIOD_KEY, path)
        self._storage.sync_folder(paths.PERIODS)
        return key

    def delete(self, periods: list[str]) -> None:
        """Delete the keys of periods, durably. Raises OSError."""
        for period in periods:
            self._storage.remove(paths.period_key(period))
            if self._current is not None and self._current.period == period:
                self._current = None
        if periods:
            self._storage.sync_folder(paths.PERIODS)

    def periods(self) -> list[str]:
        """Periods whose key is there, oldest first."""
        names = [name.removesuffix(".key") for name in self._storage.names(paths.PERIODS) if name.endswith(".key")]
        return sorted(filter(is_period, names))
