"""`cloister keygen`: keys of a device or of a publisher."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .options import AsJson


class Role(StrEnum):
    """Whose keys."""

    device = "device"
    publisher = "publisher"


def keygen(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder for the keys; made unless it is there.")],
    role: Annotated[Role, typer.Option(help="device: identity and audit key. publisher: signing key.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the signing key, part of every signature. [default: role and random]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make the keys of a device or of a publisher, readable for you alone and never over others.

    A device gets identity.txt (age) with recipient.txt for the publisher, and audit.key with audit.pub. A publisher
    gets signing.key with signing.pub for the devices.

    Example: cloister keygen keys --role device
    """
    from ..privacy.keygen import PUBLIC, generate

    made = generate(folder, role.value, name)
    public = [str(path) for file, path in made.items() if file in PUBLIC]
    secret = [str(path) for file, path in made.items() if file not in PUBLIC]
    if as_json:
        sys.stdout.write(json.dumps({"role": role.value, "secret": secret, "public": public}) + "\n")
        return
    from .table import show

    show({"secret": ", ".join(secret), "public": ", ".join(public)})
