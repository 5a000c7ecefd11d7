"""Files and folders: read once and never through a link, written whole or not at all."""

import errno
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from .. import OutputExists, StorageError

Why = Literal["link", "kind", "size"]

_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


class Irregular(Exception):
    """What has a file's name is not a regular file of the size that is allowed.

    Attributes:
        name: of the entry.
        why: `link`, `kind` (a folder, a pipe, a device) or `size`.
    """

    def __init__(self, name: str, why: Why) -> None:
        super().__init__(f"{name}: {why}")
        self.name = name
        self.why = why


@dataclass(frozen=True)
class Stamp:
    """What changes when a file is replaced or written to, by what the system tells of it.

    Attributes:
        device, inode: which file it is.
        bytes: its length.
        modified, changed: times of the last change of its contents and of its entry, in nanoseconds.
    """

    device: int
    inode: int
    bytes: int
    modified: int
    changed: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Stamp":
        """The stamp in a `stat` result."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@dataclass(frozen=True)
class Digested:
    """A file that was read through and not kept. Attributes: length, SHA-256, and its stamp where it lies on a disk."""

    bytes: int
    sha256: str
    stamp: Stamp | None


class Folder:
    """A folder, held open: every file is looked up in this very folder, also when its path is given to another one.

    Args:
        path: of the folder; may be a link.

    Raises:
        OSError: not there, not a folder, no permission.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        # Where the system opens no folders (Windows), files are looked up by their path.
        held = os.open in os.supports_dir_fd and os.scandir in os.supports_fd
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) if held else None
        if self._descriptor is None and not self._path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @property
    def names(self) -> frozenset[str]:
        """Names of all entries, hidden ones too."""
        with os.scandir(self._path if self._descriptor is None else self._descriptor) as entries:
            return frozenset(entry.name for entry in entries)

    def read(self, name: str, limit: int) -> bytes:
        """Contents of a regular file of at most `limit` bytes, never through a link.

        Raises:
            Irregular: something else.
            OSError: not there, no permission.
        """
        descriptor = self._open(name)
        try:
            _regular(descriptor, name, limit)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                data = file.read(limit + 1)
        finally:
            os.close(descriptor)
        if len(data) > limit:
            raise Irregular(name, "size")
        return data

    def digest(self, name: str, limit: int) -> Digested:
        """SHA-256 of a regular file of at most `limit` bytes, block by block; raises as `read`."""
        descriptor = self._open(name)
        try:
            stamp = Stamp.of(_regular(descriptor, name, limit))
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                found = hashlib.file_digest(file, "sha256")
                length = file.tell()
        finally:
            os.close(descriptor)
        return Digested(length, found.hexdigest(), stamp)

    def stamp(self, name: str) -> Stamp:
        """The stamp of a regular file; raises as `read`."""
        descriptor = self._open(name)
        try:
            return Stamp.of(_regular(descriptor, name, None))
        finally:
            os.close(descriptor)

    def _open(self, name: str) -> int:
        try:
            if self._descriptor is None:
                return os.open(self._path / name, _READ)
            return os.open(name, _READ, dir_fd=self._descriptor)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EMLINK):
                raise Irregular(name, "link") from error
            if error.errno in (errno.EISDIR, errno.ENXIO):
                raise Irregular(name, "kind") from error
            raise


def _regular(descriptor: int, name: str, limit: int | None) -> os.stat_result:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise Irregular(name, "kind")
    if limit is not None and status.st_size > limit:
        raise Irregular(name, "size")
    return status


@contextmanager
def new_folder(target: Path, *, mode: int = 0o755, replace: bool = False) -> Iterator[Path]:
    """A folder to write into that takes the place of `target` when the block ends well, and vanishes otherwise.

    Everything goes to a temporary sibling, reaches the disk and is renamed. With `replace` an older folder is moved
    aside first and deleted last, so that at every moment one of the two is complete on disk. Files are the caller's to
    sync.

    Raises:
        OutputExists: something is at `target` that is not an empty folder, and `replace` is off.
        OSError: the system refused.
    """
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    try:
        yield staging
        staging.chmod(mode)
        sync_folder(staging)
        _swap(staging, target, replace=replace)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    sync_folder(target.parent)


def _swap(staging: Path, target: Path, *, replace: bool) -> None:
    if not replace or not target.exists():
        try:
            staging.rename(target)  # onto an empty folder: allowed, and atomic
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise OutputExists("the output path exists already", hint="choose another path") from error
            raise
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".replaced", dir=target.parent))
    try:
        target.rename(aside)
        try:
            staging.rename(target)
        except OSError:
            aside.rename(target)
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write_synced(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write a file that is not there yet, down to the disk; `mode` as for `open(2)`. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def copy_synced(path: Path, source: Path) -> None:
    """Copy a file to where there is none yet, down to the disk. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666)
    with os.fdopen(descriptor, "wb") as file, source.open("rb") as original:
        shutil.copyfileobj(original, file, 1 << 20)
        file.flush()
        os.fsync(file.fileno())


def write_whole(path: Path, content: bytes, *, mode: int = 0o600, replace: bool = False) -> None:
    """Write a file whole or not at all, down to the disk and under its own name only when it is complete.

    Raises:
        OutputExists: something is there, and `replace` is off.
        OSError: the system refused; nothing is left behind.
    """
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.chmod(temporary, mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            os.replace(temporary, path)
            sync_folder(path.parent)
            return
        _name(temporary, path)
        try:
            sync_folder(path.parent)
        except OSError:
            path.unlink(missing_ok=True)
            raise
    except FileExistsError as error:
        raise OutputExists(f"{path.name} is there already", hint="choose another path") from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def _name(temporary: str, path: Path) -> None:
    """Give a complete file its name, where nothing has it: a link, since a rename would replace what is there."""
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP):
            raise
        # No hard links here (FAT): take the name first, then fill it.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        os.replace(temporary, path)


def sync_folder(path: Path) -> None:
    """Make new and changed names in a folder durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def system_errors(what: str) -> Iterator[None]:
    """Turn what the system refuses into a StorageError: "cannot read the bundle: Permission denied"."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StorageError(f"cannot {what}: {reason}", hint="check free space, permissions and the path") from error
