"""Signed notes and their keys, as C2SP `signed-note` specifies: a text, an empty line, and a line for every signature.

Checkpoints of the audit log and signatures of sealed bundles are such notes, so that other tools can check them. Only
Ed25519 (RFC 8032) is used, as type 0x01 (the plain note) and as type 0x04 (the timestamped cosignature of C2SP
`tlog-cosignature`). Keys are the lines that Go's `sumdb/note` reads and writes:

    name+hash+base64(type, public key)                  public
    PRIVATE+KEY+name+hash+base64(type, secret seed)     secret

Sources: https://c2sp.org/signed-note, https://c2sp.org/tlog-cosignature.
"""

import base64
import hashlib
import re
import struct
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from .. import KeyFileError, MissingExtra, SignatureInvalid

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
except ModuleNotFoundError as missing:
    raise MissingExtra("signatures are not installed", hint="pip install 'cloister[seal]'") from missing

NOTE = 0x01
COSIGNATURE = 0x04

NOTE_LIMIT = 1 << 20
_SIGNATURES_LIMIT = 64
_DASH = "\u2014 "
_KEY_BYTES = 32
_SIGNATURE_BYTES = 64
_PRIVATE = "PRIVATE+KEY+"
_NAME = re.compile(r"[^\s+]{1,200}\Z")
_MALFORMED = "it is not a key, or part of it is missing"


