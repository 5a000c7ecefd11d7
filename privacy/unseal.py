"""What it takes to open something sealed: whose signature, which identity, and how old it may be."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from .age import Identities, parse_identities


@dataclass(frozen=True)
class Unseal:
    """Keys and demands for opening sealed bundles.

    Attributes:
        identity: the device's age identity: a file's path, `env:NAME` or `fd:N`. It is read anew for every bundle and
            let go after it; only what came from a descriptor is kept, since that can be read once.
        public_key: the publisher's public key: a file with one or more, or the key itself.
        min_version: lowest version that is opened, beside the minimum that is stored with the identity.
        bundle_id: the id that the seal must have; None takes any that the publisher signed.
    """

    identity: str | os.PathLike[str]
    public_key: str | os.PathLike[str]
    min_version: int = 0
    bundle_id: str | None = None
    _kept: list[Identities] = field(default_factory=list, init=False, repr=False, compare=False)

    def expecting(self, bundle_id: str | None) -> "Unseal":
        """The same keys and demands for a bundle of this id; None takes any."""
        other = replace(self, bundle_id=bundle_id)
        object.__setattr__(other, "_kept", self._kept)  # one descriptor, read once for all
        return other

    @property
    def minimum_file(self) -> Path | None:
        """Where the stored minimum of this identity is; None where the identity is not a file."""
        text = os.fspath(self.identity)
        return None if text.startswith(("env:", "fd:")) else Path(text).parent / MINIMUM

    def identities(self) -> Identities:
        """Read the identity. Raises KeyFileError."""
        if self._kept:
            return self._kept[0]
        from .keyfiles import read_secret, wipe  # needs the extra, which the class itself does not

        data = read_secret(self.identity)
        try:
            found = parse_identities(data)
        finally:
            wipe(data)
        if os.fspath(self.identity).startswith("fd:"):
            self._kept.append(found)
        return found


MINIMUM = "minimum.json"
"""Name of the stored minimum, beside the identity."""
