"""A sealed folder as it is read: first verified, then decrypted, in memory and file by file."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from .. import SealError, SignatureInvalid
from .age import Identities
from .notes import NOTE, PublicKey, verified
from .sealfile import INDEX, SEAL, SIGNATURE, Kind, Seal, decode_index, decode_seal
from .storage import Digested, Folder, Irregular

_SEAL_LIMIT = 512 << 10
_SIGNATURE_LIMIT = 1 << 20
_AGAIN = "fetch the sealed bundle again, and check that nothing else is in its folder"


@dataclass(frozen=True, repr=False)
class Contents:
    """What is sealed.

    Attributes:
        kind: `bundle`, or `file` for a single one.
        files: contents by name; the order is kept, and nothing of a name is seen from outside.
    """

    kind: Kind
    files: Mapping[str, bytes]


class Sealed:
    """A sealed folder whose signature, list of files and version hold; its files are still encrypted.

    Args:
        path: of the folder.
        keys: public keys, one of which must have signed it.
        min_version: lowest version that is accepted.
        bundle_id: the id that it must have; None takes any.

    Raises:
        SealError: not a sealed folder, changed, too old, of another id, or of a newer format.
        SignatureInvalid: not signed by any of the keys, or the signature does not hold.
        StorageError: the operating system refused.
    """

    def __init__(
        self, path: str | os.PathLike[str], keys: Sequence[PublicKey], *, min_version: int, bundle_id: str | None
    ) -> None:
        try:
            self._folder = Folder(path)
        except (FileNotFoundError, NotADirectoryError):
            raise SealError(
                "there is no sealed bundle at the given path", hint="check the path", code="seal_not_found"
            ) from None
        try:
            self.seal, self.signers = self._verify(keys)
            self.accept(min_version=min_version, bundle_id=bundle_id)
        except BaseException:
            self._folder.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder."""
        self._folder.close()

    def _verify(self, keys: Sequence[PublicKey]) -> tuple[Seal, list[PublicKey]]:
        present = self._folder.names
        if SEAL not in present or SIGNATURE not in present:
            raise SealError(
                "the path is not a sealed bundle: seal.json or seal.sig is missing",
                hint="`cloister seal` makes one",
                code="seal_not_found",
            )
        text = self._read(SEAL, _SEAL_LIMIT)
        signed, signers = verified(self._read(SIGNATURE, _SIGNATURE_LIMIT), [k for k in keys if k.kind == NOTE])
        if signed != text:
            raise SignatureInvalid("seal.sig is the signature of another seal", hint=_AGAIN)
        seal = decode_seal(text)
        if present != {SEAL, SIGNATURE, *(part.name for part in seal.files)}:
            raise _changed("the files of the sealed bundle are not those that its seal lists")
        return seal, signers

    def accept(self, *, min_version: int = 0, bundle_id: str | None = None) -> None:
        """Whether version and id are wanted here. Raises SealError where they are not."""
        if bundle_id is not None and self.seal.id != bundle_id:
            raise SealError(
                "the seal is of another bundle", hint="check the id, or which folder is used", code="seal_other_bundle"
            )
        if self.seal.version < min_version:
            raise SealError(
                f"the seal has version {self.seal.version}, at least {min_version} is wanted",
                hint="fetch the newer sealed bundle; an old one may have been put in its place",
                code="seal_version_too_old",
            )

    def _read(self, name: str, limit: int) -> bytes:
        try:
            return self._folder.read(name, limit)
        except (Irregular, FileNotFoundError):
            raise _changed("a file of the sealed bundle is missing, a link or too large") from None

    def ciphertext(self, number: int) -> bytes:
        """One encrypted file: read once, and these bytes are verified.

        Raises:
            SealError: not the bytes that were signed.
        """
        part = self.seal.files[number]
        data = self._read(part.name, part.bytes)
        if len(data) != part.bytes or hashlib.sha256(data).hexdigest() != part.sha256:
            raise _changed("a file of the sealed bundle is not the one that was signed")
        return data

    def verify_files(self) -> None:
        """Read and verify every file. Raises SealError."""
        for number in range(len(self.seal.files)):
            self.ciphertext(number)


class Opened:
    """The contents of a sealed folder, decrypted in memory, one file at a time.

    Args:
        sealed: verified; closed with this.
        identities: one of them must be a recipient.
        kind: what it must be.

    Raises:
        SealError: not made for these identities, damaged inside, or of the other kind.
    """

    def __init__(self, sealed: Sealed, identities: Identities, kind: Kind | None) -> None:
        self._sealed = sealed
        self._identities = identities
        index = decode_index(identities.decrypt(sealed.ciphertext(INDEX)), sealed.seal)
        if kind is not None and index.kind != kind:
            raise SealError(
                "this is a sealed file, not a sealed bundle" if kind == "bundle" else "this is a sealed bundle",
                hint="`cloister open` writes out what is sealed",
                code="seal_other_kind",
            )
        self.kind: Kind = index.kind
        self._entries = {entry.name: (number, entry.bytes) for number, entry in enumerate(index.files, start=1)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._sealed.close()

    @property
    def seal(self) -> Seal:
        """What is known from outside."""
        return self._sealed.seal

    @property
    def names(self) -> frozenset[str]:
        """Names of the files inside."""
        return frozenset(self._entries)

    def read(self, name: str, limit: int) -> bytes:
        """Contents of one file; its ciphertext is let go.

        Raises:
            SealError: there is none of this name, or its encrypted bytes are not those that were signed.
            Irregular: it has more than `limit` bytes.
        """
        if name not in self._entries:
            raise SealError("a file is missing inside the seal", hint="seal the bundle again")
        number, size = self._entries[name]
        if size > limit:
            raise Irregular(name, "size")
        data = self._identities.decrypt(self._sealed.ciphertext(number))
        if len(data) != size:
            raise SealError("a file inside the seal has not the size that it says", hint="seal the bundle again")
        return data

    def digest(self, name: str, limit: int) -> Digested:
        """SHA-256 of one file, which is not kept; raises as `read`."""
        data = self.read(name, limit)
        return Digested(len(data), hashlib.sha256(data).hexdigest(), None)

    @property
    def signed_by(self) -> tuple[str, ...]:
        """Names of the keys that signed it."""
        return tuple(key.name for key in self._sealed.signers)

    def verify_files(self) -> None:
        """Decrypt every file, one at a time, and keep none. Raises SealError."""
        for name, (_, size) in self._entries.items():
            self.read(name, size)

    def everything(self) -> Contents:
        """All files, in their order."""
        return Contents(self.kind, {name: self.read(name, size) for name, (_, size) in self._entries.items()})


def _changed(what: str) -> SealError:
    return SealError(what, hint=_AGAIN)
