"""Sealed bundles and files: encrypted to devices (age), signed by a publisher (Ed25519), opened in memory only.

SEAL.md is the normative description of the format.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from .. import InvalidInput, KeyFileError, OutputExists, SealError, StorageError
from .age import Recipients
from .keyfiles import read_public_keys
from .minimum import raise_minimum, stored_minimum
from .notes import SecretKey
from .process import forbid_core_dumps
from .sealed import Contents, Opened, Sealed
from .sealfile import (
    MOST_FILES,
    SEAL,
    SIGNATURE,
    Entry,
    Index,
    Kind,
    Part,
    Seal,
    decode_index,
    decode_seal,
    encode_index,
    encode_seal,
    part_name,
)
from .storage import new_folder, system_errors, write_synced, write_whole
from .unseal import Unseal

__all__ = [
    "DEFAULT_ID",
    "Contents",
    "Demand",
    "Label",
    "Opened",
    "Verified",
    "open_sealed",
    "read_file",
    "seal",
    "verify",
    "write_opened",
]


DEFAULT_ID = "default"
"""Id where none is given: all such bundles of a publisher share one sequence of versions."""


@dataclass(frozen=True)
class Label:
    """What is known of a seal from outside.

    Attributes:
        bundle_id: what this is a version of; versions are compared within one id.
        version: at least 1, rising.
    """

    version: int
    bundle_id: str = DEFAULT_ID


def seal(
    out: str | os.PathLike[str],
    contents: Contents,
    label: Label,
    *,
    recipients: Recipients,
    signers: Sequence[SecretKey],
) -> Seal:
    """Encrypt, sign and write a folder, whole or not at all.

    Args:
        out: folder to make; nothing may be there.
        contents: what is sealed; it is not looked into.
        label: id and version, which stay readable.
        recipients: who can open it.
        signers: keys that sign it; two while a publisher changes from one to the other.

    Raises:
        InvalidInput: an id or version that no seal may have, or too many files.
        OutputExists: something is there.
        StorageError: the operating system refused; nothing is left behind.
    """
    target = Path(os.path.abspath(out))
    _require_free(target)
    if not 0 < len(contents.files) < MOST_FILES or not signers:
        raise InvalidInput("nothing or too much to seal", hint=f"between one and {MOST_FILES - 1} files")
    plain = [_index(contents), *contents.files.values()]
    with system_errors("write the sealed bundle"), new_folder(target) as staging:
        parts = [_encrypted(staging / part_name(i), data, recipients) for i, data in enumerate(plain)]
        made = Seal.of(label.bundle_id, label.version, parts)
        text = encode_seal(made)
        decode_index(plain[0], decode_seal(text))  # what we would refuse to read we do not write
        write_synced(staging / SEAL, text)
        write_synced(staging / SIGNATURE, text + b"\n" + b"".join(key.signature_line(text) for key in signers))
    return made


def _index(contents: Contents) -> bytes:
    try:
        return encode_index(Index(contents.kind, [Entry(name, len(data)) for name, data in contents.files.items()]))
    except UnicodeEncodeError:
        raise InvalidInput("the file's name is not valid Unicode", hint="rename it before you seal it") from None


def _encrypted(path: Path, data: bytes, recipients: Recipients) -> Part:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    with os.fdopen(descriptor, "wb") as file:
        hashing = _Hashing(file)
        try:
            recipients.encrypt(BytesIO(data), hashing)
        except SealError:
            if hashing.failure is None:
                raise
            raise hashing.failure from None  # age says no more than that it could not write
        file.flush()
        os.fsync(file.fileno())
    return Part(path.name, hashing.size, hashing.sha256.hexdigest())


class _Hashing:
    """A stream that counts and hashes what goes through."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self.sha256 = hashlib.sha256()
        self.size = 0
        self.failure: OSError | None = None

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        self.size += len(data)
        try:
            return self._target.write(data)
        except OSError as error:
            self.failure = error
            raise

    def flush(self) -> None:
        self._target.flush()


