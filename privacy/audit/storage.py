"""The few operations on files that the log is made of, so that a test can record and replay them.

Nothing is durable until `sync` (contents) and `sync_folder` (names) returned. Paths are relative to the log's folder.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol


class Appender(Protocol):
    """A file that only grows."""

    def write(self, data: bytes) -> None:
        """Append all of it. Raises OSError; part of it may be there then."""
        ...

    def sync(self) -> None:
        """Return when everything written is durable. Raises OSError."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class Storage(Protocol):
    """A folder of the log. Every operation may raise OSError."""

    def read(self, path: str) -> bytes | None:
        """Contents of a file, None where there is none."""
        ...

    def write(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Make or replace a file."""
        ...

    def sync(self, path: str) -> None:
        """Return when a file's contents are durable."""
        ...

    def sync_folder(self, path: str) -> None:
        """Return when the names in a folder are durable; the empty string is the log's own folder."""
        ...

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, in one step, over any other of that name."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file if it is there."""
        ...

    def make_folder(self, path: str) -> bool:
        """Make a folder; whether it was not there."""
        ...

    def names(self, path: str) -> list[str]:
        """Names in a folder, sorted; none where there is no folder."""
        ...

    def append(self, path: str) -> Appender:
        """Open a file to append to, made if it is not there."""
        ...

    def remove_folder(self, path: str) -> None:
        """Remove a folder if it is there and empty."""
        ...


class Disk:
    """A folder on disk."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, path: str) -> bytes | None:
        """See `Storage`."""
        try:
            return (self._root / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """See `Storage`."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(self._root / path, flags, mode), "wb") as file:
            file.write(data)

    def sync(self, path: str) -> None:
        """See `Storage`."""
        self._sync(self._root / path, os.O_RDONLY)

    def sync_folder(self, path: str) -> None:
        """See `Storage`."""
        self._sync(self._root / path, os.O_RDONLY | os.O_DIRECTORY)

    def _sync(self, path: Path, flags: int) -> None:
        descriptor = os.open(path, flags | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, old: str, new: str) -> None:
        """See `Storage`."""
        (self._root / old).replace(self._root / new)

    def remove(self, path: str) -> None:
        """See `Storage`."""
        (self._root / path).unlink(missing_ok=True)

    def make_folder(self, path: str) -> bool:
        """See `Storage`."""
        try:
            (self._root / path).mkdir()
        except FileExistsError:
            return False
        return True

    def names(self, path: str) -> list[str]:
        """See `Storage`."""
        try:
            return sorted(entry.name for entry in os.scandir(self._root / path))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def append(self, path: str) -> Appender:
        """See `Storage`."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        return _DiskAppender(os.open(self._root / path, flags, 0o644))

    def remove_folder(self, path: str) -> None:
        """See `Storage`."""
        with suppress(OSError):
            (self._root / path).rmdir()


class _DiskAppender:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def sync(self) -> None:
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)
