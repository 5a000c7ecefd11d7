"""Checkpoints: the signed head of the tree, as C2SP `tlog-checkpoint` specifies (https://c2sp.org/tlog-checkpoint)."""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ... import AuditLogError
from ..notes import PublicKey, SecretKey, decode_base64, parse_note, verified

_SIZE = re.compile(rb"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True)
class Checkpoint:
    """The head of a log at a size.

    Attributes:
        origin: the log's name.
        size: records.
        root: hash of the tree, 32 bytes.
        text: the note's text.
    """

    origin: str
    size: int
    root: bytes
    text: bytes


def sign(key: SecretKey, size: int, root: bytes) -> bytes:
    """A checkpoint of the log that the key belongs to; its origin is the key's name."""
    return key.sign(f"{key.name}\n{size}\n{base64.b64encode(root).decode()}\n".encode())


def parse(data: bytes) -> Checkpoint:
    """A checkpoint whose signatures are not looked at. Raises AuditLogError, SignatureInvalid."""
    return _parse_text(parse_note(data).text)


def opened(data: bytes, keys: Iterable[PublicKey]) -> Checkpoint:
    """A checkpoint that one of the keys signed.

    Raises:
        SignatureInvalid: none did, or a signature does not hold.
        AuditLogError: signed, and not a checkpoint.
    """
    return _parse_text(verified(data, keys)[0])


def _parse_text(text: bytes) -> Checkpoint:
    lines = text[:-1].split(b"\n")
    try:
        root = decode_base64(lines[2])
        origin = lines[0].decode()
    except (IndexError, ValueError):
        root, origin = b"", ""
    if len(root) != 32 or not origin or not _SIZE.fullmatch(lines[1]):
        raise AuditLogError("the note is not a checkpoint of a log", hint="give the file that `checkpoint` printed")
    return Checkpoint(origin, int(lines[1]), root, text)
