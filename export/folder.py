"""Where a model folder may be written."""

import os
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
