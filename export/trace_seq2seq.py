"""Encoder-decoder model -> two ONNX graphs in float: the packed encoder, and one step of the decoder."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import onnx_ir as ir
import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutput

from .. import ExportError
from . import attention_cached
from .attention_cached import Attention, Step
from .graph import MICROSOFT, Editor, clean, constant, nodes_of, replace
from .loading import quiet
from .lower import lower_for_cpu
from .padded import OPSET, quietly_exported


@dataclass(frozen=True)
class Parts:
    """Where an encoder-decoder model keeps what the trace needs.

    Attributes:
        own, cross: the decoder's attention modules, layer by layer.
        key, value: names of their projections.
        heads, head_size: of the decoder.
        positions: longest sequence with a position of its own; None with relative positions.
    """

    own: list[nn.Module]
    cross: list[nn.Module]
    key: str
    value: str
    heads: int
    head_size: int
    positions: int | None


@dataclass(frozen=True)
class Graphs:
    """The float graphs.

    Attributes:
        encoder: reads a pack, gives `cross_key.i`, `cross_value.i` `[B, heads, S, head_size]` for every layer.
        decoder: reads a token of each text with keys and values and a `count`, gives `logits` `[B, V]`, grown keys and
            values, and the `count` most probable tokens: `best_scores` and `best_ids` `[B, count]`.
    """

    encoder: ir.Model
    decoder: ir.Model
    parts: Parts


FAMILIES = ("marian", "bart", "mbart", "m2m_100", "t5", "mt5")
"""Model types of transformers whose layers are laid out as `parts` reads them."""


def parts(model: Any) -> Parts:
    """Find a model's attention modules.

    Raises:
        ExportError: another family than those listed.
    """
    config = model.config
    if config.model_type not in FAMILIES:
        raise ExportError(
            f"encoder-decoder models of type {config.model_type} are not supported",
            hint=f"supported are {', '.join(FAMILIES)} (NLLB is m2m_100)",
            code="architecture_unsupported",
        )
    decoder = model.get_decoder()
    if config.model_type in ("t5", "mt5"):
        own = [block.layer[0].SelfAttention for block in decoder.block]
        cross = [block.layer[1].EncDecAttention for block in decoder.block]
        return Parts(own, cross, "k", "v", config.num_heads, config.d_kv, None)
    own = [layer.self_attn for layer in decoder.layers]
    cross = [layer.encoder_attn for layer in decoder.layers]
    heads = config.decoder_attention_heads
    return Parts(own, cross, "k_proj", "v_proj", heads, config.d_model // heads, config.max_position_embeddings)


def _table(stack: Any, *, bidirectional: bool) -> Tensor:
    """A T5 stack's relative scores by distance. Shape: `[2 * reach + 1, heads]`."""
    first = stack.block[0].layer[0].SelfAttention
    reach = int(first.relative_attention_max_distance)
    with torch.no_grad():
        buckets = first._relative_position_bucket(
            torch.arange(-reach, reach + 1),
            bidirectional=bidirectional,
            num_buckets=first.relative_attention_num_buckets,
            max_distance=reach,
        )
        return cast(Tensor, first.relative_attention_bias(buckets).detach().clone())


def _positions(stack: Any, count: int) -> Tensor:
    """Position embeddings of a stack as a table. Shape: `[count, hidden]`."""
    padding = stack.config.pad_token_id or 0
    ids = torch.full((1, count), 1 if padding == 0 else 0)
    given = ids.shape if type(stack.embed_positions).__name__.startswith("Marian") else ids
    with torch.no_grad():
        return cast(Tensor, stack.embed_positions(given).reshape(count, -1).detach().clone())


@contextmanager
def _placed(stack: Any, rows: Tensor | None) -> Iterator[None]:
    """Let a stack take these position embeddings, whatever it would compute itself."""
    if rows is None:
        yield
        return
    stack.embed_positions.forward = lambda *args, **more: rows
    try:
        yield
    finally:
        del stack.embed_positions.forward


class _Encoder(nn.Module):
    def __init__(self, model: Any, found: Parts, function: Attention) -> None:
        super().__init__()
        self.model = model
        self.parts = found
        self.function = function
        table = None if found.positions is None else _positions(model.get_encoder(), found.positions)
        self.register_buffer("places", table)
        relative = _table(model.get_encoder(), bidirectional=True) if found.positions is None else None
        self.register_buffer("relative", relative)

    def forward(self, input_ids: Tensor, position_ids: Tensor, unpack: Tensor) -> tuple[Tensor, ...]:
        places = cast(Tensor | None, self.places)
        rows = None if places is None else places[position_ids][None]
        encoder = self.model.get_encoder()
        self.function.step, self.function.table = None, cast(Tensor | None, self.relative)
        with _placed(encoder, rows):
            hidden = encoder(input_ids=input_ids[None]).last_hidden_state[0]
        found = []
        for module in self.parts.cross:
            for name in (self.parts.key, self.parts.value):
                projected = getattr(module, name)(hidden)
                spread = projected[unpack]
                found.append(
                    spread.reshape(*unpack.shape, self.parts.heads, self.parts.head_size).transpose(1, 2).contiguous()
                )
        return tuple(found)


