"""Export of decoders: read, build with onnxruntime-genai, compare, write."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
import numpy as np

from ..runtime import bundle, golden
from ..runtime.manifest import FORMAT_VERSION, Component, Manifest, Precision, TokenizerSettings, Variant
from ..runtime.manifest import Source as Provenance
from ..runtime.processor import available_threads
from .decoder import DecoderSource, read_decoder
from .generator import GOLDEN, PROVIDERS, Built, build
from .origin import versions
from .steps import Step
from .variants import TOLERANCE


def export(
    source: str,
    target: Path,
    *,
    precisions: Sequence[Precision],
    provenance: Mapping[str, str],
    force: bool,
    step: Step,
) -> tuple[Manifest, str]:
    """Export a decoder; see `pipeline.export`. Returns manifest and digest of what was written."""
    with ExitStack() as stack:
        with step("Reading the model"):
            loaded = stack.enter_context(read_decoder(source))
        built: dict[str, Built] = {}
        for name in precisions:
            with step(f"Building {name}, comparing with the source model"):
                stem = "generator" if len(precisions) == 1 else f"generator.{name}"
                built[stem] = build(loaded, name, available_threads(), stem)
        manifest, files = _contents(loaded, dict(zip(precisions, built.items(), strict=True)), provenance)
        with step("Writing the bundle"):
            digest = bundle.write(target, manifest, files, force=force)
    return manifest, digest


def _contents(
    loaded: DecoderSource, built: Mapping[Precision, tuple[str, Built]], provenance: Mapping[str, str]
) -> tuple[Manifest, dict[str, bundle.Content]]:
    """What a generator's bundle is made of; of each precision the stem of its files and what was built."""
    files: dict[str, bundle.Content] = {"tokenizer.json": loaded.tokenizer_json.encode()}
    if loaded.template is not None:
        files["chat_template.jinja"] = loaded.template.encode()
    variants = []
    for name, (stem, one) in built.items():
        graph = weights = f"{stem}.onnx"
        files[graph] = one.graph
        if one.weights is not None:
            weights = f"{stem}.weights"
            files[weights] = one.weights
        largest = max(float(np.abs(o).max()) for o in one.golden)
        variants.append(
            Variant(
                name=name,
                precision=name,
                path="cached",
                path_reason="it writes token by token",
                graph=graph,
                weights=weights,
                providers=[PROVIDERS[name]],
                cpu_features=[],
                quantized_nodes=one.quantized,
                float_nodes=one.left,
                parity=one.parity,
                tolerance=TOLERANCE[name] * max(largest, 1e-6),
                measured_on="cpu twin" if one.twin else "provider",
                generation=one.figures,
            )
        )
    files["golden.json"] = golden.encode(GOLDEN, {name: one.golden for name, (_, one) in built.items()})
    settings = loaded.settings
    first = next(iter(built.values()))[1]
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        task="text-generation",
        labels=[],
        problem=None,
        pooling=None,
        normalized=False,
        tokenizer=TokenizerSettings(
            file="tokenizer.json",
            window=loaded.window,
            padding_id=settings.padding_id,
            token_types=False,
            first_position=0,
        ),
        components=[Component(kind="generator", variants=variants)],
        golden="golden.json",
        source=Provenance(
            name=loaded.name,
            architecture=type(loaded.model).__name__,
            model_type=str(loaded.model.config.model_type),
            weights_sha256=loaded.weights_sha256,
            versions=versions("onnxruntime-genai"),
            calibration="none",
            provenance=dict(provenance),
        ),
        files=[bundle.file_entry(name, data) for name, data in sorted(files.items())],
        generator=msgspec.structs.replace(settings, model_type=first.model_type),
    )
    return manifest, files
