"""Model -> ONNX graph, in float: packed through the registered attention function, or padded through transformers."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any, Literal, cast

import numpy as np
import onnx_ir as ir
import torch
from torch import Tensor, nn

from .. import ExportError
from . import attention
from .architectures import facts
from .graph import Editor, clean
from .lower import lower_for_cpu
from .source import Source, quiet

OPSET = 21
OUTPUT = "output"


@dataclass(frozen=True)
class Traced:
    """A float graph and how it came about.

    Attributes:
        path: `packed` or `padded`.
        reason: one sentence for the user.
        stack: dotted name of the module that holds the layers, as it stands in the graph's metadata.
    """

    model: ir.Model
    path: Literal["packed", "padded"]
    reason: str
    stack: str


class _NotPacked(Exception):
    """The packed path is not possible for this model; the message says why."""


def trace(source: Source, lower: Callable[[ir.Model], int] | None = None) -> Traced:
    """Trace the packed path, or the padded one where the architecture does not allow it.

    Args:
        lower: replaces the placeholders of a packed trace with a provider's operators and returns how many attentions
            there are; None lowers for CPU.

    Raises:
        ExportError: the architecture is known to pack and a layer did not fuse, or neither path works.
    """
    architecture = facts(source.config.model_type)
    try:
        model, layers = _packed(source, lower or lower_for_cpu)
        return Traced(model, "packed", f"{layers} of {layers} attention layers fused", _stack_name(source, "model"))
    except _NotPacked as reason:
        if architecture.packed == "required":
            raise ExportError(
                f"{source.config.model_type} should run packed and does not: {reason}",
                hint="use the transformers version in constraints.txt, or report this",
                code="fusion_incomplete",
            ) from reason
        return Traced(_padded(source), "padded", str(reason), _stack_name(source, ""))


def _stack_name(source: Source, wrapper: str) -> str:
    base = source.model.base_model
    prefix = source.model.base_model_prefix if base is not source.model else ""
    return ".".join(part for part in (wrapper, prefix, facts(source.config.model_type).stack) if part)


class _Packed(nn.Module):
    """A transformers model as a function of a pack."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.model = source.model
        self.task = source.model_task

    def forward(
        self, input_ids: Tensor, position_ids: Tensor, token_type_ids: Tensor | None, lengths: Tensor
    ) -> Tensor:
        inputs = {"input_ids": input_ids[None], "position_ids": position_ids[None]}
        if token_type_ids is not None:
            inputs["token_type_ids"] = token_type_ids[None]
        with _first_token_heads(self.model, lengths, active=self.task == "text-classification"):
            outputs = self.model(**inputs)
        if self.task == "text-classification":
            return cast(Tensor, outputs.logits)
        if self.task == "token-classification":
            return cast(Tensor, outputs.logits[0])
        if self.task == "question-answering":
            return torch.stack([outputs.start_logits[0], outputs.end_logits[0]], dim=-1)
        return cast(Tensor, outputs.last_hidden_state[0])


@contextmanager
def _first_token_heads(model: Any, lengths: Tensor, *, active: bool) -> Iterator[None]:
    """Give poolers and classification heads, which read `hidden[:, 0]`, one row per text instead of one per pack."""
    if not active:
        yield
        return

    def gather(module: nn.Module, args: Any, output: Any) -> Any:
        output.last_hidden_state = attention.first(output.last_hidden_state[0], lengths)[:, None]
        return output

    stack = getattr(model.base_model, facts(model.config.model_type).stack)
    hook = stack.register_forward_hook(gather)
    try:
        yield
    finally:
        hook.remove()


