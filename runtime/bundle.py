"""A bundle: read and verified into memory, from its folder or from a sealed one, or written whole."""

import hashlib
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from .. import BundleError, OutputExists, StorageError
from ..privacy.storage import (
    Digested,
    Folder,
    Irregular,
    Stamp,
    copy_synced,
    new_folder,
    system_errors,
    write_synced,
)
from .manifest import MANIFEST, File, Manifest
from .manifest_file import decode, encode

if TYPE_CHECKING:
    from ..privacy.unseal import Unseal

SEAL = "seal.json"
"""The file that tells a sealed bundle from a plain one."""

_MANIFEST_LIMIT = 16 << 20
Found = TypeVar("Found", bytes, Digested)

Keep = Callable[[Manifest], Collection[str]]
"""From a manifest to the names of the files that are to be held in memory."""

Content = bytes | Path
"""What is written to a bundle: bytes, or a file that is copied because it may be too large to hold."""


@dataclass(frozen=True, repr=False)
class Bundle:
    """A verified bundle in memory.

    Attributes:
        manifest: what the bundle is.
        digest: SHA-256 of the manifest's bytes, hexadecimal; since the manifest lists the SHA-256 of every file, it
            identifies the whole bundle.
        files: contents by name, exactly the bytes that were verified.
        folder: where it lies.
        stamps: of the files that were verified on the disk and are not held.
        listed_bytes: bytes of all files but the manifest.
        raw: the manifest's bytes, as they were verified.
        sealed: whether it came out of a sealed bundle.
    """

    manifest: Manifest
    digest: str
    files: Mapping[str, bytes]
    raw: bytes
    listed_bytes: int
    folder: Path
    stamps: Mapping[str, Stamp]
    sealed: bool = False

    @property
    def size(self) -> int:
        """Bytes of all files, manifest included."""
        return self.listed_bytes + len(self.raw)

    @property
    def contents(self) -> dict[str, bytes]:
        """Every file of the bundle's folder, the manifest first."""
        return {MANIFEST: self.raw, **self.files}

    @contextmanager
    def on_disk(self, names: Sequence[str]) -> Iterator[Path]:
        """The bundle's folder, for what has to be opened by its path: files that are too large for memory.

        They are the files that were verified, by device, inode, length and times, before and after the block. What
        this leaves open is in SECURITY.md.

        Raises:
            BundleError: one of them was replaced or written to meanwhile.
        """
        with system_errors("read the bundle"), Folder(self.folder) as folder:
            self._unchanged(folder, names)
            yield self.folder
            self._unchanged(folder, names)

    def _unchanged(self, folder: Folder, names: Sequence[str]) -> None:
        for name in names:
            try:
                found = folder.stamp(name)
            except (Irregular, FileNotFoundError):
                found = None
            if found is None or found != self.stamps.get(name):
                raise BundleError(
                    f"{name} was changed after it was verified",
                    hint="let nothing write to a bundle's folder while it is loaded",
                    code="bundle_hash_mismatch",
                )


class _Source(Protocol):
    """Where a bundle's files come from: a folder, or a sealed bundle that is opened in memory."""

    @property
    def names(self) -> frozenset[str]: ...

    def read(self, name: str, limit: int) -> bytes: ...

    def digest(self, name: str, limit: int) -> Digested: ...


