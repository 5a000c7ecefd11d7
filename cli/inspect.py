"""`cloister inspect`: what a bundle is, without running it."""

import json
import sys
from typing import Any

from .. import CloisterError
from . import writes
from .options import AsJson, BundleFolder, BundleId, Identity, MinVersion, PublicKey, unseal
from .table import accuracy, generation, show


def inspect(
    bundle: BundleFolder,
    identity: Identity = None,
    public_key: PublicKey = None,
    min_version: MinVersion = 0,
    bundle_id: BundleId = None,
    as_json: AsJson = False,
) -> None:
    """Show a bundle's task, labels, variants, figures, digest and origin.

    Every file is verified against the manifest first. Example: cloister inspect sentiment
    """
    import msgspec

    from ..runtime.bundle import read

    keys = unseal(identity, public_key, min_version, bundle_id)
    found = read(bundle, unseal=keys, keep=lambda manifest: manifest.reports)
    manifest = found.manifest
    if as_json:
        fields: dict[str, Any] = {"digest": found.digest, "size_bytes": found.size, **msgspec.to_builtins(manifest)}
        table = found.files.get("accuracy.json") if "accuracy.json" in manifest.reports else None
        fields["accuracy"] = None if table is None else json.loads(table)["variants"]
        sys.stdout.write(json.dumps(fields, ensure_ascii=False) + "\n")
        return
    rows: dict[str, str] = {"task": manifest.task}
    if found.sealed:
        rows["sealed"] = "yes; opened in memory"
    if manifest.labels:
        rows["labels"] = _shortened(manifest.labels)
    if manifest.pooling:
        rows["pooling"] = manifest.pooling + (", normalized" if manifest.normalized else "")
    if manifest.thresholds:
        rows["thresholds"] = _shortened(
            [f"{n} {t:g}" for n, t in zip(manifest.labels, manifest.thresholds, strict=True)]
        )
    if manifest.zero_shot:
        several = "several labels may fit" if manifest.problem == "multi_label" else "one label fits"
        rows["hypothesis"] = f"{manifest.zero_shot.template} ({several})"
    if manifest.task in ("text-ranking", "sentence-similarity"):
        rows["score"] = "cosine" if manifest.pooling else {"none": "as it comes"}.get(manifest.activation, "sigmoid")
    rows["window"] = f"{manifest.tokenizer.window} tokens"
    rows |= writes.rows(manifest, {entry.name: entry.bytes for entry in manifest.files})
    for variant in manifest.encoder.variants:
        figures = variant.parity
        rows[f"variant {variant.name}"] = (
            f"{variant.precision} for {', '.join(variant.providers)}, {variant.path} path ({variant.path_reason})"
        )
        if variant.precision == "int8":
            rows["  sums"] = (
                "exact on every processor" if variant.saturation_safe else "may saturate without VNNI; widened there"
            )
        parts = [v for component in manifest.components for v in component.variants if v.name == variant.name]
        integers, floats = sum(v.quantized_nodes for v in parts), sum(v.float_nodes for v in parts)
        rows["  layers"] = f"{integers} linear layers in integers, {floats} in float"
        rows["  parity"] = (
            f"cosine mean {figures.cosine_mean:.5f}, least {figures.cosine_min:.5f}, largest error "
            f"{figures.max_abs_error:.4g} over {figures.samples} texts"
        )
        if variant.measured_on == "cpu twin":
            rows["  parity"] += ", on a CPU twin: checked again when it first loads"
        if figures.label_agreement is not None:
            told = "  labels" if manifest.generator is None and manifest.encoder_decoder is None else "  best token"
            rows[told] = f"{figures.label_agreement:.1%} equal to the source model's"
        if variant.generation is not None:
            rows["  text"] = generation(msgspec.to_builtins(variant.generation))
        if variant.accuracy is not None:
            rows["  accuracy"] = accuracy(msgspec.to_builtins(variant.accuracy))
        rows = {name.replace("  ", f"{variant.name} ", 1): value for name, value in rows.items()}
    if manifest.head is not None:
        rows["head"] = _head(manifest.head)
    if not any(v.accuracy for v in manifest.encoder.variants):
        rows["accuracy"] = "not measured on data of yours"
    if manifest.reports:
        rows["reports"] = ", ".join(manifest.reports)
    rows["here"] = _here(manifest)
    rows["size"] = f"{found.size / 1e6:.1f} MB in {len(manifest.files) + 1} files"
    rows["digest"] = found.digest
    origin = manifest.source
    rows["source"] = f"{origin.name} ({origin.architecture}), weights {origin.weights_sha256[:16]}…"
    rows["calibration"] = origin.calibration
    rows |= {f"says {name}": value for name, value in origin.provenance.items()}
    rows["made with"] = ", ".join(f"{name} {number}" for name, number in origin.versions.items())
    show(rows)


def _here(manifest: Any) -> str:
    """Which variant this machine would run, and why."""
    from ..runtime.selection import select, this_machine

    try:
        first = select(manifest.encoder.variants, "auto", None, this_machine())[0]
    except CloisterError as error:
        return f"does not run on this machine: {error.message}"
    return f"{first.variant.name} on {first.provider}: {first.reason}"


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
