"""`cloister verify`: whose is a sealed bundle, is it whole, and is it new enough?"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from .options import AsJson, BundleId, Identity, MinVersion


def verify(
    sealed: Annotated[Path, typer.Argument(metavar="SEALED", help="Sealed bundle or file.")],
    public_key: Annotated[str, typer.Option(metavar="P", help="The publisher's public key: FILE or key.")],
    min_version: MinVersion = 0,
    bundle_id: BundleId = None,
    identity: Identity = None,
    remember: Annotated[
        bool, typer.Option("--remember", help="From now on refuse lower versions than this one with this identity.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Verify a sealed bundle's signature, files and version; with --identity also that it opens.

    Nothing is written, but for the minimum that --remember raises, in minimum.json beside the identity.

    Example: cloister verify sealed --public-key signing.pub
    """
    if remember and identity is None:
        raise typer.BadParameter("--remember needs --identity")
    from ..privacy import seal

    demand = seal.Demand(public_key, min_version, bundle_id)
    found = seal.verify(sealed, demand, identity=identity, remember=remember)
    if as_json:
        fields = {
            "ok": True,
            "id": found.seal.id,
            "version": found.seal.version,
            "files": len(found.seal.files),
            "size_bytes": found.seal.size,
            "signed_by": list(found.signed_by),
            "opens": identity is not None,
            "minimum": found.minimum,
        }
        sys.stdout.write(json.dumps(fields) + "\n")
        return
    from .table import show

    rows = {
        "verified": f"{found.seal.id}, version {found.seal.version}, {len(found.seal.files)} files",
        "signed by": ", ".join(found.signed_by),
        "opens": "with this identity" if identity is not None else "not tried: no --identity",
    }
    if found.minimum is not None:
        rows["minimum"] = f"version {found.minimum}" + (", from now on" if remember else "")
    show(rows)