class _Decoder(nn.Module):
    def __init__(self, model: Any, found: Parts, function: Attention) -> None:
        super().__init__()
        self.model = model
        self.parts = found
        self.function = function
        table = None if found.positions is None else _positions(model.get_decoder(), found.positions)
        self.register_buffer("places", table)
        relative = _table(model.get_decoder(), bidirectional=False) if found.positions is None else None
        self.register_buffer("relative", relative)

    def forward(
        self, input_ids: Tensor, position: Tensor, lengths: Tensor, past: list[Tensor], cross: list[Tensor]
    ) -> tuple[Tensor, ...]:
        places, relative = cast(Tensor | None, self.places), cast(Tensor | None, self.relative)
        bias = None
        if relative is not None:
            reach = (len(relative) - 1) // 2
            seen = past[0].shape[2]
            distance = torch.clamp(torch.arange(seen + 1) - seen, min=-reach) + reach
            bias = relative[distance].transpose(0, 1)[None, :, None]
        step = Step(lengths, _pairs(past), _pairs(cross), bias)
        self.function.step = step
        hidden = torch.zeros(input_ids.shape[0], 1, self.model.config.d_model)
        rows = None if places is None else places[position][:, None]
        with _placed(self.model.get_decoder(), rows):
            logits = self.model(
                encoder_outputs=BaseModelOutput(last_hidden_state=hidden),
                decoder_input_ids=input_ids[:, None],
                use_cache=False,
            ).logits.squeeze(1)
        present = [tensor for layer in range(len(self.parts.own)) for tensor in step.present[layer]]
        return logits, *present


