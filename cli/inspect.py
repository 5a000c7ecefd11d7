"""`cloister inspect`: what a bundle is, without running it."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .options import BundleId, Identity, MinVersion, PublicKey, unseal


def inspect(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder.")],
    identity: Identity = None,
    public_key: PublicKey = None,
    min_version: MinVersion = 0,
    bundle_id: BundleId = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show a bundle's task, labels, variants, figures, digest and origin.

    Every file is verified against the manifest first. Example: cloister inspect sentiment
    """
    import msgspec

    from ..runtime.bundle import read

    found = read(bundle, unseal=unseal(identity, public_key, min_version, bundle_id))
    manifest = found.manifest
    if as_json:
        fields: dict[str, Any] = {"digest": found.digest, "size_bytes": found.size, **msgspec.to_builtins(manifest)}
        sys.stdout.write(json.dumps(fields, ensure_ascii=False) + "\n")
        return
    rows: dict[str, str] = {"task": manifest.task}
    if found.sealed:
        rows["sealed"] = "yes; opened in memory"
    if manifest.labels:
        rows["labels"] = _shortened(manifest.labels)
    if manifest.pooling:
        rows["pooling"] = manifest.pooling + (", normalized" if manifest.normalized else "")
    rows["window"] = f"{manifest.tokenizer.window} tokens"
    for variant in manifest.encoder.variants:
        figures = variant.parity
        rows[f"variant {variant.name}"] = (
            f"{variant.precision} for {', '.join(variant.providers)}, {variant.path} path ({variant.path_reason})"
        )
        rows["  layers"] = f"{variant.quantized_nodes} linear layers in integers, {variant.float_nodes} in float"
        rows["  parity"] = (
            f"cosine mean {figures.cosine_mean:.5f}, least {figures.cosine_min:.5f}, largest error "
            f"{figures.max_abs_error:.4g} over {figures.samples} texts"
        )
        if figures.label_agreement is not None:
            rows["  labels"] = f"{figures.label_agreement:.1%} equal to the source model's"
    if manifest.head is not None:
        rows["head"] = _head(manifest.head)
    rows["accuracy"] = "not measured on data of yours"
    rows["size"] = f"{found.size / 1e6:.1f} MB in {len(manifest.files) + 1} files"
    rows["digest"] = found.digest
    origin = manifest.source
    rows["source"] = f"{origin.name} ({origin.architecture}), weights {origin.weights_sha256[:16]}…"
    rows["calibration"] = origin.calibration
    rows["made with"] = ", ".join(f"{name} {number}" for name, number in origin.versions.items())
    from .table import show

    show(rows)


def _head(head: Any) -> str:
    parts = [f"linear, float, over {head.inputs} values"]
    if head.examples is not None:
        parts.append(f"fitted on {head.examples} examples")
    if head.accuracy is not None:
        parts.append(f"{head.accuracy:.1%} in cross-validation")
    parts.append("scores what is out of scope" if head.out_of_scope else "no out-of-scope score")
    return ", ".join(parts)


def _shortened(labels: list[str], most: int = 12) -> str:
    return ", ".join(labels[:most]) + (f" and {len(labels) - most} more" if len(labels) > most else "")