@dataclass(frozen=True)
class PublicKey:
    """A key that checks signatures.

    Attributes:
        name: of the key; for an audit log also its origin.
        raw: 32 bytes, as RFC 8032 encodes it.
        kind: `NOTE` or `COSIGNATURE`.
    """

    name: str
    raw: bytes
    kind: int = NOTE

    @property
    def key_id(self) -> bytes:
        """Four bytes that stand before each signature. They find a key; they do not authenticate it."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.raw).digest()[:4]

    @property
    def line(self) -> str:
        """The key as text, without a line break."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(bytes([self.kind]) + self.raw).decode()}"

    @property
    def cosigner(self) -> "PublicKey":
        """The same key as one that cosigns checkpoints; its key id differs, so the two uses are never mixed up."""
        return replace(self, kind=COSIGNATURE)

    def verifies(self, text: bytes, signature: bytes) -> bool:
        """Whether `signature` (without the key id) is this key's for `text`, the note's text with its last newline."""
        message = text
        if self.kind == COSIGNATURE:
            if len(signature) != 8 + _SIGNATURE_BYTES:
                return False
            (seconds,), signature = struct.unpack(">Q", signature[:8]), signature[8:]
            message = _cosigned(text, seconds)
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True)
class SecretKey:
    """A key that signs. Its seed appears in no `repr`.

    Attributes:
        name: of the key.
    """

    name: str
    _seed: bytes = field(repr=False)
    _signer: Ed25519PrivateKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_signer", Ed25519PrivateKey.from_private_bytes(self._seed))

    @classmethod
    def generate(cls, name: str) -> "SecretKey":
        """A new key. Raises KeyFileError for a name that no key may have."""
        if not _NAME.match(name):
            raise KeyFileError("a key's name is empty, too long or has a space or a plus in it", hint="choose another")
        return cls(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @property
    def public(self) -> PublicKey:
        """The key that checks what this one signs."""
        return PublicKey(self.name, self._signer.public_key().public_bytes_raw())

    @property
    def line(self) -> str:
        """The key as text, without a line break: a secret."""
        encoded = base64.b64encode(bytes([NOTE]) + self._seed).decode()
        return f"{_PRIVATE}{self.name}+{self.public.key_id.hex()}+{encoded}"

    def signature_line(self, text: bytes) -> bytes:
        """The line that signs a note's text."""
        return _line(self.name, self.public.key_id + self._signer.sign(text))

    def cosignature_line(self, text: bytes, seconds: int | None = None) -> bytes:
        """The line that cosigns a checkpoint's text at a time, in seconds since 1970; now unless given."""
        at = int(time.time()) if seconds is None else seconds
        signature = struct.pack(">Q", at) + self._signer.sign(_cosigned(text, at))
        return _line(self.name, self.public.cosigner.key_id + signature)

    def sign(self, text: bytes) -> bytes:
        """A whole note: the text and its signature.

        Raises:
            ValueError: the text does not end with a newline or is not one that a note can hold.
        """
        if not text.endswith(b"\n") or b"\n\n" in text or any(byte < 0x20 and byte != 0x0A for byte in text):
            raise ValueError("a note's text ends with a newline and has neither control characters nor empty lines")
        return text + b"\n" + self.signature_line(text)


@dataclass(frozen=True)
class Signature:
    """One signature line. Attributes: `name` and `key_id` of the key, `raw` what follows the key id."""

    name: str
    key_id: bytes
    raw: bytes

    @property
    def seconds(self) -> int | None:
        """When a cosignature was made, seconds since 1970; None where the length says it is not one."""
        return int.from_bytes(self.raw[:8]) if len(self.raw) == 8 + _SIGNATURE_BYTES else None


@dataclass(frozen=True)
class Note:
    """A parsed note, not yet trusted. Attributes: `text` with its last newline, `signatures` in order."""

    text: bytes
    signatures: Sequence[Signature]


def parse_note(data: bytes) -> Note:
    """Split a note into text and signatures; nothing is trusted yet.

    Raises:
        SignatureInvalid: not a note.
    """
    malformed = SignatureInvalid("not a signed note", hint="the file is damaged or something else")
    text, separator, lines = data.rpartition(b"\n\n")
    if len(data) > NOTE_LIMIT or not separator or not lines.endswith(b"\n"):
        raise malformed
    try:
        data.decode()
        found = [_parse_line(line) for line in lines[:-1].decode().split("\n")]
    except (UnicodeDecodeError, ValueError):
        raise malformed from None
    if any(byte < 0x20 and byte != 0x0A for byte in data) or len(found) > _SIGNATURES_LIMIT:
        raise malformed
    return Note(text + b"\n", found)


def verified(data: bytes, keys: Iterable[PublicKey]) -> tuple[bytes, list[PublicKey]]:
    """The text of a note and the keys that signed it.

    Signatures of unknown keys are ignored, as the specification wants. One of a known key that does not hold makes the
    whole note invalid.

    Raises:
        SignatureInvalid: not a note, no signature of a known key, or one that does not hold.
    """
    note, known, signed = parse_note(data), {(k.name, k.key_id): k for k in keys}, []
    for signature in note.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is None:
            continue
        if not key.verifies(note.text, signature.raw):
            raise SignatureInvalid("a signature does not hold", hint="the text or the signature was changed")
        signed.append(key)
    if not signed:
        raise SignatureInvalid("no signature is by the given key", hint="check that the public key is the right one")
    return note.text, signed


def parse_public_key(text: str) -> PublicKey:
    """A public key from its line. Raises KeyFileError."""
    if text.startswith(_PRIVATE):
        raise KeyFileError("this is a secret key where a public one belongs", hint="give the .pub file beside it")
    name, key_id, kind, raw = _parts(text.strip())
    key = PublicKey(name, raw, kind)
    if kind not in (NOTE, COSIGNATURE) or not _NAME.match(name) or key.key_id.hex() != key_id:
        raise KeyFileError(f"not a public key: {_MALFORMED}", hint="a line of it is NAME+HASH+KEY")
    return key


def parse_secret_key(text: str) -> SecretKey:
    """A secret key from its line. Raises KeyFileError; the message holds nothing of the key."""
    hint = "a line of it is PRIVATE+KEY+NAME+HASH+KEY; `cloister keygen` makes one"
    if not text.startswith(_PRIVATE):
        raise KeyFileError(f"not a secret key: {_MALFORMED}", hint=hint)
    name, key_id, kind, seed = _parts(text.strip().removeprefix(_PRIVATE))
    key = SecretKey(name, seed)
    if kind != NOTE or not _NAME.match(name) or key.public.key_id.hex() != key_id:
        raise KeyFileError(f"not a secret key: {_MALFORMED}", hint=hint)
    return key


def _parts(text: str) -> tuple[str, str, int, bytes]:
    """Name, key id, kind and raw bytes of `name+id+base64`; only the last part may contain a plus."""
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        data = decode_base64(encoded)
    except ValueError:
        data = b""
    if len(data) != 1 + _KEY_BYTES:
        raise KeyFileError(f"not a key of this kind: {_MALFORMED}", hint="`cloister keygen` makes keys")
    return name, key_id, data[0], data[1:]


def decode_base64(text: str | bytes) -> bytes:
    """Base64 of which there is one spelling: unused bits at the end must be zero.

    Raises:
        ValueError: not base64, or another spelling of it.
    """
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data) != (text.encode() if isinstance(text, str) else text):
        raise ValueError("not the canonical spelling")
    return data


def _cosigned(text: bytes, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n".encode() + text


def _line(name: str, signature: bytes) -> bytes:
    return f"{_DASH}{name} {base64.b64encode(signature).decode()}\n".encode()


def _parse_line(line: str) -> Signature:
    if not line.startswith(_DASH):
        raise ValueError("not a signature line")
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    data = decode_base64(encoded)
    if not _NAME.match(name) or len(data) < 5:
        raise ValueError("not a signature line")
    return Signature(name, data[:4], data[4:])