def _pairs(tensors: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
    return list(zip(tensors[::2], tensors[1::2], strict=True))


def names(kind: str, layers: int) -> list[str]:
    """Names of a graph's keys and values, in order: `kind_key.0`, `kind_value.0`, …"""
    return [f"{kind}_{part}.{layer}" for layer in range(layers) for part in ("key", "value")]


def trace(model: Any) -> Graphs:
    """Trace both graphs.

    Raises:
        ExportError: a family that is not supported, or a layer that does not call the attention interface.
    """
    found = parts(model)
    function = Attention(found.own, found.cross, None)
    before = model.config._attn_implementation
    try:
        with quiet():
            model.set_attn_implementation(attention_cached.IMPLEMENTATION)
        encoder = _export_encoder(_Encoder(model, found, function).eval(), found)
        decoder = _export_decoder(_Decoder(model, found, function).eval(), found)
    finally:
        model.set_attn_implementation(before)
    fused = lower_for_cpu(encoder)
    wanted = model.config.num_layers if found.positions is None else model.config.encoder_layers
    if fused != wanted:
        raise ExportError(
            f"{fused} of {wanted} encoder layers call transformers' attention interface",
            hint="use the transformers version in constraints.txt, or report this",
            code="fusion_incomplete",
        )
    _share_sources(decoder)
    _lower_logits(decoder)
    _find_best(decoder)
    clean(decoder)
    return Graphs(encoder, decoder, found)


def _share_sources(model: ir.Model) -> None:
    """Let rows of one source read its keys and values together: `n` beams are `n` queries of one text.

    Cross attention was traced with a source for each row, `[R, 1, H]`; it becomes `[B, R / B, H]`, B the sources.
    """
    graph = model.graph
    first = next(value for value in graph.inputs if value.name == "cross_key.0")
    shapes: dict[int, ir.Value] = {}
    for node in nodes_of(graph, MICROSOFT, "MultiHeadAttention"):
        if not (node.inputs[1] is not None and (node.inputs[1].name or "").startswith("cross_")):
            continue
        query = node.inputs[0]
        width = query.shape[2] if query is not None and query.shape is not None else None
        if not isinstance(width, int):
            raise ValueError("attention of unknown width")
        start = Editor(graph, graph[0])
        if width not in shapes:
            size = start.op("Shape", [first], "sources.shape", {"start": 0, "end": 1})
            size.type = ir.TensorType(ir.DataType.INT64)
            rest = start.constant(f"sources.rest.{width}", np.array([-1, width], np.int64))
            shapes[width] = start.op("Concat", [size, rest], "sources.grid", {"axis": 0})
        edit = Editor(graph, node)
        name = node.outputs[0].name or "cross"
        node.replace_input_with(0, edit.op("Reshape", [query, shapes[width]], f"{name}.queries"))
        out = node.outputs[0]
        after = Editor(graph, next(use.node for use in out.uses()))
        uses = list(out.uses())
        rows = after.constant(f"rows.{width}.single", np.array([-1, 1, width], np.int64))
        flat = after.op("Reshape", [out, rows], f"{name}.rows")
        flat.type, flat.shape = out.type, out.shape
        out.shape = None
        for use in uses:
            use.node.replace_input_with(use.idx, flat)


def _lower_logits(model: ir.Model) -> None:
    """Compute logits as the rows that they leave as, and add no bias of zeros: each is a copy of a vocabulary a row."""
    graph = model.graph
    clean(model)
    logits = next(value for value in graph.outputs if value.name == "logits")
    squeeze = logits.producer()
    if squeeze is None or squeeze.op_type != "Squeeze":
        return
    biases = []
    node = squeeze.inputs[0].producer() if squeeze.inputs[0] is not None else None
    while node is not None and node.op_type == "Add" and constant(node.inputs[1]) is not None:
        biases.append(node)
        node = node.inputs[0].producer() if node.inputs[0] is not None else None
    hidden = node.inputs[0] if node is not None and node.op_type == "MatMul" else None
    if node is None or hidden is None or hidden.shape is None or not isinstance(hidden.shape[-1], int):
        return
    edit = Editor(graph, node)
    rows = edit.constant("logits.rows", np.array([-1, hidden.shape[-1]], np.int64))
    flat = edit.op("Reshape", [hidden, rows], "logits.hidden")
    flat.shape = ir.Shape([None, hidden.shape[-1]])
    node.replace_input_with(0, flat)
    for value in (node.outputs[0], *(bias.outputs[0] for bias in biases)):
        value.shape = ir.Shape([None, *list(logits.shape or [])[-1:]])
    for bias in biases:
        added = constant(bias.inputs[1])
        if added is not None and not added.any():
            replace(bias, _first(bias))
    replace(squeeze, _first(squeeze))


def _first(node: ir.Node) -> ir.Value:
    value = node.inputs[0]
    if value is None:
        raise ValueError("an operator without an input")
    return value


def _find_best(model: ir.Model) -> None:
    """Let the graph also give the most probable next tokens: `count` of them, by logarithm of their probability.

    So a search reads a few numbers for each row, and not one for every token of the vocabulary.
    """
    graph = model.graph
    logits = next(value for value in graph.outputs if value.name == "logits")
    count = ir.Value(name="count", type=ir.TensorType(ir.DataType.INT64), shape=ir.Shape([1]))
    graph.inputs.append(count)
    scores = ir.node("LogSoftmax", [logits], {"axis": -1}, name="node:log_probabilities")
    best = ir.node(
        "TopK", [scores.outputs[0], count], {"axis": -1, "largest": 1, "sorted": 1}, num_outputs=2, name="node:best"
    )
    for value, (name, kind) in zip(best.outputs, _BEST, strict=True):
        value.name, value.type, value.shape = name, ir.TensorType(kind), ir.Shape(["R", "N"])
    graph.extend([scores, best])
    graph.outputs.extend(best.outputs)


_BEST = (("best_scores", ir.DataType.FLOAT), ("best_ids", ir.DataType.INT64))


def _export_encoder(module: nn.Module, found: Parts) -> ir.Model:
    ids = torch.arange(17) % 30 + 3
    unpack = torch.tensor([[0, 1, 2, 3, 4, 0, 0, 0, 0], [5, 6, 7, 8, 9, 10, 11, 12, 13], [14, 15, 16, *[0] * 6]])
    positions = torch.cat([torch.arange(n) for n in (5, 9, 3)])
    free = torch.export.Dim.DYNAMIC
    return _export(
        module,
        (ids, positions, unpack),
        ({0: free}, {0: free}, {0: free, 1: free}),
        ["input_ids", "position_ids", "unpack"],
        names("cross", len(found.cross)),
    )


def _export_decoder(module: nn.Module, found: Parts) -> ir.Model:
    layers = len(found.own)
    past = [torch.randn(3, found.heads, 4, found.head_size) for _ in range(2 * layers)]
    cross = [torch.randn(3, found.heads, 9, found.head_size) for _ in range(2 * layers)]
    free = torch.export.Dim.DYNAMIC
    return _export(
        module,
        (torch.tensor([3, 4, 5]), torch.tensor([4, 4, 4]), torch.tensor([5, 9, 3], dtype=torch.int32), past, cross),
        ({0: free}, {0: free}, {0: free}, [{0: free, 2: free}] * 2 * layers, [{0: free, 2: free}] * 2 * layers),
        ["input_ids", "position", "lengths", *names("past", layers), *names("cross", layers)],
        ["logits", *names("present", layers)],
    )


def _export(module: nn.Module, inputs: Any, shapes: Any, input_names: list[str], output_names: list[str]) -> ir.Model:
    exporter = cast(Any, torch.onnx.export)
    return quietly_exported(
        lambda: (
            exporter(
                module,
                inputs,
                dynamo=True,
                dynamic_shapes=shapes,
                input_names=input_names,
                output_names=output_names,
                opset_version=OPSET,
                verbose=False,
            ).model
        )
    )
