"""The steps of an export, in order: read, trace, calibrate, quantize, compare, write."""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal, cast

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from .. import ExportError, InvalidInput, __version__
from ..runtime import bundle, golden
from ..runtime.encoder import Encoder
from ..runtime.manifest import FORMAT_VERSION, Component, Head, Manifest, TokenizerSettings, Variant, is_per_token
from ..runtime.manifest import Source as Provenance
from ..runtime.packing import Tokens
from ..runtime.processor import available_threads
from ..runtime.session import Session
from ..runtime.tokens import TextTokenizer
from . import parity
from .calibrate import observe
from .graph import strip
from .quantize import linears, quantize, quantize_tables
from .source import Source, read
from .texts import CALIBRATION, CONTEXTS, PROBES, probes
from .trace import Traced, trace

Floats = NDArray[np.float32]
Precision = Literal["int8", "fp32"]
Step = Callable[[str], AbstractContextManager[Any]]
Text = str | tuple[str, str]

_GOLDEN = 12
_TOLERANCE = {"int8": 0.05, "fp32": 0.002}
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
    parity: dict[str, float | int | None]
    accuracy: dict[str, float] | None
    digest: str
    seconds: float


def export(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    task: str | None = None,
    precision: Precision = "int8",
    calibration: Sequence[str] | None = None,
    force: bool = False,
    step: Step = nullcontext,
) -> Report:
    """Export a fine-tuned model to a bundle, written whole or not at all.

    Args:
        source: a folder written by `save_pretrained` (or by sentence-transformers), or a hub id.
        out: folder to write.
        task: one of the supported tasks; told from the model's config when None.
        precision: `int8` (row-wise, with smoothed activations) or `fp32`.
        calibration: texts of the model's domain, at most 512 are read; the built-in set when None. Only the ranges of
            activations are kept of them.
        force: replace a bundle that is already at `out`.
        step: called with the name of each step, to show progress.

    Raises:
        ExportError: the model cannot be exported.
        DriftError: the exported model differs from the source by more than the precision's limits.
        OutputExists, StorageError: `out` cannot be written.
    """
    started = time.monotonic()
    if precision not in _TOLERANCE:
        raise InvalidInput("unknown precision", hint="precision is int8 or fp32")
    texts = list(CALIBRATION) if calibration is None else _calibration(calibration)
    target = bundle.check_output(out, force=force)
    with step("Reading the model"):
        loaded = read(os.fspath(source), task)
        settings = TokenizerSettings(
            file="tokenizer.json",
            window=loaded.window,
            padding_id=getattr(loaded.config, "pad_token_id", None) or 0,
            token_types=loaded.token_types,
            first_position=loaded.first_position,
        )
        tokenizer = TextTokenizer(loaded.tokenizer_json.encode(), settings)
        probe_texts = _probes(loaded)
        parity.same_tokens(loaded, probe_texts, _tokens(tokenizer, probe_texts))
        wanted = parity.reference(loaded, probe_texts)
    with step("Tracing the graph"):
        traced = trace(loaded)
    with step("Quantizing" if precision == "int8" else "Preparing weights"):
        quantized, left = _to_precision(traced, loaded, precision, _tokens(tokenizer, texts))
        strip(traced.model)
        graph, weights = serialize(traced.model, "encoder.weights")
    provenance = Provenance(
        name=loaded.name,
        architecture=loaded.architecture,
        model_type=str(loaded.config.model_type),
        weights_sha256=loaded.weights_sha256,
        versions={"cloister": __version__} | {name: version(name) for name in _LIBRARIES},
        calibration="none" if precision == "fp32" else "built-in" if calibration is None else "user",
    )
    with step("Comparing with the source model"):
        files = {"encoder.onnx": graph, "encoder.weights": weights, "tokenizer.json": loaded.tokenizer_json.encode()}
        if loaded.dense is not None:
            files["head.weights"] = loaded.dense.encode()
        encoder = Encoder(
            Session(graph, {"encoder.weights": weights}, provider="cpu", threads=available_threads()),
            packed=traced.path == "packed",
            per_token=is_per_token(loaded.task, loaded.pooling),
            pooling=loaded.pooling,
            first_position=settings.first_position,
            padding_id=settings.padding_id,
            head=loaded.dense,
        )
        figures = parity.compare(loaded, wanted, encoder.forward(_tokens(tokenizer, probe_texts)))
        parity.gate(figures, wanted, precision)
        golden_texts, outputs = _golden(loaded, encoder, tokenizer)
        files["golden.json"] = golden.encode(golden_texts, {precision: outputs})
        largest = max(float(np.abs(o).max()) for o in outputs)
    variant = Variant(
        name=precision,
        precision=precision,
        path=traced.path,
        path_reason=traced.reason,
        graph="encoder.onnx",
        weights="encoder.weights",
        providers=["cpu"],
        cpu_features=[],
        quantized_nodes=quantized,
        float_nodes=left,
        parity=figures,
        tolerance=_TOLERANCE[precision] * max(largest, 1e-6),
    )
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        task=loaded.task,
        labels=loaded.labels,
        problem=loaded.problem,
        pooling=loaded.pooling,
        normalized=loaded.normalized,
        tokenizer=settings,
        components=[Component(kind="encoder", variants=[variant])],
        golden="golden.json",
        source=provenance,
        files=[bundle.file_entry(name, data) for name, data in sorted(files.items())],
        head=None if loaded.dense is None else Head(file="head.weights", inputs=loaded.dense.weights.shape[1]),
    )
    with step("Writing the bundle"):
        digest = bundle.write(target, manifest, files, force=force)
    return Report(
        bundle=str(target),
        task=loaded.task,
        path=traced.path,
        path_reason=traced.reason,
        precision=precision,
        size_bytes=sum(map(len, files.values())),
        quantized_nodes=quantized,
        float_nodes=left,
        parity={name: getattr(figures, name) for name in figures.__struct_fields__},
        accuracy=None,
        digest=digest,
        seconds=round(time.monotonic() - started, 2),
    )


