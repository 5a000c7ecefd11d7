"""API keys: kept as SHA-256, compared in constant time.

A plain hash is enough here: a key is random and long, so there is nothing to guess from it. Keys that are short are
refused.
"""

import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ... import SettingsError, Unauthorized

_LINE = re.compile(r"(?P<name>[A-Za-z0-9._-]{1,64})\s+sha256:(?P<hash>[0-9a-f]{64})")
_LEAST = 16
_HINT = "send it as `Authorization: Bearer KEY`"


@dataclass(frozen=True, repr=False)
class Keys:
    """Known keys by the name of their client; hashes only."""

    hashes: Mapping[str, bytes] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.hashes)

    def __repr__(self) -> str:
        return f"<Keys of {len(self.hashes)} clients>"

    def client(self, authorization: bytes | None) -> str:
        """The client a key belongs to.

        Args:
            authorization: value of the header.

        Raises:
            Unauthorized: none, not a bearer key, or an unknown one.
        """
        scheme, _, key = (authorization or b"").partition(b" ")
        if scheme.lower() != b"bearer" or not key:
            raise Unauthorized("the request carries no API key", hint=_HINT)
        given = hashlib.sha256(key.strip()).digest()
        found = ""
        for name, known in self.hashes.items():
            # Every entry is compared, so that the time says nothing about which one matched.
            if hmac.compare_digest(given, known):
                found = name
        if not found:
            raise Unauthorized("the API key is not known", hint=_HINT)
        return found


def read_keys(file: Path | None, variable: str) -> Keys:
    """Keys of a file of lines `NAME sha256:HEX`, and the plain key in an environment variable (client `default`).

    Raises:
        SettingsError: the file cannot be read, is open to others to write, or a line or the variable is not a key.
    """
    hashes: dict[str, bytes] = {}
    if file is not None:
        try:
            mode, lines = file.stat().st_mode, file.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            raise SettingsError("the file of API keys cannot be read", hint="check its path and owner") from None
        if mode & 0o022:
            raise SettingsError("others may write to the file of API keys", hint="chmod 600 it")
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith("#"):
                continue
            found = _LINE.fullmatch(line.strip())
            if found is None or found["name"] in hashes:
                raise SettingsError(
                    f"line {number} of the file of API keys is not a key, or names a client twice",
                    hint="a line is NAME sha256:HEX; see the guide on serving",
                )
            hashes[found["name"]] = bytes.fromhex(found["hash"])
    plain = os.environ.get(variable)
    if plain is not None:
        if len(plain) < _LEAST:
            raise SettingsError(
                f"{variable} is shorter than {_LEAST} characters", hint="openssl rand -hex 32 makes one"
            )
        hashes.setdefault("default", hashlib.sha256(plain.encode()).digest())
    return Keys(hashes)
