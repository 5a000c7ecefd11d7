"""`cloister open`: what a seal holds, written out in the clear."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from .options import AsJson, BundleId, MinVersion


def open_(
    sealed: Annotated[Path, typer.Argument(metavar="SEALED", help="Sealed bundle or file.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder (of a bundle) or file to write.")],
    identity: Annotated[str, typer.Option(metavar="I", help="The identity: FILE, env:NAME or fd:N.")],
    public_key: Annotated[str, typer.Option(metavar="P", help="The publisher's public key: FILE or key.")],
    min_version: MinVersion = 0,
    bundle_id: BundleId = None,
    as_json: AsJson = False,
) -> None:
    """Write out a sealed bundle or file in the clear, for you alone to read. Loading one does not need this.

    Example: cloister open sealed opened --identity identity.txt --public-key signing.pub
    """
    from ..privacy.seal import open_sealed, write_opened
    from ..privacy.unseal import Unseal

    with open_sealed(sealed, Unseal(identity, public_key, min_version, bundle_id)) as opened:
        write_opened(out, opened)
    fields = {
        "opened": str(out),
        "kind": opened.kind,
        "id": opened.seal.id,
        "version": opened.seal.version,
        "files": len(opened.names),
    }
    if as_json:
        sys.stdout.write(json.dumps(fields) + "\n")
        return
    from .table import show

    show({"opened": f"{out}, in the clear", "id": f"{opened.seal.id}, version {opened.seal.version}"})
