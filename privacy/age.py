"""The one file that imports pyrage: encryption and decryption as age (https://age-encryption.org/v1) specifies.

X25519 recipients and identities only. Passphrases would make every start wait for scrypt; plugins run other programs.
"""

import importlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from types import ModuleType
from typing import Any, BinaryIO, Protocol

from .. import KeyFileError, MissingExtra, SealError

_RECIPIENT = "age1"
_IDENTITY = "AGE-SECRET-KEY-1"


def _pyrage() -> ModuleType:
    try:
        return importlib.import_module("pyrage")
    except ModuleNotFoundError as error:
        raise MissingExtra("age encryption is not installed", hint="pip install 'cloister[seal]'") from error


class Writer(Protocol):
    """Takes the pieces of an encrypted file."""

    def write(self, data: bytes, /) -> int:
        """Take a piece whole; returns its length."""
        ...

    def flush(self) -> None:
        """Pass on what is held back."""
        ...


@dataclass(frozen=True, repr=False)
class Recipients:
    """Who can open what is encrypted.

    Attributes:
        lines: public keys `age1…`, each once.
    """

    lines: tuple[str, ...]
    _keys: Sequence[Any]

    def encrypt(self, source: BinaryIO, target: Writer) -> None:
        """Encrypt a stream to all recipients. Raises what reading and writing raise."""
        age = _pyrage()
        try:
            age.encrypt_io(source, target, list(self._keys))
        except age.EncryptError as error:
            raise SealError("age could not encrypt", hint="check the recipients") from error


@dataclass(frozen=True, repr=False)
class Identities:
    """Secret keys that open what was encrypted to them."""

    _keys: Sequence[Any]

    @property
    def recipients(self) -> tuple[str, ...]:
        """Their public keys."""
        return tuple(str(key.to_public()) for key in self._keys)

    def decrypt(self, data: bytes) -> bytes:
        """The plaintext of one age file.

        Raises:
            SealError: none of the identities is a recipient, or the file is not what was encrypted.
        """
        age = _pyrage()
        plain = BytesIO()
        try:
            # Into a growing buffer: twice as fast as `decrypt`, which copies the plaintext once more.
            age.decrypt_io(BytesIO(data), plain, list(self._keys))
        except age.DecryptError as error:
            if "No matching keys" in str(error):
                raise SealError(
                    "the seal was not made for this identity",
                    hint="ask the publisher to seal for the recipient that belongs to it",
                    code="seal_not_for_identity",
                ) from None
            raise SealError("a file of the seal cannot be decrypted", hint="fetch the sealed bundle again") from None
        return plain.getvalue()


def parse_recipients(lines: Iterable[str]) -> Recipients:
    """Recipients from lines `age1…`; empty lines and comments (`#`) are skipped.

    Raises:
        KeyFileError: a line is not an X25519 recipient, or there is none.
    """
    age = _pyrage()
    keys: dict[str, Any] = {}
    for line in map(str.strip, lines):
        if not line or line.startswith("#"):
            continue
        if line.upper().startswith(_IDENTITY):
            raise KeyFileError(
                "a secret key was given as a recipient", hint="give the recipient: the line `age1…` beside it"
            )
        try:
            keys[line] = age.x25519.Recipient.from_str(line)
        except age.RecipientError:
            raise KeyFileError(
                "a recipient is not an age recipient that Cloister knows",
                hint=f"one is {_RECIPIENT}…, an X25519 key as in the device's recipient.txt",
            ) from None
    if not keys:
        raise KeyFileError("there is no recipient", hint="--recipient age1… or a file of them, one a line")
    return Recipients(tuple(keys), list(keys.values()))


def parse_identities(data: bytes | bytearray) -> Identities:
    """Identities from the contents of an age identity file; messages never hold any of it.

    Raises:
        KeyFileError: not an age identity file, or a key in it is truncated.
    """
    age = _pyrage()
    try:
        lines = [line.strip() for line in data.decode("ascii").splitlines()]
    except UnicodeDecodeError:
        lines = ["?"]
    keys = []
    for line in lines:
        if not line or line.startswith("#"):
            continue
        try:
            keys.append(age.x25519.Identity.from_str(line))
        except age.IdentityError:
            raise KeyFileError(
                "the identity is not an age identity, or part of it is missing",
                hint=f"a line of it is {_IDENTITY}…; `cloister keygen DIR --role device` makes one",
            ) from None
    if not keys:
        raise KeyFileError("there is no identity", hint="`cloister keygen DIR --role device` makes one")
    return Identities(keys)


def generate() -> tuple[str, str]:
    """A new identity, `AGE-SECRET-KEY-1…`, and its recipient, `age1…`."""
    identity = _pyrage().x25519.Identity.generate()
    return str(identity), str(identity.to_public())
