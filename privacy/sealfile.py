"""The two JSON documents of a seal: `seal.json`, which is signed and readable, and the index, which is encrypted."""

import re
from typing import Annotated, Literal

import msgspec

from .. import InvalidInput, SealError

FORMAT: Literal["cloister-seal"] = "cloister-seal"
FORMAT_VERSION = 1
SEAL, SIGNATURE = "seal.json", "seal.sig"
MOST_FILES = 1000
INDEX = 0
"""Number of the encrypted file that holds the index."""

Kind = Literal["bundle", "file"]
Count = Annotated[int, msgspec.Meta(ge=0)]
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]

_HIGHEST = 2**53 - 1
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fields nobody knows are refused."""


class Part(_Strict, frozen=True):
    """One encrypted file: name `NNN.age`, size and SHA-256 of its encrypted bytes."""

    name: str
    bytes: Count
    sha256: Digest


class Seal(_Strict, frozen=True):
    """What is known of a seal from outside; SEAL.md says the same in prose."""

    format: Literal["cloister-seal"]
    format_version: int
    id: str
    version: int
    files: list[Part]

    @classmethod
    def of(cls, bundle_id: str, version: int, files: list[Part]) -> "Seal":
        """A seal of this format. Raises InvalidInput for an id or a version that none may have."""
        if not _ID.match(bundle_id):
            raise InvalidInput("the id is empty or has other characters than letters, digits and .-_", hint="--id NAME")
        if not 1 <= version <= _HIGHEST:
            raise InvalidInput("the version is not a whole number from 1 on", hint="--version 1")
        return cls(FORMAT, FORMAT_VERSION, bundle_id, version, files)

    @property
    def size(self) -> int:
        """Bytes of all encrypted files."""
        return sum(part.bytes for part in self.files)


class Entry(_Strict, frozen=True):
    """One file inside."""

    name: str
    bytes: Count


class Index(_Strict, frozen=True):
    """What is inside, in the order of the encrypted files after the first."""

    kind: Kind
    files: list[Entry]


class _Version(msgspec.Struct):
    format: str
    format_version: int


def part_name(number: int) -> str:
    """Name of an encrypted file."""
    return f"{number:03d}.age"


def encode_seal(seal: Seal) -> bytes:
    """The bytes of `seal.json`, which are signed. They are ASCII and have no empty line, as a note's text wants."""
    return msgspec.json.format(msgspec.json.encode(seal), indent=2) + b"\n"


def decode_seal(data: bytes) -> Seal:
    """Parse and validate `seal.json`, after its signature was verified.

    Raises:
        SealError: not a seal, a newer format, or parts that contradict each other.
    """
    try:
        found = msgspec.json.decode(data, type=_Version)
        if found.format == FORMAT and found.format_version != FORMAT_VERSION:
            raise SealError(
                f"the seal has format version {found.format_version}, this Cloister reads version {FORMAT_VERSION}",
                hint="it needs a newer Cloister: pip install --upgrade cloister",
                code="seal_format_unknown",
            )
        seal = msgspec.json.decode(data, type=Seal)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _invalid() from error
    numbered = [part_name(number) for number in range(len(seal.files))]
    if (
        not _ID.match(seal.id)
        or not 1 <= seal.version <= _HIGHEST
        or not 2 <= len(numbered) <= MOST_FILES
        or [part.name for part in seal.files] != numbered
    ):
        raise _invalid()
    return seal


def encode_index(index: Index) -> bytes:
    """The index's bytes, before they are encrypted."""
    return msgspec.json.encode(index) + b"\n"


def decode_index(data: bytes, seal: Seal) -> Index:
    """Parse and validate the decrypted index. Raises SealError."""
    try:
        index = msgspec.json.decode(data, type=Index)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _invalid() from error
    names = {entry.name for entry in index.files}
    if (
        len(index.files) != len(seal.files) - 1
        or len(names) != len(index.files)
        or not all(_is_name(name) for name in names)
        or (index.kind == "file" and len(names) != 1)
    ):
        raise _invalid()
    return index


def _is_name(name: str) -> bool:
    return name not in ("", ".", "..") and not set(name) & set("/\\\0") and len(name.encode()) <= 255


def _invalid() -> SealError:
    return SealError("the seal is invalid", hint="it was not written by Cloister: seal the bundle again")
