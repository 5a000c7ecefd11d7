"""The one file that imports model_signing: an OpenSSF signature of a sealed folder, for tools that check such ones.

Cloister itself never reads it: the seal's own signature is what is verified. It stands beside the folder, since
a sealed folder holds nothing that its seal does not list.
"""

import importlib
import os
from pathlib import Path
from types import ModuleType

from .. import KeyFileError, MissingExtra, OutputExists, StorageError
from .keyfiles import read_secret, wipe

SUFFIX = ".sig"


def signature_path(folder: str | os.PathLike[str]) -> Path:
    """Where the signature of a folder stands."""
    target = Path(os.path.abspath(folder))
    return target.with_name(target.name + SUFFIX)


def require(folder: str | os.PathLike[str], key: str | os.PathLike[str]) -> None:
    """Whether `sign` could do its work, asked before the folder is made.

    Raises:
        MissingExtra: model-signing is not installed.
        KeyFileError: not the file of an unencrypted EC P-256 key in PEM. Others make model-signing fail half-way.
        OutputExists: there is a signature already.
    """
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    _libraries()
    data = read_secret(key)
    try:
        found = load_pem_private_key(bytes(data), None)
    except (ValueError, TypeError):
        found = None
    finally:
        wipe(data)
    if not isinstance(found, EllipticCurvePrivateKey) or not isinstance(found.curve, SECP256R1):
        raise KeyFileError(
            "the key for model signing is not an unencrypted EC P-256 key in PEM",
            hint="openssl ecparam -name prime256v1 -genkey -noout -out model.key && chmod 600 model.key",
        )
    if os.path.lexists(signature_path(folder)):
        raise OutputExists(f"{signature_path(folder).name} exists already", hint="choose another output path")


def sign(folder: str | os.PathLike[str], key: str | os.PathLike[str]) -> Path:
    """Sign every file of a folder; returns the signature's path.

    Raises:
        MissingExtra, KeyFileError, OutputExists: as `require`.
        StorageError: the signature could not be written.
    """
    require(folder, key)
    signing, hashing = _libraries()
    # The default leaves out what git keeps, so that an added .gitattributes would pass.
    every = hashing.Config().set_ignored_paths(paths=[], ignore_git_paths=False)
    target = signature_path(folder)
    try:
        signer = signing.Config().use_elliptic_key_signer(private_key=os.fspath(key)).set_hashing_config(every)
        signer.sign(os.path.abspath(folder), target)
    except (OSError, ValueError) as error:
        target.unlink(missing_ok=True)
        raise StorageError(
            "the seal is written, its model-signing signature is not", hint="check free space and the key"
        ) from error
    return target


def _libraries() -> tuple[ModuleType, ModuleType]:
    """Its modules for signing and for hashing."""
    try:
        return importlib.import_module("model_signing.signing"), importlib.import_module("model_signing.hashing")
    except ModuleNotFoundError as error:
        raise MissingExtra("model-signing is not installed", hint="pip install 'cloister[model-signing]'") from error
