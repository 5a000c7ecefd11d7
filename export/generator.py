"""A decoder -> the graph of a precision, by onnxruntime-genai's model builder, run and compared before it counts."""

import contextlib
import io
import json
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM

from .. import ExportError
from ..runtime.bundle import Content
from ..runtime.decoding import open_decoder
from ..runtime.genai import model_builder
from ..runtime.manifest import GeneratorSettings, Precision
from ..runtime.measured import GenerationParity, Parity
from .decoder import DecoderSource, prompt
from .divergence import compare, gate
from .loading import as_export_error
from .texts import PROBES

Floats = NDArray[np.float32]

PROVIDERS: dict[Precision, str] = {"int4": "cpu", "int8": "cpu", "fp32": "cpu", "fp16": "cuda"}
GOLDEN: tuple[str, ...] = PROBES[:4]
LARGEST = (1 << 31) - (1 << 20)
"""Bytes of weights up to which they are folded into the graph's own file, which protobuf allows to be 2 GiB."""


@dataclass(repr=False)
class Built:
    """A graph of one precision with its figures.

    Attributes:
        graph: a serialized ONNX model, or a file with one.
        weights: a file with its weights; None where they are inside the graph.
        golden: logits after each golden prompt.
        quantized, left: linear layers in integers, and in float.
        twin: whether figures and golden outputs are those of a twin that the processor can run.
    """

    graph: Content
    weights: Path | None
    model_type: str
    parity: Parity
    figures: GenerationParity
    golden: list[Floats]
    quantized: int
    left: int
    twin: bool


@dataclass(frozen=True, repr=False)
class _Graph:
    model: onnx.ModelProto
    """Without the weights where they have a file of their own."""
    file: Path
    weights: Path | None
    model_type: str

    @property
    def content(self) -> Content:
        return self.file if self.weights is not None else self.model.SerializeToString()


def build(source: DecoderSource, precision: Precision, threads: int, name: str = "generator") -> Built:
    """Build a precision's graph, run it and compare.

    fp16 is made for CUDA. Its figures are those of a twin with the same rounded weights in float32, which the
    processor runs; the graph itself is checked when it first loads.

    Args:
        name: of the graph's file in the bundle, without its suffix; large weights lie beside it.

    Raises:
        ExportError: the builder does not know the architecture.
        DriftError: it differs from the source by more than the precision's limit.
    """
    graph = _graph(source, precision, PROVIDERS[precision], name)
    runs = graph
    if PROVIDERS[precision] != "cpu":
        _require_half(graph.model, source.settings)
        runs = _graph(_rounded(source), "fp32", "cpu", f"{name}-twin")
    settings = msgspec.structs.replace(source.settings, model_type=graph.model_type)
    loaded = runs.file if runs.weights is not None else runs.model.SerializeToString()
    decoder = open_decoder(loaded, settings, source.window, provider="cpu", threads=threads)
    with as_export_error("the graph that was built does not run", "export_failed"):
        parity, figures = compare(source, decoder, precision)
    gate(figures, precision)
    kinds = Counter(node.op_type for node in graph.model.graph.node)
    return Built(
        graph=graph.content,
        weights=graph.weights,
        model_type=graph.model_type,
        parity=parity,
        figures=figures,
        golden=[decoder.sequence(source.window).append(prompt(source, text)) for text in GOLDEN],
        quantized=kinds["MatMulNBits"],
        left=kinds["MatMul"] + kinds["Gemm"],
        twin=runs is not graph,
    )


def _rounded(source: DecoderSource) -> DecoderSource:
    """The same model with its weights rounded to float16 and kept in float32."""
    folder = source.scratch / "rounded"
    if not folder.exists():
        causal: Any = AutoModelForCausalLM
        model: Any = causal.from_pretrained(
            source.folder, dtype=torch.float16, local_files_only=True, use_safetensors=True
        )
        model.float().save_pretrained(folder)
        source.tokenizer.save_pretrained(folder)
    return replace(source, folder=folder)


def _require_half(model: onnx.ModelProto, settings: GeneratorSettings) -> None:
    """Whether a graph for CUDA is what it should be, as far as that can be told without running it."""
    half, single = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    types = {v.name: v.type.tensor_type.elem_type for v in (*model.graph.input, *model.graph.output)}
    cached = [name for name in types if name.startswith(("past_key_values.", "present."))]
    attention = sum(node.op_type == "GroupQueryAttention" for node in model.graph.node)
    heavy = [t for t in model.graph.initializer if t.data_type == single and np.prod(t.dims, dtype=np.int64) > 1024]
    fits = (
        len(cached) == 4 * settings.layers
        and all(types[name] == half for name in cached)
        and types.get("logits") in (half, single)
        and attention == settings.layers
        and not heavy
    )
    if not fits:
        raise ExportError(
            "the fp16 graph that was built is not one of float16 with fused attention",
            hint="leave fp16 out of --precision, and report the architecture",
            code="precision_unsupported",
        )


def _graph(source: DecoderSource, precision: Precision, provider: str, name: str) -> _Graph:
    builder: Any = model_builder()
    out = source.scratch / name
    where = ["", str(source.folder), str(out), precision, provider, str(source.scratch / "cache")]
    try:
        with _silent():
            options = builder.parse_extra_options(*where, ["hf_token=false", "prune_lm_head=true"])
            builder.create_model(*where, **options)
    except NotImplementedError as error:
        raise ExportError(
            f"the architecture {source.model.config.architectures[0]} cannot be exported as a generator",
            hint="docs/generation.md lists what is supported",
            code="architecture_unsupported",
        ) from error
    except Exception as error:
        raise ExportError(
            "the model builder of onnxruntime-genai failed on this model",
            hint="check that the folder is complete; docs/generation.md lists supported architectures",
            code="export_failed",
        ) from error
    model_type = str(json.loads((out / "genai_config.json").read_text())["model"]["type"])
    file = out / "model.onnx"
    if sum(path.stat().st_size for path in out.glob("model.onnx*")) <= LARGEST:
        model = onnx.load(file)
        for path in out.iterdir():  # scratch may be in memory
            path.unlink()
        return _Graph(model, file, None, model_type)
    return _beside(out, name, model_type)


def _beside(out: Path, name: str, model_type: str) -> _Graph:
    """Weights of any size in a file beside the graph, under the names that they have in the bundle."""
    file, weights = out / f"{name}.onnx", out / f"{name}.weights"
    (out / "model.onnx.data").rename(weights)
    model = onnx.load(out / "model.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = weights.name
    file.write_bytes(model.SerializeToString())
    (out / "model.onnx").unlink()
    return _Graph(model, file, weights, model_type)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """The builder prints, and logs every layer."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)