def _calibration(texts: Sequence[str]) -> list[str]:
    chosen = [t for t in texts if isinstance(t, str) and t.strip()][:_MAXIMUM_CALIBRATION_TEXTS]
    if not chosen:
        raise InvalidInput("there is no calibration text", hint="give at least a few dozen texts of your domain")
    return chosen


def _tokens(tokenizer: TextTokenizer, texts: Sequence[Text]) -> list[Tokens]:
    return tokenizer.encode(texts, truncate=True)[0]


def _probes(source: Source) -> list[Text]:
    if source.task == "question-answering":
        return [*CONTEXTS, *(("What happened?", text) for text in probes(source.window) if text.strip())]
    return [*probes(source.window), *(CONTEXTS if source.task != "token-classification" else ())]


def _to_precision(traced: Traced, source: Source, precision: Precision, texts: list[Tokens]) -> tuple[int, int]:
    """Quantize in place; returns how many linear layers of the stack are in integers and how many are left in float."""
    layers = linears(traced.model.graph, traced.stack)
    total = sum(len(products) for layer in layers for products in layer.products)
    if precision == "fp32":
        return 0, total
    if not layers:
        raise ExportError(
            "no linear layer could be quantized",
            hint="export with --precision fp32, and report the architecture",
            code="nothing_quantized",
        )
    seen = observe(
        traced.model,
        layers,
        texts,
        packed=traced.path == "packed",
        first_position=source.first_position,
        threads=available_threads(),
    )
    quantize(traced.model, layers, seen)
    quantize_tables(traced.model)
    return total, 0


def serialize(model: ir.Model, weights_name: str) -> tuple[bytes, bytes]:
    """A graph and its weights as ONNX external data: every initializer of 1 KiB and more, 64-byte aligned."""
    blob = bytearray()
    for value in model.graph.initializers.values():
        tensor = value.const_value
        if tensor is None or tensor.nbytes < 1024:
            continue
        blob.extend(bytes(-len(blob) % 64))
        offset = len(blob)
        blob.extend(tensor.tobytes())
        value.const_value = ir.ExternalTensor(
            weights_name, offset, tensor.nbytes, tensor.dtype, shape=cast(ir.Shape, tensor.shape), name=value.name or ""
        )
    return ir.to_proto(model).SerializeToString(), bytes(blob)


def _golden(source: Source, encoder: Encoder, tokenizer: TextTokenizer) -> tuple[list[Text], list[Floats]]:
    texts: list[Text] = list(CONTEXTS[:3]) if source.task == "question-answering" else list(PROBES[:_GOLDEN])
    return texts, encoder.forward(_tokens(tokenizer, texts))
