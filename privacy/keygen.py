"""Keys of a device and of a publisher, made apart and never written over another."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Literal

from .. import OutputExists, StorageError
from . import age
from .notes import SecretKey
from .storage import sync_folder, system_errors, write_whole

Role = Literal["device", "publisher"]

IDENTITY, RECIPIENT = "identity.txt", "recipient.txt"
AUDIT_KEY, AUDIT_PUBLIC = "audit.key", "audit.pub"
SIGNING_KEY, SIGNING_PUBLIC = "signing.key", "signing.pub"

_FILES = {
    "device": (IDENTITY, RECIPIENT, AUDIT_KEY, AUDIT_PUBLIC),
    "publisher": (SIGNING_KEY, SIGNING_PUBLIC),
}
PUBLIC = (RECIPIENT, AUDIT_PUBLIC, SIGNING_PUBLIC)


def generate(folder: str | os.PathLike[str], role: Role, name: str | None = None) -> dict[str, Path]:
    """Make the keys of a role: all of them or none.

    Args:
        folder: made with mode 0700 unless it is there. It must hold no key of either role yet.
        role: `device`: an age identity and its recipient, and the key of its audit log; `publisher`: a key that signs.
        name: of the signing key, part of every signature; by default the role and eight random letters.

    Returns:
        The files by name. Secret ones have mode 0600.

    Raises:
        OutputExists: there are keys already.
        KeyFileError: no key may have this name.
        StorageError: the operating system refused; nothing is left behind.
    """
    target = Path(os.path.abspath(folder))
    signer = SecretKey.generate(name or f"{role}-{secrets.token_hex(4)}")
    contents = _device(signer) if role == "device" else _publisher(signer)
    if not target.parent.is_dir():
        raise StorageError("the folder to write into does not exist", hint=f"mkdir -p {target.parent}")
    with system_errors("write the keys"):
        fresh = not target.exists()
        if fresh:
            target.mkdir(mode=0o700)
        made: list[Path] = []
        try:
            for present in (n for names in _FILES.values() for n in names if os.path.lexists(target / n)):
                raise OutputExists(
                    f"{present} is there already; a key is never overwritten, and roles never share a folder",
                    hint="choose another folder",
                )
            for file, text in contents.items():
                write_whole(target / file, text.encode(), mode=0o644 if file in PUBLIC else 0o600)
                made.append(target / file)
        except BaseException:
            for path in made:
                path.unlink(missing_ok=True)
            if fresh:
                with suppress(OSError):  # somebody else uses it by now
                    target.rmdir()
            raise
        if fresh:
            sync_folder(target.parent)
    return {file: target / file for file in contents}


def _device(signer: SecretKey) -> dict[str, str]:
    identity, recipient = age.generate()
    return {
        IDENTITY: f"# public key: {recipient}\n{identity}\n",
        RECIPIENT: f"{recipient}\n",
        AUDIT_KEY: f"{signer.line}\n",
        AUDIT_PUBLIC: f"{signer.public.line}\n",
    }


def _publisher(signer: SecretKey) -> dict[str, str]:
    return {SIGNING_KEY: f"{signer.line}\n", SIGNING_PUBLIC: f"{signer.public.line}\n"}
