"""Memory of this process, and admission by it."""

import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .. import Overloaded, SettingsError

_STATM = Path("/proc/self/statm")
_STATUS = Path("/proc/self/status")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_REFRESH_SECONDS = 0.05


def resident() -> int:
    """Bytes of this process that are in memory now; 0 where the system does not tell."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def peak() -> int:
    """Most bytes that this process had in memory at once so far; 0 where the system does not tell."""
    try:
        lines = _STATUS.read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    except (OSError, ValueError, IndexError, StopIteration):
        return 0


def parse_size(text: str) -> int:
    """Bytes of a size such as `800M`, `4GiB` or `1.5g`.

    Raises:
        SettingsError: not a size.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", text.strip().lower())
    if found is None:
        raise SettingsError("a size cannot be read", hint="write it like 800M or 4GiB")
    return int(float(found.group(1)) * _UNITS[found.group(2)])


class MemoryLimit:
    """Refuses new work while the process holds more than its limit.

    What was admitted always runs; so the limit should leave room for the batches that run at once.

    Args:
        limit: bytes; None for none.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self._seen = 0
        self._at = -1.0

    def admit(self) -> None:
        """Raises Overloaded while the process is over its limit."""
        if self.limit is None:
            return
        now = time.monotonic()
        if now - self._at > _REFRESH_SECONDS:
            self._seen, self._at = resident(), now
        if self._seen > self.limit:
            raise Overloaded(
                "the process is at its memory limit",
                hint="try again later, or raise --memory-limit",
                code="memory_limit",
            )

    def require(self, more: int) -> None:
        """Raises Overloaded when `more` bytes would not fit: before a model is loaded."""
        if self.limit is not None and resident() + more > self.limit:
            raise Overloaded(
                "the model does not fit under the memory limit",
                hint="unload another one first, or raise --memory-limit",
                code="memory_limit",
            )


class Reservations:
    """Bytes that are promised to work under way, so that together it stays under a limit. Safe to call from threads.

    What is held counts until it is let go, also when it is in memory by then: the sum is never too small.

    Args:
        limit: bytes that this process may hold; None for no limit.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self._held = 0
        self._lock = threading.Lock()

    def fitting(self, each: int) -> int:
        """How many pieces of work of so many bytes there is room for now."""
        if self.limit is None:
            return sys.maxsize
        return max(0, self.limit - resident() - self._held) // max(1, each)

    @contextmanager
    def hold(self, more: int) -> Iterator[None]:
        """Keep room for so many bytes.

        Raises:
            Overloaded: there is none.
        """
        with self._lock:
            if self.limit is not None and resident() + self._held + more > self.limit:
                raise Overloaded(
                    "the keys and values of this generation do not fit under the memory limit",
                    hint="ask for fewer tokens (max_tokens) or beams, try again later, or raise the limit",
                    code="memory_limit",
                )
            self._held += more
        try:
            yield
        finally:
            with self._lock:
                self._held -= more
