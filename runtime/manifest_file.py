"""The file that a manifest is kept in: its bytes, whose SHA-256 is the bundle's digest, and what is read from them."""

import msgspec

from .. import BundleError
from .consistency import check
from .manifest import FORMAT_VERSION, Manifest


class _Version(msgspec.Struct):
    format_version: int


def encode(manifest: Manifest) -> bytes:
    """The bytes that are written, and whose SHA-256 is the bundle's digest: JSON, two spaces, fields in order."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def decode(data: bytes) -> Manifest:
    """Parse and validate a manifest.

    Raises:
        BundleError: not a manifest, a newer format, a wrong type, or parts that contradict each other.
    """
    try:
        version = msgspec.json.decode(data, type=_Version).format_version
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError("the manifest is not a bundle manifest", hint="export the model again") from error
    if version != FORMAT_VERSION:
        raise BundleError(
            f"the bundle has format version {version}, this Cloister reads version {FORMAT_VERSION}",
            hint="it needs a newer Cloister: pip install --upgrade cloister",
            code="bundle_format_unknown",
        )
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # msgspec's message names the field and the expected type, never a value.
        raise BundleError(f"the manifest is invalid: {error}", hint="export the model again") from error
    check(manifest)
    return manifest
