"""The journal: what was acknowledged and is not in tiles yet, frame by frame, one frame for each group commit.

    frame    magic "CLJ1", length of the payload (4 bytes), SHA-256 of the payload, payload
    payload  length of the entries (4 bytes), entries, checkpoint over everything up to and with them

Integers are big-endian. Entries stand as in an entry bundle: two bytes of length, then the record.
"""

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MAGIC = b"CLJ1"
HEAD = len(MAGIC) + 4 + 32
ENTRY_LIMIT = 0xFFFF


@dataclass(frozen=True)
class Frame:
    """One group commit. Attributes: `entries` in order, `checkpoint` the signed note that covers them."""

    entries: Sequence[bytes]
    checkpoint: bytes


@dataclass(frozen=True)
class Journal:
    """What a journal file holds.

    Attributes:
        frames: complete ones, from the start.
        length: bytes they take.
        torn: bytes after them that are no frame: what a crash leaves of a write that was never acknowledged.
        damaged: a complete frame stands after bytes that are none, which no crash explains.
    """

    frames: Sequence[Frame]
    length: int
    torn: int
    damaged: bool


def pack_entries(entries: Iterable[bytes]) -> bytes:
    """Entries as an entry bundle has them."""
    return b"".join(len(e).to_bytes(2) + e for e in entries)


def unpack_entries(data: bytes) -> list[bytes] | None:
    """Entries of a bundle; None where the lengths do not add up."""
    entries, at = [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2])
        if end > len(data) or end < at + 2:
            return None
        entries.append(data[at + 2 : end])
        at = end
    return entries


def encode(entries: Sequence[bytes], checkpoint: bytes) -> bytes:
    """The bytes of a frame."""
    packed = pack_entries(entries)
    payload = struct.pack(">I", len(packed)) + packed + checkpoint
    return MAGIC + struct.pack(">I", len(payload)) + hashlib.sha256(payload).digest() + payload


def read(data: bytes) -> Journal:
    """Read a journal as far as it is whole."""
    frames: list[Frame] = []
    at = 0
    while (end := _whole(data, at)) is not None:
        payload = data[at + HEAD : end]
        size = int.from_bytes(payload[:4])
        entries = unpack_entries(payload[4 : 4 + size])
        if entries is None:
            break
        frames.append(Frame(entries, payload[4 + size :]))
        at = end
    later = data.find(MAGIC, at + 1)
    while later >= 0 and _whole(data, later) is None:
        later = data.find(MAGIC, later + 1)
    return Journal(frames, at, len(data) - at, later >= 0)


def _whole(data: bytes, at: int) -> int | None:
    """Where the frame at `at` ends; None where there is no complete one."""
    if data[at : at + len(MAGIC)] != MAGIC or at + HEAD > len(data):
        return None
    end = at + HEAD + int.from_bytes(data[at + 4 : at + 8])
    if end > len(data) or hashlib.sha256(data[at + HEAD : end]).digest() != data[at + 8 : at + HEAD]:
        return None
    return end
