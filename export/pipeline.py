"""The steps of an export, in order: read, trace, calibrate, quantize, keep the contract, compare, write."""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from .. import DriftError, InvalidInput
from ..runtime import bundle, golden
from ..runtime.manifest import FORMAT_VERSION, Component, Head, Manifest, Precision, TokenizerSettings, Variant
from ..runtime.manifest import Source as Provenance
from ..runtime.measured import Accuracy, Parity
from ..runtime.packing import Tokens
from ..runtime.tokens import TextTokenizer
from . import contract as contracts
from . import decoder_bundle, parity, seq2seq
from . import report as tables
from .contract import Contract
from .decoder import is_decoder
from .head import HeadOptions, Settled, settle
from .origin import versions
from .reference import with_reference
from .result import Report, report
from .seq2seq_source import is_encoder_decoder
from .source import Source, Text, read
from .steps import Step
from .store import store
from .texts import CALIBRATION, CONTEXTS, PROBES, probes
from .variants import PRECISIONS, PROVIDERS, TOLERANCE, Draft, Drafts

Floats = NDArray[np.float32]

_GOLDEN = 12
_LONGEST_PROBE = 2048
_MAXIMUM_CALIBRATION_TEXTS = 512


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
        precision: `int8` (smoothed activations, exact sums), `int4` (weights), `fp16` (for CUDA), `fp32`; several in a
            list or separated by commas make a bundle with as many variants, the preferred one first. None takes
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
        manifest, digest = decoder_bundle.export(
            os.fspath(source), target, precisions=chosen, provenance=provenance or {}, force=force, step=step
        )
        return report(target, manifest, digest, started)
    precisions = _precisions("int8" if precision is None else precision)
    texts = list(CALIBRATION) if calibration is None else _calibration(calibration)
    if is_encoder_decoder(os.fspath(source), task):
        if contract is not None or (head or HeadOptions()) != HeadOptions():
            raise InvalidInput(
                "a model that writes text has no labels to measure", hint="leave out --eval and the like"
            )
        manifest, digest = seq2seq.export(
            os.fspath(source),
            target,
            task=task,
            precisions=precisions,
            calibration=None if calibration is None else texts,
            provenance=provenance or {},
            force=force,
            step=step,
        )
        return report(target, manifest, digest, started)
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
        elif any(choice.step is not None for choice in choices):
            with step("Comparing one step for all rows with the source model"):
                draft = _closer(drafts, draft, close_to_source)
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
        files |= tables.files(kept)
        manifest = msgspec.structs.replace(
            manifest,
            components=[Component(kind="encoder", variants=variants)],
            source=msgspec.structs.replace(manifest.source, provenance=dict(provenance or {})),
            reports=sorted(set(files) & {tables.TABLE, tables.CHART}),
            files=[bundle.file_entry(name, data) for name, data in sorted(files.items())],
        )
        seen = (calibration and texts) if contract is None else contract.data.inputs
        manifest = with_reference(manifest, files, tokenizer, drafts.encoder(made[0]), seen)
    with step("Writing the bundle"):
        digest = bundle.write(target, manifest, files, force=force)
    return report(target, manifest, digest, started)


def _closer(drafts: Drafts, draft: Draft, gate: contracts.Gate) -> Draft:
    """An int8 variant as it is where it is within the limits, else with steps of each row's own and the least error."""
    try:
        gate(draft)
    except DriftError:
        return drafts.draft("int8", drafts.plan("int8", least_error=True))
    return draft


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
            versions=versions(),
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
        tolerance=TOLERANCE[draft.precision] * max(largest, 1e-6),
        measured_on="provider" if draft.twin is draft.model and "cpu" in PROVIDERS[draft.precision] else "cpu twin",
        accuracy=accuracy,
    )


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