def file_entry(name: str, data: Content) -> File:
    """The manifest's entry for a file. Raises OSError where it is on a disk and cannot be read."""
    if isinstance(data, bytes):
        return File(name=name, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    with data.open("rb") as file:
        return File(name=name, sha256=hashlib.file_digest(file, "sha256").hexdigest(), bytes=file.tell())


def read(
    folder: str | os.PathLike[str],
    *,
    expected_digest: str | None = None,
    unseal: "Unseal | None" = None,
    keep: Keep | None = None,
) -> Bundle:
    """Read a bundle; every byte is verified before anything is parsed.

    Args:
        folder: the bundle's folder, or a sealed bundle's.
        expected_digest: SHA-256 of the manifest that the bundle must have.
        unseal: keys for a sealed bundle. With them a bundle that is not sealed is refused: whoever can replace the
            folder could otherwise put one of their own there.
        keep: names the files whose contents are wanted; the others are verified all the same, and not held in memory.

    Raises:
        BundleError: damaged, incomplete, with unlisted files, of an unknown format, or not the expected bundle.
        SealError, SignatureInvalid, KeyFileError: a sealed bundle that does not verify, or keys that do not fit.
        StorageError: the operating system refused.
    """
    root = Path(folder)
    with system_errors("read the bundle"):
        if not root.exists():
            raise BundleError("there is no bundle at the given path", hint="check the path", code="bundle_not_found")
        sealed = (root / SEAL).exists()
        if not root.is_dir() or not (sealed or (root / MANIFEST).exists()):
            raise BundleError(
                "the path is not a bundle: it has no manifest.json",
                hint="`cloister export MODEL OUT` makes a bundle from a model folder",
                code="bundle_not_found",
            )
        if sealed and unseal is None:
            raise BundleError(
                "the bundle is sealed",
                hint="open it with --identity and --public-key (in Python: unseal=Unseal(…))",
                code="bundle_sealed",
            )
        if unseal is not None and not sealed:
            raise BundleError(
                "the bundle is not sealed, and with keys for sealed bundles no other is opened",
                hint="leave out --identity and --public-key, or `cloister seal` the bundle",
                code="bundle_not_sealed",
            )
        with ExitStack() as stack:
            if unseal is None:
                return _read(stack.enter_context(Folder(root)), root, expected_digest, keep, sealed=False)
            from ..privacy.seal import open_sealed

            opened = stack.enter_context(open_sealed(root, unseal, "bundle"))
            return _read(opened, root, expected_digest, keep, sealed=True)


def _read(source: _Source, root: Path, expected_digest: str | None, keep: Keep | None, *, sealed: bool) -> Bundle:
    data = _regular(source.read, MANIFEST, _MANIFEST_LIMIT)
    digest = hashlib.sha256(data).hexdigest()
    if expected_digest is not None and digest != expected_digest.lower():
        raise BundleError(
            "the bundle's digest is not the expected one",
            hint="this is another bundle, or the manifest was changed",
            code="bundle_digest_mismatch",
        )
    manifest = decode(data)
    listed = {f.name for f in manifest.files} | {MANIFEST}
    present = source.names
    if present != listed:
        kind = "a file that the manifest does not list" if present - listed else "not all files the manifest lists"
        raise BundleError(
            f"the bundle has {kind}",
            hint="keep nothing else in a bundle's folder; copy the whole folder, or export the model again",
            code="bundle_files_mismatch",
        )
    if sealed:
        require_sealable(manifest)
    kept = listed if keep is None else set(keep(manifest))
    total = sum(f.bytes for f in manifest.files)
    files: dict[str, bytes] = {}
    stamps: dict[str, Stamp] = {}
    for entry in manifest.files:
        if entry.name in kept:
            content = _regular(source.read, entry.name, entry.bytes)
            _require(entry, len(content), hashlib.sha256(content).hexdigest())
            files[entry.name] = content
        else:
            found = _regular(source.digest, entry.name, entry.bytes)
            _require(entry, found.bytes, found.sha256)
            if found.stamp is not None:
                stamps[entry.name] = found.stamp
    return Bundle(manifest, digest, files, data, total, root, stamps, sealed)


def require_sealable(manifest: Manifest) -> None:
    """Whether a bundle can be sealed. Raises BundleError where a part of it has to be opened by its path."""
    if manifest.generator is not None and any(v.external for v in manifest.encoder.variants):
        raise BundleError(
            "a generator whose weights do not fit into one file of 2 GiB is opened by its path, and a sealed bundle "
            "only in memory",
            hint="export the model with --precision int4 or int8 alone, and seal that",
            code="seal_too_large",
        )


def _require(entry: File, length: int, sha256: str) -> None:
    if length != entry.bytes or sha256 != entry.sha256:
        raise BundleError(
            f"{entry.name} is not the file the manifest describes",
            hint="the bundle was damaged or changed: copy it again, or export the model again",
            code="bundle_hash_mismatch",
        )


def _regular(read: Callable[[str, int], Found], name: str, limit: int) -> Found:
    try:
        return read(name, limit)
    except Irregular as error:
        if error.why == "link":
            raise BundleError(
                f"{name} is a link", hint="copy the file itself into the bundle", code="bundle_files_mismatch"
            ) from error
        if error.why == "kind":
            raise BundleError(
                f"{name} is not a regular file", hint="export the model again", code="bundle_files_mismatch"
            ) from error
        raise BundleError(
            f"{name} is larger than it should be", hint="export the model again", code="bundle_hash_mismatch"
        ) from error


def check_output(folder: str | os.PathLike[str], *, force: bool) -> Path:
    """Whether a bundle could be written here, asked before the long work starts.

    Raises:
        OutputExists: something is there and `force` is off, or what is there is not a bundle.
        StorageError: the parent folder does not exist.
    """
    with system_errors("write the bundle"):
        return _checked_output(Path(os.path.abspath(folder)), force=force)


def _checked_output(target: Path, *, force: bool) -> Path:
    if not target.parent.is_dir():
        raise StorageError("the folder to write into does not exist", hint=f"mkdir -p {target.parent}")
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise OutputExists("the output path is a file or a link", hint="choose another output folder")
    if target.exists() and any(target.iterdir()):
        if not (target / MANIFEST).is_file():
            raise OutputExists(
                "the output folder exists and is not a bundle, so it is never replaced", hint="choose another folder"
            )
        if not force:
            raise OutputExists("the output folder exists already", hint="pass --force to replace the bundle there")
    return target


def write(folder: str | os.PathLike[str], manifest: Manifest, files: Mapping[str, Content], *, force: bool) -> str:
    """Write a bundle whole or not at all; returns its digest.

    Everything goes to a temporary sibling, reaches the disk and is renamed. With `force` an older bundle is moved aside
    first and deleted last, so that at every moment one of the two is complete on disk.

    Raises:
        OutputExists: see `check_output`.
        StorageError: disk full, no permission; the temporary folder is removed.
    """
    target = check_output(folder, force=force)
    data = encode(manifest)
    decode(data)  # what we would refuse to read we do not write
    if {f.name: f for f in manifest.files} != {n: file_entry(n, d) for n, d in files.items()}:
        raise BundleError("the manifest does not describe the files to write", hint="report this as a bug")
    with system_errors("write the bundle"), new_folder(target, replace=force) as staging:
        for name, content in {**files, MANIFEST: data}.items():
            if isinstance(content, bytes):
                write_synced(staging / name, content)
            else:
                copy_synced(staging / name, content)
    return hashlib.sha256(data).hexdigest()
