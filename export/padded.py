"""The padded path: a model through transformers' own ONNX exporter, with the one output that its task needs."""

import logging
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from typing import Any, cast

import numpy as np
import onnx_ir as ir
import torch

from .. import ExportError
from ..runtime.packing import pad
from ..runtime.processor import available_threads
from ..runtime.session import Session
from .graph import Editor, clean, in_memory
from .loading import quiet
from .original import tokenized
from .source import Source
from .texts import CONTEXTS, PROBES

OPSET = 24
OUTPUT = "output"


def quietly_exported(export: Callable[[], Any]) -> ir.Model:
    """Run an exporter without its chatter; every value gets a name of its own."""
    names = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir", "transformers")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), quiet(), torch.no_grad(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            model: ir.Model = export()
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
    clean(model)
    return model


def padded(source: Source) -> ir.Model:
    """The padded graph of a model. Shape of its output: `[B, labels]`, `[B, S, n]` per token, or `[M, n]` per mask.

    Raises:
        ExportError: transformers cannot export it, or onnxruntime cannot run what came out.
    """
    from transformers.exporters import configs, exporter_onnx

    ids = torch.arange(22).reshape(2, 11) % source.config.vocab_size
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    inputs["attention_mask"][1, 7:] = 0
    if source.token_types:
        inputs["token_type_ids"] = torch.zeros_like(ids)
    try:
        config = configs.OnnxConfig(dynamic=True, opset_version=OPSET)
        exporter = cast(Any, exporter_onnx).OnnxExporter()
        model = quietly_exported(lambda: exporter.export(source.model, inputs, config=config).program)
    except Exception as error:
        raise ExportError(
            f"model type {source.config.model_type} cannot be exported to ONNX",
            hint="neither the packed path nor transformers' own exporter takes it",
            code="architecture_unsupported",
        ) from error
    _finish(model, source)
    _run(source, model)
    return model


def _run(source: Source, model: ir.Model) -> None:
    """Whether a padded graph runs at all, on texts and pairs, alone and beside others; the parity gate judges the rest.

    Raises:
        ExportError: onnxruntime cannot run it.
    """
    graph, weights = in_memory(model, "padded.weights")
    asked = source.asked(PROBES[:4])
    texts = tokenized(source, asked if source.head == "masked" else [*asked, *CONTEXTS[:2]])
    try:
        session = Session(graph, {"padded.weights": weights}, provider="cpu", threads=available_threads())
        for tokens in texts:
            for count in (1, 2, 3):
                session.run(pad([tokens] * count, 0, source.mask_id))
    except Exception as error:
        raise ExportError(
            f"model type {source.config.model_type} gives a graph that onnxruntime cannot run",
            hint="transformers' own exporter made it; report this with the versions in use",
            code="architecture_unsupported",
        ) from error


def _finish(model: ir.Model, source: Source) -> None:
    """Keep the one output the task needs. Shape: `[B, labels]`, `[B, S, n]` per token, or `[M, n]` per mask."""
    graph = model.graph
    last = graph[-1]
    outputs = {value.name: value for value in graph.outputs}
    # The editor inserts before a node: a throw-away one at the very end.
    end = ir.node("Identity", [graph.outputs[0]])
    graph.insert_after(last, end)
    edit = Editor(graph, end)
    match source.head:
        case "spans":
            axis = edit.constant("answer.axis", np.array([-1], np.int64))
            columns = [edit.op("Unsqueeze", [outputs[n], axis], f"answer.{n}") for n in ("start_logits", "end_logits")]
            result = edit.op("Concat", columns, OUTPUT, {"axis": -1})
        case "hidden":
            result = edit.op("Identity", [outputs["last_hidden_state"]], OUTPUT)
        case "masked":
            rows = ir.Value(name="rows", type=ir.TensorType(ir.DataType.INT64), shape=ir.Shape(["M"]))
            graph.inputs.append(rows)
            shape = edit.constant("masked.shape", np.array([-1, source.config.vocab_size], np.int64))
            flat = edit.op("Reshape", [outputs["logits"], shape], "masked.rows")
            result = edit.op("Gather", [flat, rows], OUTPUT, {"axis": 0})
        case _:
            result = edit.op("Identity", [outputs["logits"]], OUTPUT)
    result.type = ir.TensorType(ir.DataType.FLOAT)
    graph.remove(end, safe=False)
    graph.outputs.clear()
    graph.outputs.append(result)
    clean(model)