@dataclass(frozen=True)
class Demand:
    """What a sealed folder must be; see `Unseal`."""

    public_key: str | os.PathLike[str]
    min_version: int = 0
    bundle_id: str | None = None


@dataclass(frozen=True)
class Verified:
    """What `verify` found.

    Attributes:
        seal: id, version and files.
        signed_by: names of the given keys that signed it.
        minimum: lowest version that the identity opens; None without one that is a file.
    """

    seal: Seal
    signed_by: tuple[str, ...]
    minimum: int | None


def verify(
    path: str | os.PathLike[str],
    demand: Demand,
    *,
    identity: str | os.PathLike[str] | None = None,
    remember: bool = False,
) -> Verified:
    """Verify a sealed folder: its signature, every file, its version.

    Args:
        path: the folder.
        demand: key, lowest version and id.
        identity: also open every file with it, and keep to its stored minimum.
        remember: raise that minimum to this version, after all else held.

    Raises:
        SealError, SignatureInvalid, KeyFileError, StorageError: it does not verify, or cannot be opened or remembered.
    """
    if identity is None:
        keys = read_public_keys(demand.public_key)
        with (
            system_errors("read the sealed bundle"),
            Sealed(path, keys, min_version=demand.min_version, bundle_id=demand.bundle_id) as sealed,
        ):
            sealed.verify_files()
            return Verified(sealed.seal, tuple(key.name for key in sealed.signers), None)
    unseal = Unseal(identity, demand.public_key, demand.min_version, demand.bundle_id)
    file = unseal.minimum_file
    if remember and file is None:
        raise KeyFileError(
            "a version is remembered beside the identity, and this identity is not a file",
            hint="--identity FILE, or pass --min-version with every load",
        )
    with open_sealed(path, unseal) as opened:
        opened.verify_files()
    minimum = None if file is None else stored_minimum(file, opened.seal.id)
    if remember and file is not None:
        minimum = raise_minimum(file, opened.seal.id, opened.seal.version)
    return Verified(opened.seal, opened.signed_by, minimum)


def open_sealed(path: str | os.PathLike[str], unseal: Unseal, kind: Kind | None = None) -> Opened:
    """Verify a sealed folder and open it in memory. From here on this process writes no core dumps.

    Raises:
        SealError, SignatureInvalid, KeyFileError, StorageError: as `Sealed` and `Opened`.
    """
    keys = read_public_keys(unseal.public_key)
    with system_errors("read the sealed bundle"):
        sealed = Sealed(path, keys, min_version=unseal.min_version, bundle_id=unseal.bundle_id)
        try:
            if unseal.minimum_file is not None:
                sealed.accept(min_version=stored_minimum(unseal.minimum_file, sealed.seal.id))
            forbid_core_dumps()
            return Opened(sealed, unseal.identities(), kind)
        except BaseException:
            sealed.close()
            raise


def read_file(path: str | os.PathLike[str]) -> Contents:
    """A single file to be sealed. Raises StorageError."""
    file = Path(path)
    with system_errors("read the file to seal"):
        return Contents("file", {file.name: file.read_bytes()})


def write_opened(out: str | os.PathLike[str], opened: Opened) -> None:
    """Write what was sealed in the clear, whole or not at all: a folder (0700), or a file (0600).

    Raises:
        OutputExists: something is there.
        SealError, StorageError: nothing is left behind.
    """
    target = Path(os.path.abspath(out))
    _require_free(target)
    contents = opened.everything()
    with system_errors("write what was sealed"):
        if contents.kind == "file":
            (data,) = contents.files.values()
            write_whole(target, data, mode=0o600)
            return
        with new_folder(target, mode=0o700) as staging:
            for name, data in contents.files.items():
                write_synced(staging / name, data, mode=0o600)


def _require_free(target: Path) -> None:
    if not target.parent.is_dir():
        raise StorageError("the folder to write into does not exist", hint=f"mkdir -p {target.parent}")
    if os.path.lexists(target):
        raise OutputExists("the output path exists already", hint="choose another path, or remove what is there")
