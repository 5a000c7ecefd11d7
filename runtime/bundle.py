"""A bundle on disk: read and verified into memory, or written whole."""

import errno
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .. import BundleError, OutputExists, StorageError
from .manifest import MANIFEST, File, Manifest, decode, encode

_MANIFEST_LIMIT = 16 << 20


@dataclass(frozen=True, repr=False)
class Bundle:
    """A verified bundle in memory.

    Attributes:
        manifest: what the bundle is.
        digest: SHA-256 of the manifest's bytes, hexadecimal; since the manifest lists the SHA-256 of every file, it
            identifies the whole bundle.
        files: contents by name, exactly the bytes that were verified.
        listed_bytes: bytes of all files but the manifest.
    """

    manifest: Manifest
    digest: str
    files: Mapping[str, bytes]
    listed_bytes: int

    @property
    def size(self) -> int:
        """Bytes of all files, manifest included."""
        return self.listed_bytes + len(encode(self.manifest))


def file_entry(name: str, data: bytes) -> File:
    """The manifest's entry for a file."""
    return File(name=name, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def read(
    folder: str | os.PathLike[str],
    *,
    expected_digest: str | None = None,
    keep: Callable[[Manifest], Collection[str]] | None = None,
) -> Bundle:
    """Read a bundle; every byte is verified before anything is parsed.

    Args:
        folder: the bundle's folder.
        expected_digest: what the SHA-256 of the manifest must be.
        keep: names the files whose contents are wanted; the others are verified all the same, and not held in memory.

    Raises:
        BundleError: damaged, incomplete, with unlisted files, of an unknown format, or not the expected bundle.
        StorageError: the operating system refused.
    """
    root = Path(folder)
    with _system_errors("read the bundle"):
        if not root.exists():
            raise BundleError("there is no bundle at the given path", hint="check the path", code="bundle_not_found")
        if not root.is_dir() or not (root / MANIFEST).exists():
            raise BundleError(
                "the path is not a bundle: it has no manifest.json",
                hint="`cloister export MODEL OUT` makes a bundle from a model folder",
                code="bundle_not_found",
            )
        data = _read_regular(root / MANIFEST, _MANIFEST_LIMIT)
        digest = hashlib.sha256(data).hexdigest()
        if expected_digest is not None and digest != expected_digest.lower():
            raise BundleError(
                "the bundle's digest is not the expected one",
                hint="this is another bundle, or the manifest was changed",
                code="bundle_digest_mismatch",
            )
        manifest = decode(data)
        listed = {f.name for f in manifest.files} | {MANIFEST}
        present = {entry.name for entry in os.scandir(root)}
        if present != listed:
            kind = "a file that the manifest does not list" if present - listed else "not all files the manifest lists"
            raise BundleError(
                f"the bundle has {kind}",
                hint="keep nothing else in a bundle's folder; copy the whole folder, or export the model again",
                code="bundle_files_mismatch",
            )
        kept = listed if keep is None else set(keep(manifest))
        return Bundle(manifest, digest, dict(_contents(root, manifest, kept)), sum(f.bytes for f in manifest.files))


def _contents(root: Path, manifest: Manifest, kept: Collection[str]) -> Iterator[tuple[str, bytes]]:
    for entry in manifest.files:
        data = _verified(root, entry)
        if entry.name in kept:
            yield entry.name, data


def _verified(root: Path, entry: File) -> bytes:
    data = _read_regular(root / entry.name, entry.bytes)
    if len(data) != entry.bytes or hashlib.sha256(data).hexdigest() != entry.sha256:
        raise BundleError(
            f"{entry.name} is not the file the manifest describes",
            hint="the bundle was damaged or changed: copy it again, or export the model again",
            code="bundle_hash_mismatch",
        )
    return data


def _read_regular(path: Path, limit: int) -> bytes:
    """Contents of a regular file of at most `limit` bytes, never through a link."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK):
            raise BundleError(
                f"{path.name} is a link", hint="copy the file itself into the bundle", code="bundle_files_mismatch"
            ) from error
        raise
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise BundleError(
                f"{path.name} is not a regular file", hint="export the model again", code="bundle_files_mismatch"
            )
        if status.st_size > limit:
            raise BundleError(
                f"{path.name} is larger than it should be", hint="export the model again", code="bundle_hash_mismatch"
            )
        return file.read(limit + 1)


def check_output(folder: str | os.PathLike[str], *, force: bool) -> Path:
    """Whether a bundle could be written here, asked before the long work starts.

    Raises:
        OutputExists: something is there and `force` is off, or what is there is not a bundle.
        StorageError: the parent folder does not exist.
    """
    with _system_errors("write the bundle"):
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


def write(folder: str | os.PathLike[str], manifest: Manifest, files: Mapping[str, bytes], *, force: bool) -> str:
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
    with _system_errors("write the bundle"):
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
        try:
            for name, content in {**files, MANIFEST: data}.items():
                _write_synced(staging / name, content)
            staging.chmod(0o755)
            _sync_folder(staging)
            _swap(staging, target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        _sync_folder(target.parent)
    return hashlib.sha256(data).hexdigest()


def _swap(staging: Path, target: Path) -> None:
    if not target.exists():
        staging.rename(target)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".replaced", dir=target.parent))
    try:
        target.rename(aside)  # onto an empty folder: allowed, and atomic
        try:
            staging.rename(target)
        except OSError:
            aside.rename(target)
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _system_errors(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StorageError(f"cannot {what}: {reason}", hint="check free space, permissions and the path") from error
