"""A model folder written whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .. import OutputExists, StorageError


def check_folder(out: str | os.PathLike[str], *, force: bool) -> Path:
    """Whether a model folder could be written here, asked before the long work starts.

    Raises:
        OutputExists: something is there and `force` is off, or what is there is not a model folder.
        StorageError: the parent folder does not exist.
    """
    target = Path(os.path.abspath(out))
    if not target.parent.is_dir():
        raise StorageError("the folder to write into does not exist", hint=f"mkdir -p {target.parent}")
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise OutputExists("the output path is a file or a link", hint="choose another output folder")
    if target.exists() and any(target.iterdir()):
        if not (target / "config.json").is_file():
            raise OutputExists("the output folder exists and is not a model folder", hint="choose another folder")
        if not force:
            raise OutputExists("the output folder exists already", hint="pass --force to replace the model there")
    return target


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """A temporary sibling to write into; it takes the target's place at the end, and is removed on an error."""
    try:
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
        try:
            yield staging
            staging.chmod(0o755)
            _swap(staging, target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StorageError(f"cannot write the model: {reason}", hint="check free space and permissions") from error


def _swap(staging: Path, target: Path) -> None:
    if not target.exists():
        staging.rename(target)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".replaced", dir=target.parent))
    try:
        target.rename(aside)
        try:
            staging.rename(target)
        except OSError:
            aside.rename(target)
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
