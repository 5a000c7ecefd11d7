"""Secret keys: read from a file that nobody else can read, a variable or a descriptor; never written over another.

A key is never a command's argument: every user of the machine can list those.
"""

import errno
import os
import re
import stat
from pathlib import Path

from .. import KeyFileError, OutputExists, StorageError
from .notes import PublicKey, SecretKey, parse_public_key, parse_secret_key
from .process import is_secret

_LIMIT = 64 << 10
_KEY_LINE = re.compile(r"[^\s+]+\+[0-9a-f]{8}\+|PRIVATE\+KEY\+")


def read_secret(source: str | os.PathLike[str]) -> bytearray:
    """A secret from where it is kept. The caller overwrites the buffer when it is done with it: see `wipe`.

    Args:
        source: path of a key file; `env:NAME`, an environment variable; or `fd:N`, an open file descriptor, which is
            read to its end.

    Raises:
        KeyFileError: not there, empty, not a regular file, too large, or others than its owner can read it.
    """
    text = os.fspath(source)
    if is_secret(text):
        raise KeyFileError(
            "a secret key was given where its file belongs; other users of the machine may have seen it",
            hint="make a new key, and give its file, env:NAME or fd:N",
        )
    if text.startswith("env:"):
        data = bytearray(os.environ.get(text[4:], "").encode(errors="surrogateescape"))
        if not data:
            raise KeyFileError("the environment variable of the key is not set", hint="check the name after env:")
        return data
    if text.startswith("fd:"):
        return _read_descriptor(text[3:])
    return _read_file(text)


def wipe(secret: bytearray) -> None:
    """Overwrite a secret. Copies that Python made on the way, such as the text of a line, are beyond its reach."""
    secret[:] = bytes(len(secret))


def _read_descriptor(number: str) -> bytearray:
    if not number.isascii() or not number.isdecimal():
        raise KeyFileError("the key's file descriptor is not a number", hint="write it like fd:3")
    data = bytearray()
    try:
        while part := os.read(int(number), _LIMIT):
            data += part
            if len(data) > _LIMIT:
                raise KeyFileError("what the descriptor gives is too large for a key", hint="check what is behind it")
    except (OSError, OverflowError):
        raise KeyFileError(
            "the key's file descriptor cannot be read", hint="open it for the command: … 3< identity.txt"
        ) from None
    if not data:
        raise KeyFileError("the key's file descriptor gives nothing", hint="it may have been read before")
    return data


def _read_file(path: str) -> bytearray:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        linked = isinstance(error, OSError) and error.errno in (errno.ELOOP, errno.EMLINK)
        if linked:
            raise KeyFileError(
                "the key file is a link", hint="give the file itself, or fd:3 and open it for the command: … 3< FILE"
            ) from None
        raise KeyFileError("the key file cannot be read", hint="check its path and owner") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LIMIT:
            raise KeyFileError("the key file is not a file that could hold a key", hint="check its path")
        if status.st_mode & 0o077:
            raise KeyFileError("others than its owner can read the key file", hint="chmod 600 it")
        if status.st_uid not in (os.geteuid(), 0):
            raise KeyFileError("the key file belongs to another user", hint="use a key file of your own")
        data = bytearray(status.st_size)
        with os.fdopen(os.dup(descriptor), "rb", buffering=0) as file:
            return data[: file.readinto(data) or 0]
    finally:
        os.close(descriptor)


def read_secret_key(source: str | os.PathLike[str]) -> SecretKey:
    """A secret signing key from its file, `env:NAME` or `fd:N`. Raises KeyFileError."""
    data = read_secret(source)
    try:
        return parse_secret_key(_text(data))
    finally:
        wipe(data)


def read_public_key(path: str | os.PathLike[str]) -> PublicKey:
    """A public key from its file. Raises KeyFileError."""
    return parse_public_key(_text(_read_public(path)))


def read_public_keys(source: str | os.PathLike[str]) -> list[PublicKey]:
    """Public keys from a file with one a line (comments with `#`), or the one that `source` itself is.

    More than one is for the time in which a publisher changes its key. Raises KeyFileError.
    """
    text = os.fspath(source)
    lines = [text] if _KEY_LINE.match(text) else _lines(_read_public(text))
    if not lines:
        raise KeyFileError("the file holds no public key", hint="`cloister keygen DIR --role publisher` makes one")
    return [parse_public_key(line) for line in lines]


def _read_public(path: str | os.PathLike[str]) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_LIMIT)
    except (OSError, ValueError):
        raise KeyFileError("the public key file cannot be read", hint="check its path") from None


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


def _text(data: bytes | bytearray) -> str:
    lines = _lines(data)
    if len(lines) != 1:
        raise KeyFileError("the file does not hold one key", hint="a key file has one line; `cloister keygen` makes it")
    return lines[0]


def _lines(data: bytes | bytearray) -> list[str]:
    try:
        return [line for line in data.decode().splitlines() if line.strip() and not line.startswith("#")]
    except UnicodeDecodeError:
        return []
