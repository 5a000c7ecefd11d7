"""One model -> a graph for each precision, and the layers of each that are in integers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import onnx_ir as ir

from .. import ExportError
from ..runtime.encoder import Encoder
from ..runtime.manifest import Precision, is_per_token
from ..runtime.packing import Tokens
from ..runtime.processor import available_threads
from ..runtime.session import Session
from . import nbits, quantize
from .calibrate import ROWS, observe
from .graph import scope, strip
from .half import to_half
from .lower_cuda import lower_for_cuda
from .quantize import Linear, linears
from .scales import FIXED_LOSS, SMOOTHING_GAIN, Choice, Observed
from .source import Source
from .store import Stored, store
from .trace import Traced, trace

PRECISIONS: tuple[Precision, ...] = ("int8", "int4", "fp16", "fp32")
PROVIDERS: dict[Precision, list[str]] = {"int8": ["cpu"], "int4": ["cpu"], "fp16": ["cuda"], "fp32": ["cpu"]}
TOLERANCE: dict[Precision, float] = {"int8": 0.05, "int4": 0.1, "fp16": 0.02, "fp32": 0.002}
"""Largest difference of a golden output on another machine, as a share of the largest output. int8: sums are exact, the
rest is rounding that may move a value to the next step. int4: a processor without a kernel for 8-bit activations keeps
them in float. fp16: other kernels than the twin's."""


@dataclass(frozen=True, repr=False)
class Draft:
    """A variant's graph before it is stored.

    Attributes:
        model: what the bundle will hold.
        twin: what the processor can run: `model` itself, or for CUDA the same weights under other operators.
        path, reason: packed or padded, and why.
        quantized, left: linear layers of the stack in integers, and in float.
    """

    precision: Precision
    model: ir.Model
    twin: ir.Model
    path: Literal["packed", "padded"]
    reason: str
    quantized: int
    left: int


class Drafts:
    """Makes variants of one model; the trace and the float activations they are made from are kept.

    Args:
        texts: calibration texts as tokens.
        padding_id: token id of cells past a text's end.
    """

    def __init__(self, source: Source, texts: Sequence[Tokens], padding_id: int) -> None:
        self._source = source
        self._texts = texts
        self._padding_id = padding_id
        self._rounded: nbits.Cache = {}

    @cached_property
    def traced(self) -> Traced:
        """The float graph for CPU."""
        return trace(self._source)

    @property
    def _stack(self) -> str | tuple[str, ...]:
        # A masked language model's head is quantized with the stack, but for a matrix that it shares with the
        # embeddings: that one is transposed while the graph runs.
        return "" if self._source.head == "masked" else self.traced.stack

    @cached_property
    def layers(self) -> list[Linear]:
        """The groups of linear layers that quantization takes, in the graph's order.

        Raises:
            ExportError: there are none.
        """
        found = linears(self.traced.model.graph, self._stack)
        if not found:
            raise ExportError(
                "no linear layer could be quantized",
                hint="export with --precision fp32, and report the architecture",
                code="nothing_quantized",
            )
        return found

    @cached_property
    def names(self) -> list[str]:
        """The torch modules behind `layers`, in the same order."""
        return [_name(layer, self.traced.stack) for layer in self.layers]

    @cached_property
    def observed(self) -> dict[str, Observed]:
        """What flows into `layers`, from one pass of the calibration texts through the float graph."""
        return self._observe(ROWS)

    @cached_property
    def observed_widely(self) -> dict[str, Observed]:
        """The same with more rows: rounding that is fitted to few rows fits no other (see `nbits.ROWS`)."""
        return self._observe(nbits.ROWS)

    def _observe(self, rows: int) -> dict[str, Observed]:
        return observe(
            self.traced.model,
            self.layers,
            self._texts,
            packed=self.traced.path == "packed",
            first_position=self._source.first_position,
            mask_id=self._source.mask_id,
            threads=available_threads(),
            rows_kept=rows,
        )

    def forget(self) -> None:
        """Drop rounded int4 weights, so that the next variant rounds anew."""
        self._rounded.clear()

    def plan(self, precision: Precision, *, least_error: bool = False) -> list[Choice]:
        """How each of `layers` is quantized unless it stays float: at least cost, or int8 with steps of each row's own
        and the smoothing of least error."""
        if precision == "int4":
            return nbits.plan(self.layers, self.observed_widely, self._rounded)
        gain, loss = (1.0, 0.0) if least_error else (SMOOTHING_GAIN, FIXED_LOSS)
        return quantize.plan(self.layers, self.observed, gain, loss)

    def draft(self, precision: Precision, choices: Sequence[Choice | None] = ()) -> Draft:
        """A variant; `choices` for the integer precisions, with None for layers that stay float."""
        if precision == "fp16":
            return self._half()
        model = self.traced.model.clone()
        found = linears(model.graph, self._stack)
        sizes = [sum(map(len, layer.products)) for layer in found]
        quantized = sum(size for size, choice in zip(sizes, choices, strict=False) if choice is not None)
        if precision == "int8":
            quantize.quantize(model, found, choices)
        elif precision == "int4":
            nbits.quantize(model, found, choices, self.observed_widely, self._rounded)
        if precision != "fp32":
            quantize.quantize_tables(model)
        strip(model)
        return Draft(precision, model, model, self.traced.path, self.traced.reason, quantized, sum(sizes) - quantized)

    def _half(self) -> Draft:
        layers = linears(self.traced.model.graph, self._stack)
        left = sum(len(products) for layer in layers for products in layer.products)
        twin = self.traced.model.clone()
        to_half(twin)
        strip(twin)
        if self.traced.path == "padded":
            return Draft("fp16", twin, twin, "padded", self.traced.reason, 0, left)
        traced = trace(self._source, lower_for_cuda)
        to_half(traced.model)
        strip(traced.model)
        return Draft("fp16", traced.model, twin, "packed", traced.reason, 0, left)

    def encoder(self, draft: Draft, stored: Stored | None = None) -> Encoder:
        """The variant, running on the processor: its twin, or the very bytes that a bundle will hold."""
        ready = store({draft.precision: draft.twin}, "encoder")[draft.precision] if stored is None else stored
        return Encoder(
            Session(ready.graph, ready.files, provider="cpu", threads=available_threads()),
            packed=draft.path == "packed",
            per_token=is_per_token(self._source.task, self._source.pooling),
            pooling=self._source.pooling,
            first_position=self._source.first_position,
            padding_id=self._padding_id,
            head=self._source.dense,
            mask_id=self._source.mask_id,
        )


def _name(layer: Linear, stacks: tuple[str, ...]) -> str:
    first = layer.products[0][0]
    name = scope(first)
    for stack in stacks:  # without what stands before the stack's own name
        name = name.removeprefix(stack.rpartition(".")[0]).strip(".")
    joined = (layer.weights[0].name or "").count("+") + 1
    if joined == 3:  # query, key and value became one product
        name = f"{name.rsplit('.', 1)[0]}.query+key+value"
    return name or layer.weights[0].name or "linear"
