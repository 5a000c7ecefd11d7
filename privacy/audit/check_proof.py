"""Checking a proof without the log: a stranger's side of `prove`. Shares no code with the writer."""

from dataclasses import dataclass

from ... import AuditLogError, SignatureInvalid
from .check_notes import Head, Key, decode64, hash_children, hash_record, read_head

_HEADER = b"c2sp.org/tlog-proof@v1\n"
_HINT = "`cloister audit prove` makes one; copy the whole file"


@dataclass(frozen=True)
class Proven:
    """A record that is in a log.

    Attributes:
        index: its number, from 0.
        record: its bytes.
        head: the checkpoint it is proven under.
    """

    index: int
    record: bytes
    head: Head


def check_proof(proof: bytes, keys: list[Key], record: bytes | None = None) -> Proven:
    """Check a proof of C2SP `tlog-proof` against public keys.

    Args:
        proof: the file's bytes.
        keys: of the log, and of witnesses.
        record: the record's bytes, where the proof does not carry them as its extra data.

    Raises:
        AuditLogError: not a proof, or the record is not in the log that the checkpoint describes.
        SignatureInvalid: the checkpoint is not signed with one of the keys.
    """
    body, separator, note = proof.partition(b"\n\n")
    if not body.startswith(_HEADER) or not separator:
        raise AuditLogError("the file is not a proof", hint=_HINT)
    lines = body.split(b"\n")[1:]
    try:
        if lines[0].startswith(b"extra "):
            carried = decode64(lines.pop(0)[6:])
            record = carried if record is None else record
        word, number = lines.pop(0).split(b" ")
        index = int(number)
        if word != b"index" or str(index).encode() != number:
            raise ValueError
        path = [decode64(line) for line in lines]
    except (ValueError, IndexError):
        raise AuditLogError("the file is not a proof", hint=_HINT) from None
    if record is None or any(len(step) != 32 for step in path):
        raise AuditLogError("the proof is incomplete", hint=_HINT)
    head = read_head(note, keys)
    if _root(hash_record(record), index, head.size, path) != head.root:
        raise AuditLogError("the proof does not hold: the record is not in that log", hint="the file was changed")
    if head.origin not in head.signed:
        raise SignatureInvalid("the checkpoint is not signed by its own log", hint="give the log's public key")
    return Proven(index, record, head)


def _root(value: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    """The root that a path leads to, by the rules of RFC 9162, section 2.1.3.2; None where its length is wrong."""
    if index >= size:
        return None
    node, last = index, size - 1
    for step in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            value = hash_children(step, value)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            value = hash_children(value, step)
        node, last = node >> 1, last >> 1
    return value if last == 0 else None
