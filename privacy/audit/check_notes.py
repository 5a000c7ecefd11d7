"""What the checkers read notes and trees with. Written from the standards, and without a line of the writer's code.

Sources: https://c2sp.org/signed-note, https://c2sp.org/tlog-checkpoint, https://c2sp.org/tlog-cosignature, RFC 6962.
"""

import base64
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ... import AuditLogError, KeyFileError, SignatureInvalid

EMPTY_ROOT = hashlib.sha256().digest()

_PLAIN, _TIMED = 1, 4


@dataclass(frozen=True)
class Key:
    """A public key from its line `name+hash+base64`; it checks plain signatures and cosignatures."""

    name: str
    raw: bytes

    def identity(self, kind: int) -> tuple[str, bytes]:
        """Name and key id as they stand in a signature line of a kind."""
        return self.name, hashlib.sha256(b"%s\n%c%s" % (self.name.encode(), kind, self.raw)).digest()[:4]


@dataclass(frozen=True)
class Head:
    """A checkpoint whose signatures hold.

    Attributes:
        origin, size, root: what it says.
        signed, cosigned: names of the keys that signed and cosigned it.
    """

    origin: str
    size: int
    root: bytes
    signed: tuple[str, ...]
    cosigned: tuple[str, ...]


def decode64(text: str | bytes) -> bytes:
    """Base64 of which there is one spelling: unused bits at the end must be zero. Raises ValueError."""
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data) != (text.encode() if isinstance(text, str) else text):
        raise ValueError
    return data


def read_key(line: str) -> Key:
    """A public key. Raises KeyFileError."""
    name, _, rest = line.strip().partition("+")
    given, _, encoded = rest.partition("+")
    try:
        data = decode64(encoded)
    except ValueError:
        data = b""
    if len(data) != 33 or data[0] not in (_PLAIN, _TIMED) or not name or name == "PRIVATE":
        raise KeyFileError("not a public key", hint="give the .pub file: one line, NAME+HASH+KEY")
    key = Key(name, data[1:])
    if key.identity(data[0])[1].hex() != given:
        raise KeyFileError("the public key's parts do not fit together", hint="copy the .pub file again")
    return key


def read_head(note: bytes, keys: list[Key]) -> Head:
    """A checkpoint with at least one plain signature by one of the keys; unknown signatures are ignored.

    Raises:
        SignatureInvalid: not a note, not signed by any of the keys, or a signature by one of them does not hold.
        AuditLogError: signed, and not a checkpoint.
    """
    try:
        text, end, lines = note.rpartition(b"\n\n")
        if not end or not lines.endswith(b"\n"):
            raise ValueError
        signatures = [_signature(line) for line in lines.decode()[:-1].split("\n")]
        parts = text.decode().split("\n")
    except ValueError:
        raise SignatureInvalid("not a signed checkpoint", hint="the file is damaged or something else") from None
    text += b"\n"
    signed, cosigned = [], []
    for key in keys:
        for name, data in signatures:
            if (name, data[:4]) == key.identity(_PLAIN):
                _require(key, data[4:], text)
                signed.append(key.name)
            elif (name, data[:4]) == key.identity(_TIMED):
                moment = int.from_bytes(data[4:12])
                _require(key, data[12:], b"cosignature/v1\ntime %d\n" % moment + text)
                cosigned.append(key.name)
    if not signed:
        raise SignatureInvalid("not signed with the given key", hint="check that the public key is this log's")
    try:
        root = decode64(parts[2])
        size = int(parts[1])
    except (ValueError, IndexError):
        root, size = b"", -1
    if len(root) != 32 or size < 0 or str(size) != parts[1]:
        raise AuditLogError("signed, and not a checkpoint", hint="give a checkpoint of this log")
    return Head(parts[0], size, root, tuple(signed), tuple(cosigned))


def _signature(line: str) -> tuple[str, bytes]:
    mark, name, encoded = line.split(" ")
    if mark != "—" or not name:
        raise ValueError
    return name, decode64(encoded)


def _require(key: Key, signature: bytes, message: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise SignatureInvalid(
            "a signature does not hold", hint="what stands over it, or the signature, was changed"
        ) from None


def hash_record(record: bytes) -> bytes:
    """RFC 6962: hash of a leaf."""
    return hashlib.sha256(b"\0" + record).digest()


def hash_children(left: bytes, right: bytes) -> bytes:
    """RFC 6962: hash of a node."""
    return hashlib.sha256(b"\1" + left + right).digest()


class Accumulator:
    """The roots of a growing tree: subtrees of falling size, as the binary digits of the number of leaves."""

    def __init__(self) -> None:
        self.count = 0
        self._subtrees: list[tuple[int, bytes]] = []

    def add(self, value: bytes, leaves: int = 1) -> None:
        """Add a leaf, or a perfect subtree of a number of leaves that divides those before it."""
        self.count += leaves
        while self._subtrees and self._subtrees[-1][0] == leaves:
            value = hash_children(self._subtrees.pop()[1], value)
            leaves *= 2
        self._subtrees.append((leaves, value))

    def root(self) -> bytes:
        """Hash of the tree so far."""
        value = b""
        for _, subtree in reversed(self._subtrees):
            value = hash_children(subtree, value) if value else subtree
        return value or EMPTY_ROOT