def _packed(source: Source, lower: Callable[[ir.Model], int]) -> tuple[ir.Model, int]:
    attention.register()
    before = source.model.config._attn_implementation
    stack = getattr(source.model.base_model, facts(source.config.model_type).stack, None)
    if stack is None:
        raise _NotPacked("the architecture's layers are not where Cloister looks for them")
    try:
        with quiet():
            source.model.set_attn_implementation(attention.IMPLEMENTATION)
        program = _export_packed(source)
    except Exception as error:
        raise _NotPacked(_first_sentence(error)) from error
    finally:
        source.model.set_attn_implementation(before)
    fused = lower(program)
    layers = source.config.num_hidden_layers
    if fused != layers:
        raise _NotPacked(f"only {fused} of {layers} layers call transformers' attention interface")
    return program, layers


def _first_sentence(error: Exception) -> str:
    if isinstance(error, NotImplementedError):
        return str(error)
    return "the architecture does not run through transformers' attention interface"


def _export_packed(source: Source) -> ir.Model:
    lengths = torch.tensor([5, 9, 3], dtype=torch.int32)
    total = int(lengths.sum())
    positions = torch.cat([torch.arange(int(n)) for n in lengths]) + source.first_position
    ids = torch.arange(total) % source.config.vocab_size
    types = torch.zeros(total, dtype=torch.int64) if source.token_types else None
    dynamic = {0: torch.export.Dim.DYNAMIC}
    shapes = {
        "input_ids": dynamic,
        "position_ids": dynamic,
        "token_type_ids": dynamic if types is not None else None,
        "lengths": dynamic,
    }
    names = [name for name in shapes if name != "token_type_ids" or types is not None]
    exporter = cast(Any, torch.onnx.export)
    exporter = cast(Any, torch.onnx.export)
    return _onnx(
        lambda: (
            exporter(
                _Packed(source).eval(),
                (ids, positions, types, lengths),
                dynamo=True,
                dynamic_shapes=shapes,
                input_names=names,
                output_names=[OUTPUT],
                opset_version=OPSET,
                verbose=False,
            ).model
        )
    )


def _onnx(export: Callable[[], Any]) -> ir.Model:
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


def _padded(source: Source) -> ir.Model:
    from transformers.exporters import configs, exporter_onnx

    ids = torch.arange(22).reshape(2, 11) % source.config.vocab_size
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    inputs["attention_mask"][1, 7:] = 0
    if source.token_types:
        inputs["token_type_ids"] = torch.zeros_like(ids)
    try:
        config = configs.OnnxConfig(dynamic=True, opset_version=OPSET)
        exporter = cast(Any, exporter_onnx).OnnxExporter()
        model = _onnx(lambda: exporter.export(source.model, inputs, config=config).program)
    except Exception as error:
        raise ExportError(
            f"model type {source.config.model_type} cannot be exported to ONNX",
            hint="neither the packed path nor transformers' own exporter takes it",
            code="architecture_unsupported",
        ) from error
    _finish_padded(model, source)
    return model


def _finish_padded(model: ir.Model, source: Source) -> None:
    """Keep the one output the task needs. Shape: `[B, labels]`, or `[B, S, n]` per token."""
    graph = model.graph
    last = graph[-1]
    outputs = {value.name: value for value in graph.outputs}
    # The editor inserts before a node: a throw-away one at the very end.
    end = ir.node("Identity", [graph.outputs[0]])
    graph.insert_after(last, end)
    edit = Editor(graph, end)
    if source.model_task == "question-answering":
        axis = edit.constant("answer.axis", np.array([-1], np.int64))
        columns = [edit.op("Unsqueeze", [outputs[n], axis], f"answer.{n}") for n in ("start_logits", "end_logits")]
        result = edit.op("Concat", columns, OUTPUT, {"axis": -1})
    elif source.model_task == "feature-extraction":
        result = edit.op("Identity", [outputs["last_hidden_state"]], OUTPUT)
    else:
        result = edit.op("Identity", [outputs["logits"]], OUTPUT)
    result.type = ir.TensorType(ir.DataType.FLOAT)
    graph.remove(end, safe=False)
    graph.outputs.clear()
    graph.outputs.append(result)
    clean(model)
