"""The lowest versions that a device still opens: a file beside its identity, read by every load, raised on request."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec

from .. import SealError, StorageError
from .storage import Folder, Irregular, system_errors, write_whole

_LIMIT = 1 << 20
_FORMAT_VERSION = 1

Version = Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)]


class _Minimum(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Contents of the file: bundle id -> lowest version."""

    format_version: int
    versions: dict[str, Version]


def stored_minimum(path: Path, bundle_id: str) -> int:
    """The lowest version of a bundle that may be opened; 0 where nothing was ever stored.

    Raises:
        SealError: the file is there and cannot be relied on: damaged, a link, or others can write it.
        StorageError: the operating system refused.
    """
    return _read(path).get(bundle_id, 0)


def raise_minimum(path: Path, bundle_id: str, version: int) -> int:
    """Raise the lowest version of a bundle; it never falls. Returns what holds from now on.

    The file is replaced in one step, under a lock that all who raise it take.

    Raises:
        SealError: the file that is there cannot be relied on.
        StorageError: the operating system refused; the file is as it was.
    """
    with system_errors("store the minimum"), _locked(path.parent):
        versions = _read(path)
        lowest = max(version, versions.get(bundle_id, 0))
        if versions.get(bundle_id) != lowest:
            data = msgspec.json.encode(_Minimum(_FORMAT_VERSION, versions | {bundle_id: lowest}))
            write_whole(path, msgspec.json.format(data, indent=2) + b"\n", mode=0o600, replace=True)
    return lowest


def _read(path: Path) -> dict[str, int]:
    try:
        with Folder(path.parent) as folder:
            data = folder.read(path.name, _LIMIT)
            status = path.lstat()
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or status.st_uid not in (os.geteuid(), 0):
            raise _unreliable("others can write the stored minimum of versions", f"chmod 600 {path.name}")
        found = msgspec.json.decode(data, type=_Minimum)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StorageError(
            f"cannot read the stored minimum of versions: {error.strerror}", hint="check its permissions"
        ) from None
    except (Irregular, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _unreliable("the stored minimum of versions is damaged", _AGAIN) from None
    if found.format_version != _FORMAT_VERSION:
        raise _unreliable("the stored minimum of versions is of a newer format", "pip install --upgrade cloister")
    return found.versions


_AGAIN = "restore it, or remove it and store it again with `cloister verify … --remember`"


def _unreliable(what: str, hint: str) -> SealError:
    return SealError(what, hint=hint, code="seal_minimum_invalid")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows: the last of two at the same moment wins
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
