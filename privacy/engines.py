"""Which prefilter serves, and the compiled pattern database in the user's cache.

A database is machine code of a kind, so it is loaded only from a folder that belongs to the user and that nobody else
may enter, only when its
digest is right, and only for the patterns, library and CPU it was made for. In every other case it is made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import os
import platform
import stat
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from .. import StorageError
from .prefilter import (
    Gate,
    HyperscanPrefilter,
    Prefilter,
    RegexPrefilter,
    compile_hyperscan,
    hyperscan_prefilter,
    re2_prefilter,
)

__all__ = ["Growing", "cache_folder", "default_engine", "prepare"]


# Of the cached file: a SHA-256, then what `compile_hyperscan` returns. Another form gets another name.
_FORMAT = "2"


class Growing:
    """Serves with `regex` until the database that another thread compiles is there; the answers are the same."""

    def __init__(self, gates: Sequence[Gate]) -> None:
        self._serving: Prefilter = RegexPrefilter(gates)
        self._gates = gates
        # Not a daemon: a short command stays the two seconds it takes, and the next one starts prepared.
        self.thread = threading.Thread(target=self._grow, name="cloister-patterns", daemon=False)
        self.thread.start()

    @property
    def name(self) -> str:
        """Name of the engine that serves now."""
        return self._serving.name

    def _grow(self) -> None:
        serialized = compile_hyperscan(self._gates)
        with contextlib.suppress(
            StorageError
        ):  # a read-only home: this process has its database, the next compiles again
            _store(_path(self._gates), serialized)
        self._serving = hyperscan_prefilter(serialized, self._gates)

    def fired(self, text: str) -> list[int]:
        """See `Prefilter`."""
        return self._serving.fired(text)

    def any_fired(self, text: str) -> bool:
        """See `Prefilter`."""
        return self._serving.any_fired(text)


def default_engine(gates: Sequence[Gate]) -> Prefilter:
    """The fastest engine that is installed: Hyperscan, RE2, else `regex`."""
    if importlib.util.find_spec("hyperscan") is not None:
        return _cached(gates) or Growing(gates)
    if importlib.util.find_spec("re2") is not None:
        return re2_prefilter(gates)
    return RegexPrefilter(gates)


def prepare(gates: Sequence[Gate]) -> Path | None:
    """Compile the database into the cache unless it is there; its path, or None where no Hyperscan is installed.

    Raises:
        StorageError: the cache cannot be written.
    """
    if importlib.util.find_spec("hyperscan") is None:
        return None
    path = _path(gates)
    if _cached(gates) is None:
        _store(path, compile_hyperscan(gates))
    return path


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/cloister`, by default `~/.cache/cloister`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "cloister"


def _path(gates: Sequence[Gate]) -> Path:
    library = importlib.import_module("hyperscan")
    parts = [_FORMAT, library.__version__, platform.machine(), _processor()]
    parts += [f"{gate.cased}{gate.loose}{gate.expression}" for gate in gates]
    return cache_folder() / f"patterns-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:32]}.hsdb"


def _processor() -> str:
    """What the processor can do, where the system says so."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _cached(gates: Sequence[Gate]) -> HyperscanPrefilter | None:
    """Prefilter from the cache; None when there is none, or anything about it is not as it must be."""
    path = _path(gates)
    library = importlib.import_module("hyperscan")
    try:
        if not _private(path.parent.stat(), 0o077):
            return None
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(descriptor, "rb") as stream:
            if not _private(os.fstat(stream.fileno()), 0o022):
                return None
            content = stream.read()
    except OSError:
        return None
    digest, body = content[:32], content[32:]
    if not body or hashlib.sha256(body).digest() != digest:
        return None
    try:
        return hyperscan_prefilter(body, gates)
    except (library.HyperscanError, ValueError):
        return None


def _private(status: os.stat_result, others: int) -> bool:
    """Whether it is ours and gives others none of the permissions `others`."""
    own = not hasattr(os, "getuid") or status.st_uid == os.getuid()
    return own and not stat.S_IMODE(status.st_mode) & others


def _store(path: Path, serialized: bytes) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        descriptor, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(hashlib.sha256(serialized).digest() + serialized)
        os.replace(name, path)
    except OSError as error:
        raise StorageError(
            "The pattern database cannot be written to the cache.",
            hint=f"Make {path.parent} a folder of your own, or set XDG_CACHE_HOME; {error.strerror}.",
        ) from error
