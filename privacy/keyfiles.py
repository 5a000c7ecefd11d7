"""Secret keys on disk: read only from files that nobody else can read, written once and never over another."""

import errno
import os
import stat
from pathlib import Path

from .. import KeyFileError, OutputExists, StorageError
from .notes import PublicKey, SecretKey, parse_public_key, parse_secret_key

_LIMIT = 64 << 10


def read_secret(path: str | os.PathLike[str]) -> bytes:
    """Contents of a secret key file.

    Raises:
        KeyFileError: not there, not a regular file, too large, or others than its owner can read it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        what = "is a link" if error.errno in (errno.ELOOP, errno.EMLINK) else "cannot be read"
        raise KeyFileError(f"the key file {what}", hint="check its path and owner") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LIMIT:
            raise KeyFileError("the key file is not a file that could hold a key", hint="check its path")
        if status.st_mode & 0o077:
            raise KeyFileError("others than its owner can read the key file", hint="chmod 600 it")
        if status.st_uid not in (os.geteuid(), 0):
            raise KeyFileError("the key file belongs to another user", hint="use a key file of your own")
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return file.read(_LIMIT)
    finally:
        os.close(descriptor)


def read_secret_key(path: str | os.PathLike[str]) -> SecretKey:
    """A secret signing key from its file. Raises KeyFileError."""
    return parse_secret_key(_text(read_secret(path)))


def read_public_key(path: str | os.PathLike[str]) -> PublicKey:
    """A public key from its file. Raises KeyFileError."""
    try:
        with open(path, "rb") as file:
            data = file.read(_LIMIT)
    except OSError:
        raise KeyFileError("the public key file cannot be read", hint="check its path") from None
    return parse_public_key(_text(data))


def write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file that must not be there yet, and make it durable.

    Raises:
        OutputExists: something is there.
        StorageError: the operating system refused; nothing is left behind.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    except FileExistsError:
        raise OutputExists(
            f"{path.name} is there already; a key is never overwritten", hint="choose another folder"
        ) from None
    except OSError as error:
        raise StorageError(f"cannot write {path.name}: {error.strerror}", hint="check the folder") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise StorageError(f"cannot write {path.name}: {error.strerror}", hint="check free space") from None


def write_key_pair(secret_path: Path, public_path: Path, key: SecretKey) -> None:
    """Write a signing key (0600) and its public key (0644); neither may be there. Raises OutputExists, StorageError."""
    if public_path.exists():
        raise OutputExists(
            f"{public_path.name} is there already; a key is never overwritten", hint="choose another folder"
        )
    write_new(secret_path, f"{key.line}\n".encode(), 0o600)
    write_new(public_path, f"{key.public.line}\n".encode(), 0o644)


def _text(data: bytes) -> str:
    try:
        lines = [line for line in data.decode().splitlines() if line.strip() and not line.startswith("#")]
    except UnicodeDecodeError:
        lines = []
    if len(lines) != 1:
        raise KeyFileError("the file does not hold one key", hint="a key file has one line; `cloister keygen` makes it")
    return lines[0]
