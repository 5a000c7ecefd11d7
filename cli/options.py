"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..privacy.unseal import Unseal


class Provider(StrEnum):
    """Execution providers."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


BundleFolder = Annotated[Path, typer.Argument(help="Bundle folder.")]
ProviderName = Annotated[Provider, typer.Option(help="Execution provider.")]
VariantName = Annotated[str | None, typer.Option(help="Variant by name.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Identity = Annotated[
    str | None,
    typer.Option("--identity", help="For a sealed bundle, the device's identity: FILE, env:NAME or fd:N.", metavar="I"),
]
PublicKey = Annotated[
    str | None,
    typer.Option("--public-key", help="For a sealed bundle, the publisher's public key: FILE or key.", metavar="P"),
]
MinVersion = Annotated[int, typer.Option("--min-version", help="Refuse a sealed bundle of a lower version.", min=0)]
BundleId = Annotated[str | None, typer.Option("--bundle-id", help="Refuse a sealed bundle of another id.")]


def unseal(identity: str | None, public_key: str | None, min_version: int, bundle_id: str | None) -> Unseal | None:
    """What the four options above say; None where none of them was given. Keys come together or not at all."""
    if identity is None and public_key is None and not min_version and bundle_id is None:
        return None
    if identity is None or public_key is None:
        raise typer.BadParameter("a sealed bundle needs both --identity and --public-key")
    from ..privacy.unseal import Unseal

    return Unseal(identity, public_key, min_version, bundle_id)
