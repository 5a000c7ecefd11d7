"""What an export says it did."""

import time
from dataclasses import dataclass
from typing import Any

import msgspec

from ..runtime.manifest import Manifest, Variant


@dataclass(frozen=True)
class Report:
    """What an export did, the fields of `cloister export --json`."""

    bundle: str
    task: str
    path: str
    path_reason: str
    precision: str
    size_bytes: int
    quantized_nodes: int
    float_nodes: int
    parity: dict[str, Any]
    accuracy: dict[str, Any] | None
    variants: list[dict[str, Any]]
    digest: str
    seconds: float


def report(target: object, manifest: Manifest, digest: str, started: float) -> Report:
    """The report of a bundle that was written to `target`; `started` is a `time.monotonic()`.

    A variant of an encoder-decoder counts the parts of both graphs.
    """
    sizes = {f.name: f.bytes for f in manifest.files}
    variants = [_summary(v, sizes) for v in manifest.encoder.variants]
    for component in manifest.components[1:]:
        for made, variant in zip(variants, component.variants, strict=True):
            beside = _summary(variant, sizes)
            made |= {name: made[name] + beside[name] for name in ("size_bytes", "quantized_nodes", "float_nodes")}
    first = manifest.encoder.variants[0]
    return Report(
        bundle=str(target),
        task=manifest.task,
        path=first.path,
        path_reason=first.path_reason,
        precision=",".join(v.precision for v in manifest.encoder.variants),
        size_bytes=sum(sizes.values()),
        quantized_nodes=variants[0]["quantized_nodes"],
        float_nodes=variants[0]["float_nodes"],
        parity=msgspec.to_builtins(first.parity),
        accuracy=msgspec.to_builtins(first.accuracy),
        variants=variants,
        digest=digest,
        seconds=round(time.monotonic() - started, 2),
    )


def _summary(variant: Variant, sizes: dict[str, int]) -> dict[str, Any]:
    """A variant in the report; its size counts tensors that it shares as its own."""
    return {
        "name": variant.name,
        "precision": variant.precision,
        "path": variant.path,
        "providers": variant.providers,
        "size_bytes": sum(sizes[name] for name in (variant.graph, *variant.external)),
        "quantized_nodes": variant.quantized_nodes,
        "float_nodes": variant.float_nodes,
        "parity": msgspec.to_builtins(variant.parity),
        "measured_on": variant.measured_on,
        "accuracy": msgspec.to_builtins(variant.accuracy),
        "generation": msgspec.to_builtins(variant.generation),
    }
