"""The steps of an export, in order: read, trace, calibrate, quantize, keep the contract, compare, write."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from .. import InvalidInput, __version__
from ..runtime import bundle, golden
from ..runtime.manifest import FORMAT_VERSION, Component, Head, Manifest, Precision, TokenizerSettings, Variant
from ..runtime.manifest import Source as Provenance
from ..runtime.measured import Accuracy, Parity
from ..runtime.packing import Tokens
from ..runtime.processor import available_threads
from ..runtime.tokens import TextTokenizer
from . import contract as contracts
from . import parity, report, seq2seq
from .contract import Contract
from .decoder import DecoderSource, is_decoder, read_decoder
from .generator import GOLDEN, Built, build
from .generator import PROVIDERS as DECODER_PROVIDERS
from .head import HeadOptions, Settled, settle
from .reference import with_reference
from .seq2seq_source import is_encoder_decoder
from .source import Source, Text, read
from .store import store
from .texts import CALIBRATION, CONTEXTS, PROBES, probes
from .variants import PRECISIONS, PROVIDERS, Draft, Drafts

Floats = NDArray[np.float32]
Step = Callable[[str], AbstractContextManager[Any]]

_GOLDEN = 12
_LONGEST_PROBE = 2048
# Of the largest output. int8: sums are exact, the rest is rounding that may move a value to the next step. int4:
# a processor without a kernel for 8-bit activations keeps them in float. fp16: other kernels than the twin's.
_TOLERANCE: dict[Precision, float] = {"int8": 0.05, "int4": 0.1, "fp16": 0.02, "fp32": 0.002}
_MAXIMUM_CALIBRATION_TEXTS = 512
_LIBRARIES = ("torch", "transformers", "onnx", "onnxscript", "onnxruntime", "tokenizers")


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


def export(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    task: str | None = None,
    precision: str | Sequence[str] | None = None,
    calibration: Sequence[str] | None = None,
    contract: Contract | None = None,
    head: HeadOptions | None = None,
    provenance: Mapping[str, str] | None = None,
    force: bool = False,
    step: Step = nullcontext,
) -> Report:
    """Export a fine-tuned model to a bundle, written whole or not at all.

    Args:
        source: a folder written by `save_pretrained` (or by sentence-transformers), or a hub id.
        out: folder to write.
        task: one of the supported tasks; told from the model's config when None.
        precision: `int8` (row-wise, with smoothed activations), `int4` (weights), `fp16` (for CUDA), `fp32`; several in
            a list or separated by commas make a bundle with as many variants, the preferred one first. None takes
            int8, and int4 for models that write text.
        provenance: what the bundle's manifest says of where the model came from: data, code, seeds, licences.
        calibration: texts of the model's domain, at most 512 are read; the built-in set when None. Of them the bundle
            keeps ranges of activations, and counts of labels, scores and lengths for monitoring.
        contract: labelled data and how much quality may be lost on it; integer variants return layers to float until
            it is kept.
        head: thresholds of labels, hypothesis of zero-shot classification.
        force: replace a bundle that is already at `out`.
        step: called with the name of each step, to show progress; what it yields, if anything, is called with the
            share that is done.

    Raises:
        InvalidInput: an unknown precision, or data that does not fit the model.
        ExportError: the model cannot be exported.
        DriftError: a variant differs from the source by more than its precision's limits, or the contract cannot be
            kept.
        OutputExists, StorageError: `out` cannot be written.
    """
    started = time.monotonic()
    if precision is not None:
        _precisions(precision)
    target = bundle.check_output(out, force=force)
    if is_decoder(os.fspath(source), task):
        chosen = _precisions("int4" if precision is None else precision)
        if contract is not None or calibration is not None or (head is not None and head != HeadOptions()):
            raise InvalidInput(
                "a model that writes text takes no labelled data, calibration or head options",
                hint="leave out --eval, --calibration, --threshold and --template",
            )
        return _export_decoder(os.fspath(source), target, chosen, dict(provenance or {}), started, step, force=force)
    precisions = _precisions("int8" if precision is None else precision)
    texts = list(CALIBRATION) if calibration is None else _calibration(calibration)
    if is_encoder_decoder(os.fspath(source), task):
        if contract is not None or (head or HeadOptions()) != HeadOptions():
            raise InvalidInput(
                "a model that writes text has no labels to measure", hint="leave out --eval and the like"
            )
        return _encoder_decoder(
            source,
            target,
            task,
            precisions,
            texts if calibration is not None else None,
            provenance,
            force,
            step,
            started,
        )
    with step("Reading the model"):
        loaded = read(os.fspath(source), task)
        settled = settle(head or HeadOptions(), loaded)
        manifest = provisional(loaded, settled, "none" if set(precisions) <= {"fp32", "fp16"} else _origin(calibration))
        tokenizer = TextTokenizer(loaded.tokenizer_json.encode(), manifest.tokenizer)
        trial = None if contract is None else contracts.prepare(contract, manifest, tokenizer)
        probe_texts = _probes(loaded)
        parity.same_tokens(loaded, probe_texts, _tokens(tokenizer, probe_texts))
        wanted = parity.reference(loaded, probe_texts)
    drafts = Drafts(loaded, _tokens(tokenizer, loaded.asked(texts)), manifest.tokenizer.padding_id)
    with step("Tracing the graph"):
        _ = drafts.traced
    if trial is not None:
        with step("Measuring the source model") as advance:
            trial.measure_source(loaded, advance)

    def close_to_source(draft: Draft) -> None:
        got = parity.run(loaded, drafts.encoder(draft), probe_texts, _tokens(tokenizer, probe_texts))
        parity.gate(parity.compare(loaded, wanted, got), wanted, draft.precision)

    made: list[Draft] = []
    kept: dict[str, contracts.Kept] = {}
    for name in precisions:
        with step(f"Quantizing to {name}" if name.startswith("int") else f"Preparing {name}"):
            choices = drafts.plan(name) if name.startswith("int") else []
            draft = drafts.draft(name, choices)
        if trial is not None:
            kept[name] = contracts.keep(trial, drafts, draft, choices, step, close_to_source)
            draft = kept[name].draft
        made.append(draft)
    with step("Comparing with the source model"):
        stored = store({draft.precision: draft.model for draft in made}, "encoder")
        files = {"tokenizer.json": loaded.tokenizer_json.encode()}
        if loaded.dense is not None:
            files["head.weights"] = loaded.dense.encode()
        variants: list[Variant] = []
        outputs: dict[str, list[Floats]] = {}
        golden_texts = _golden(loaded)
        for draft in made:
            of = stored[draft.precision]
            graph = "encoder.onnx" if len(made) == 1 else f"encoder.{draft.precision}.onnx"
            files |= {graph: of.graph, **of.files}
            encoder = drafts.encoder(draft, of if draft.twin is draft.model else None)
            got = parity.run(loaded, encoder, probe_texts, _tokens(tokenizer, probe_texts))
            figures = parity.compare(loaded, wanted, got)
            parity.gate(figures, wanted, draft.precision)
            outputs[draft.precision] = encoder.forward(_tokens(tokenizer, golden_texts))
            largest = max(float(np.abs(o).max()) for o in outputs[draft.precision])
            accuracy = kept[draft.precision].accuracy if draft.precision in kept else None
            variants.append(_variant(draft, graph, [of.weights, *of.shared], figures, accuracy, largest))
        files["golden.json"] = golden.encode(golden_texts, outputs)
        files |= report.files(kept)
        manifest = msgspec.structs.replace(
            manifest,
            components=[Component(kind="encoder", variants=variants)],
            source=msgspec.structs.replace(manifest.source, provenance=dict(provenance or {})),
            reports=sorted(set(files) & {report.TABLE, report.CHART}),
            files=[bundle.file_entry(name, data) for name, data in sorted(files.items())],
        )
        seen = (calibration and texts) if contract is None else contract.data.inputs
        manifest = with_reference(manifest, files, tokenizer, drafts.encoder(made[0]), seen)
    with step("Writing the bundle"):
        digest = bundle.write(target, manifest, files, force=force)
    return _report(target, manifest, variants, digest, started)


def _export_decoder(
    source: str,
    target: Path,
    precisions: Sequence[Precision],
    provenance: dict[str, str],
    started: float,
    step: Step,
    *,
    force: bool,
) -> Report:
    with ExitStack() as stack:
        with step("Reading the model"):
            loaded = stack.enter_context(read_decoder(source))
        built: dict[str, Built] = {}
        for name in precisions:
            with step(f"Building {name}, comparing with the source model"):
                stem = "generator" if len(precisions) == 1 else f"generator.{name}"
                built[stem] = build(loaded, name, available_threads(), stem)
        manifest, files = _generator(loaded, dict(zip(precisions, built.items(), strict=True)), provenance)
        with step("Writing the bundle"):
            digest = bundle.write(target, manifest, files, force=force)
    return _report(target, manifest, manifest.encoder.variants, digest, started)


def _generator(
    loaded: DecoderSource, built: Mapping[Precision, tuple[str, Built]], provenance: dict[str, str]
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
                providers=[DECODER_PROVIDERS[name]],
                cpu_features=[],
                quantized_nodes=one.quantized,
                float_nodes=one.left,
                parity=one.parity,
                tolerance=_TOLERANCE[name] * max(largest, 1e-6),
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
            versions={"cloister": __version__} | {name: version(name) for name in (*_LIBRARIES, "onnxruntime-genai")},
            calibration="none",
            provenance=provenance,
        ),
        files=[bundle.file_entry(name, data) for name, data in sorted(files.items())],
        generator=msgspec.structs.replace(settings, model_type=first.model_type),
    )
    return manifest, files


def _report(
    target: object,
    manifest: Manifest,
    variants: Sequence[Variant],
    digest: str,
    started: float,
) -> Report:
    first = variants[0]
    sizes = {f.name: f.bytes for f in manifest.files}
    return Report(
        bundle=str(target),
        task=manifest.task,
        path=first.path,
        path_reason=first.path_reason,
        precision=",".join(v.precision for v in variants),
        size_bytes=sum(sizes.values()),
        quantized_nodes=first.quantized_nodes,
        float_nodes=first.float_nodes,
        parity=msgspec.to_builtins(first.parity),
        accuracy=msgspec.to_builtins(first.accuracy),
        variants=[_summary(v, sizes) for v in variants],
        digest=digest,
        seconds=round(time.monotonic() - started, 2),
    )


def _encoder_decoder(
    source: str | os.PathLike[str],
    target: Path,
    task: str | None,
    precisions: Sequence[Precision],
    calibration: Sequence[str] | None,
    provenance: Mapping[str, str] | None,
    force: bool,
    step: Step,
    started: float,
) -> Report:
    manifest, files, digest = seq2seq.export(
        os.fspath(source),
        target,
        task=task,
        precisions=precisions,
        calibration=calibration,
        provenance=provenance or {},
        force=force,
        step=step,
    )
    pairs = list(zip(*(component.variants for component in manifest.components), strict=True))
    sizes = {name: len(data) for name, data in files.items()}
    variants = [_summary(encoder, sizes) for encoder, _ in pairs]
    for made, (_, decoder) in zip(variants, pairs, strict=True):
        beside = _summary(decoder, sizes)
        made |= {n: made[n] + beside[n] for n in ("size_bytes", "quantized_nodes", "float_nodes")}
    first = pairs[0][0]
    return Report(
        bundle=str(target),
        task=manifest.task,
        path=first.path,
        path_reason=first.path_reason,
        precision=",".join(precisions),
        size_bytes=sum(sizes.values()),
        quantized_nodes=variants[0]["quantized_nodes"],
        float_nodes=variants[0]["float_nodes"],
        parity=msgspec.to_builtins(first.parity),
        accuracy=None,
        variants=variants,
        digest=digest,
        seconds=round(time.monotonic() - started, 2),
    )


def _precisions(asked: str | Sequence[str]) -> list[Precision]:
    names = [n.strip() for n in asked.split(",")] if isinstance(asked, str) else list(asked)
    if not names or len(set(names)) != len(names) or not set(names) <= set(PRECISIONS):
        raise InvalidInput(
            "unknown precision, or one named twice", hint=f"precision is one or more of {', '.join(PRECISIONS)}"
        )
    return cast(list[Precision], names)


def _origin(calibration: Sequence[str] | None) -> str:
    return "built-in" if calibration is None else "user"


def provisional(source: Source, settled: Settled, calibration: str) -> Manifest:
    """What is known of a bundle before its variants are made; `calibration` is where those texts came from."""
    return Manifest(
        format_version=FORMAT_VERSION,
        task=source.task,
        labels=source.labels,
        problem=settled.problem,
        pooling=source.pooling,
        normalized=source.normalized,
        tokenizer=TokenizerSettings(
            file="tokenizer.json",
            window=source.window,
            padding_id=getattr(source.config, "pad_token_id", None) or 0,
            token_types=source.token_types,
            first_position=source.first_position,
            mask_id=source.mask_id,
        ),
        components=[],
        golden="golden.json",
        source=Provenance(
            name=source.name,
            architecture=source.architecture,
            model_type=str(source.config.model_type),
            weights_sha256=source.weights_sha256,
            versions={"cloister": __version__} | {name: version(name) for name in _LIBRARIES},
            calibration=cast(Any, calibration),
        ),
        files=[],
        thresholds=settled.thresholds,
        activation=source.activation,
        zero_shot=settled.zero_shot,
        head=None if source.dense is None else Head(file="head.weights", inputs=source.dense.weights.shape[1]),
    )


def _variant(
    draft: Draft, graph: str, external: list[str], figures: Parity, accuracy: Accuracy | None, largest: float
) -> Variant:
    return Variant(
        name=draft.precision,
        precision=draft.precision,
        path=draft.path,
        path_reason=draft.reason,
        graph=graph,
        weights=external[0],
        shared=external[1:],
        providers=PROVIDERS[draft.precision],
        cpu_features=[],
        saturation_safe=True if draft.precision == "int8" else None,
        quantized_nodes=draft.quantized,
        float_nodes=draft.left,
        parity=figures,
        tolerance=_TOLERANCE[draft.precision] * max(largest, 1e-6),
        measured_on="provider" if draft.twin is draft.model and "cpu" in PROVIDERS[draft.precision] else "cpu twin",
        accuracy=accuracy,
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


def _calibration(texts: Sequence[str]) -> list[str]:
    chosen = [t for t in texts if isinstance(t, str) and t.strip()][:_MAXIMUM_CALIBRATION_TEXTS]
    if not chosen:
        raise InvalidInput("there is no calibration text", hint="give at least a few dozen texts of your domain")
    return chosen


def _tokens(tokenizer: TextTokenizer, texts: Sequence[Text]) -> list[Tokens]:
    return tokenizer.encode(texts, truncate=True)[0]


def _probes(source: Source) -> list[Text]:
    asked = source.asked(probes(min(source.window, _LONGEST_PROBE)))
    return asked if source.head == "masked" else [*asked, *CONTEXTS]


def _golden(source: Source) -> list[Text]:
    if source.task == "question-answering":
        return list(CONTEXTS[:3])
    return source.asked(PROBES[: 4 if source.head == "masked" else _GOLDEN])
