"""`cloister seal`: a bundle or a data file, encrypted for devices and signed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import KeyFileError
from .options import AsJson, Identity, PublicKey, unseal

if TYPE_CHECKING:
    from ..privacy.seal import Contents
    from ..privacy.unseal import Unseal
    from ..runtime.manifest import Manifest


def seal(
    source: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Bundle, sealed bundle, or a single data file.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write.")],
    recipient: Annotated[list[str], typer.Option(help="age1… or a file of them, as a device's recipient.txt.")],
    signing_key: Annotated[list[str], typer.Option(help="The publisher's signing key: FILE, env:NAME or fd:N.")],
    version: Annotated[int, typer.Option(help="Version, rising: devices can refuse older ones.", min=1)],
    name: Annotated[
        str | None, typer.Option("--id", help="What it is a version of. [default: the sealed one's, or: default]")
    ] = None,
    identity: Identity = None,
    public_key: PublicKey = None,
    model_signing: Annotated[
        Path | None, typer.Option(metavar="KEY", help="Also sign with this EC P-256 key for OpenSSF tools, to OUT.sig.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Encrypt a bundle or a file for one or more devices, and sign it.

    Names and contents are readable for the recipients alone; id, version and sizes for all. A sealed bundle can be
    sealed anew for other recipients: give --identity and --public-key to open it.

    Example: cloister seal sentiment sealed --recipient recipient.txt --signing-key signing.key --version 1
    """
    from ..privacy import modelsigning
    from ..privacy.age import parse_recipients
    from ..privacy.keyfiles import read_secret_key
    from ..privacy.seal import DEFAULT_ID, Label
    from ..privacy.seal import seal as write

    recipients = parse_recipients(line for given in recipient for line in _lines(given))
    signers = [read_secret_key(key) for key in signing_key]
    if model_signing is not None:
        modelsigning.require(out, model_signing)
    contents, before = _contents(source, unseal(identity, public_key, 0, None))
    label = Label(version, name or before or DEFAULT_ID)
    made = write(out, contents, label, recipients=recipients, signers=signers)
    if model_signing is not None:
        modelsigning.sign(out, model_signing)
    if as_json:
        fields = {
            "sealed": str(out),
            "kind": contents.kind,
            "id": made.id,
            "version": made.version,
            "files": len(made.files),
            "size_bytes": made.size,
            "recipients": len(recipients.lines),
            "signed_by": [key.name for key in signers],
        }
        sys.stdout.write(json.dumps(fields) + "\n")
        return
    from .table import show

    show(
        {
            "sealed": f"{out} ({made.size / 1e6:.1f} MB in {len(made.files)} encrypted files)",
            "id": f"{made.id}, version {made.version}",
            "recipients": str(len(recipients.lines)),
            "signed by": ", ".join(key.name for key in signers),
        }
    )


def _lines(given: str) -> list[str]:
    """Lines of a file of recipients; a recipient itself is its own line."""
    if given.lower().startswith(("age1", "age-secret-key-")):
        return [given]
    try:
        return Path(given).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise KeyFileError("the file of recipients cannot be read", hint="--recipient age1… or a file") from None


def _contents(source: Path, keys: Unseal | None) -> tuple[Contents, str | None]:
    """What is to be sealed, verified: a bundle, what another seal holds, or one file; and the id it was sealed with."""
    from ..privacy.seal import Contents, open_sealed, read_file
    from ..runtime.bundle import SEAL, read

    if keys is not None and (source / SEAL).is_file():
        with open_sealed(source, keys) as opened:
            if opened.kind == "file":
                return opened.everything(), opened.seal.id
        return Contents("bundle", read(source, unseal=keys).contents), opened.seal.id
    if source.is_file():
        return read_file(source), None
    return Contents("bundle", read(source, unseal=keys, keep=_everything).contents), None


def _everything(manifest: Manifest) -> list[str]:
    from ..runtime.bundle import require_sealable

    require_sealable(manifest)
    return [file.name for file in manifest.files]
