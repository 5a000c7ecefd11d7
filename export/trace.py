"""Model -> ONNX graph, in float: packed through the registered attention function, or padded through transformers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import onnx_ir as ir
import torch
from torch import Tensor, nn

from .. import ExportError
from ..runtime.packing import pack
from ..runtime.processor import available_threads
from ..runtime.session import Session
from . import attention
from .architectures import facts
from .graph import in_memory
from .loading import quiet
from .lower import lower_for_cpu
from .original import outputs, tokenized
from .padded import OPSET, OUTPUT, padded, quietly_exported
from .source import Source
from .texts import PROBES


@dataclass(frozen=True)
class Traced:
    """A float graph and how it came about.

    Attributes:
        path: `packed` or `padded`.
        reason: one sentence for the user.
        stack: dotted names of the modules that hold the layers, as they stand in the graph's metadata.
    """

    model: ir.Model
    path: Literal["packed", "padded"]
    reason: str
    stack: tuple[str, ...]


class _NotPacked(Exception):
    """The packed path is not possible for this model; the message says why."""


def trace(source: Source, lower: Callable[[ir.Model], int] | None = None) -> Traced:
    """Trace the packed path, or the padded one where the architecture does not allow it.

    A packed graph is run against the model before it is believed: an architecture that is not known to pack may drop an
    input that it does not know, and compute something else.

    Args:
        lower: replaces the placeholders of a packed trace with a provider's operators and returns how many attentions
            there are; None lowers for CPU.

    Raises:
        ExportError: the architecture is known to pack and a layer did not fuse, or neither path works.
    """
    architecture = facts(source.config.model_type)
    try:
        if architecture.padded:
            raise _NotPacked(architecture.padded)
        model, layers = _packed(source, lower or lower_for_cpu)
        if lower is None:  # the operators of another provider do not run here
            _verify(source, model)
        return Traced(model, "packed", f"{layers} of {layers} attention layers fused", _stack(source, "model"))
    except _NotPacked as reason:
        if architecture.packed == "required":
            raise ExportError(
                f"{source.config.model_type} should run packed and does not: {reason}",
                hint="use the transformers version in constraints.txt, or report this",
                code="fusion_incomplete",
            ) from reason
        return Traced(padded(source), "padded", str(reason), _stack(source, ""))


def _stack(source: Source, wrapper: str) -> tuple[str, ...]:
    base = source.model.base_model
    prefix = source.model.base_model_prefix if base is not source.model else ""
    known = facts(source.config.model_type).stack
    found = [known] if known else list(_lists_of_layers(base))
    return tuple(".".join(part for part in (wrapper, prefix, name) if part) for name in found)


def _lists_of_layers(base: nn.Module, path: str = "") -> Iterator[str]:
    """Dotted names of the outermost module lists: an encoder keeps its layers in one, some in several."""
    for name, child in base.named_children():
        inner = f"{path}.{name}" if path else name
        if isinstance(child, nn.ModuleList):
            yield inner
        else:
            yield from _lists_of_layers(child, inner)


class _Packed(nn.Module):
    """A transformers model as a function of a pack."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.model = source.model
        self.head = source.head
        self.reads = _reads(source.model)

    def forward(
        self,
        input_ids: Tensor,
        position_ids: Tensor,
        token_type_ids: Tensor | None,
        lengths: Tensor,
        rows: Tensor | None = None,
    ) -> Tensor:
        inputs = {"input_ids": input_ids[None], "position_ids": position_ids[None]}
        if token_type_ids is not None:
            inputs["token_type_ids"] = token_type_ids[None]
        match self.head:
            case "sequence" if self.reads == "last":
                hidden = self.model.base_model(**inputs).last_hidden_state[0]
                return cast(Tensor, cast(Any, self.model).score(attention.per_text(hidden, lengths, "last")))
            case "sequence":
                with _one_row_per_text(self.model, lengths, self.reads):
                    return cast(Tensor, self.model(**inputs).logits)
            case "masked":
                with _hidden_of(self.model.base_model, lambda hidden: hidden[:, rows]):
                    return cast(Tensor, self.model(**inputs).logits[0])
            case "tokens":
                return cast(Tensor, self.model(**inputs).logits[0])
            case "spans":
                outputs = self.model(**inputs)
                return torch.stack([outputs.start_logits[0], outputs.end_logits[0]], dim=-1)
            case "hidden":
                return cast(Tensor, self.model(**inputs).last_hidden_state[0])


_CLASSIFIER_POOLING: dict[str, attention.Reads | Literal["late"]] = {
    "cls": "first", "bos": "first", "mean": "mean", "late": "late",
}  # fmt: skip


def _reads(model: Any) -> attention.Reads | Literal["late"]:
    """What a classification head reads of a text: its first or last token, their mean, or (late) every token."""
    if hasattr(model, "score"):
        return "last"
    return _CLASSIFIER_POOLING.get(str(getattr(model.config, "classifier_pooling", "cls")), "first")


@contextmanager
def _one_row_per_text(model: Any, lengths: Tensor, reads: attention.Reads | Literal["late"]) -> Iterator[None]:
    """Give poolers and classification heads, which read `hidden[:, 0]`, one row per text instead of one per pack."""

    def rows(hidden: Tensor) -> Tensor:
        return attention.per_text(hidden[0], lengths, "mean" if reads == "late" else reads)[:, None]

    if reads == "late":
        hook = model.classifier.register_forward_hook(lambda module, args, output: rows(output))
        try:
            yield
        finally:
            hook.remove()
        return
    known = facts(model.config.model_type).stack
    if known:
        with _hidden_of(getattr(model.base_model, known), rows):
            yield
        return
    pooler = getattr(model.base_model, "pooler", None)
    hooks = []
    if isinstance(pooler, nn.Module):
        hooks.append(pooler.register_forward_pre_hook(lambda module, args: (rows(args[0]), *args[1:])))
    try:
        with _hidden_of(model.base_model, rows):
            yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _hidden_of(base: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Change what the base model hands to the head. Shape: `[1, T, H]` -> `[1, n, H]`, or `[B, 1, H]`."""

    def changed(module: nn.Module, args: Any, output: Any) -> Any:
        output.last_hidden_state = change(output.last_hidden_state)
        return output

    hook = base.register_forward_hook(changed)
    try:
        yield
    finally:
        hook.remove()


def _packed(source: Source, lower: Callable[[ir.Model], int]) -> tuple[ir.Model, int]:
    attention.register()
    before = source.model.config._attn_implementation
    cache = getattr(source.config, "use_cache", None)
    try:
        with quiet():
            source.model.set_attn_implementation(attention.IMPLEMENTATION)
        if cache is not None:
            source.config.use_cache = False
        _count(source)
        program = _export_packed(source)
    except _NotPacked:
        raise
    except Exception as error:
        raise _NotPacked(_first_sentence(error)) from error
    finally:
        source.model.set_attn_implementation(before)
        if cache is not None:
            source.config.use_cache = cache
    fused = lower(program)
    layers = source.config.num_hidden_layers
    if fused != layers:
        raise _NotPacked(f"{fused} of {layers} layers call transformers' attention interface")
    return program, layers


def _count(source: Source) -> None:
    """Run the model on a pack once, only to see whether every layer calls the attention function: that takes less than
    a trace, and models that do not are many.

    Raises:
        _NotPacked: some layer does not.
    """
    calls = 0

    def counted(*args: Any, **more: Any) -> tuple[Tensor, None]:
        nonlocal calls
        calls += 1
        return attention.packed_attention(*args, **more)

    attention.register(counted)
    try:
        with torch.no_grad():
            _Packed(source).eval()(*_example(source).values())
    finally:
        attention.register()
    layers = source.config.num_hidden_layers
    if calls != layers:
        raise _NotPacked(f"{calls} of {layers} layers call transformers' attention interface")


_VERIFIED_TOKENS = 320
"""Length of the longest text a packed graph is verified with: longer than any usual sliding window."""
_VERIFIED_ERROR = 1e-3


def _verify(source: Source, model: ir.Model) -> None:
    """Run texts of several lengths as one pack and compare with the model, one text at a time.

    Raises:
        _NotPacked: the graph does not run, or computes something else.
    """
    texts = source.asked([*PROBES[:4], " ".join(PROBES)])
    tokens = tokenized(source, texts, _VERIFIED_TOKENS)
    wanted = [outputs(source, one) for one in tokens]
    graph, weights = in_memory(model, "verified.weights")
    try:
        session = Session(graph, {"verified.weights": weights}, provider="cpu", threads=available_threads())
        got = session.run(pack(tokens, source.first_position, source.mask_id))[0]
    except Exception as error:
        raise _NotPacked("the packed graph does not run") from error
    expected = np.stack(wanted) if source.head == "sequence" else np.concatenate(wanted)
    if got.shape != expected.shape:
        raise _NotPacked("the packed graph gives outputs of another shape than the model")
    difference = float(np.abs(got - expected).max()) / max(float(np.abs(expected).max()), 1e-6)
    if not difference <= _VERIFIED_ERROR:
        raise _NotPacked("on a pack the model computes something else than on single texts")


def _first_sentence(error: Exception) -> str:
    if isinstance(error, NotImplementedError):
        return str(error)
    return "the architecture does not run through transformers' attention interface"


def _example(source: Source) -> dict[str, Tensor | None]:
    """A pack of three texts."""
    lengths = torch.tensor([5, 9, 3], dtype=torch.int32)
    total = int(lengths.sum())
    positions = torch.cat([torch.arange(int(n)) for n in lengths]) + source.first_position
    ids = torch.arange(total) % source.config.vocab_size
    return {
        "input_ids": ids,
        "position_ids": positions,
        "token_type_ids": torch.zeros(total, dtype=torch.int64) if source.token_types else None,
        "lengths": lengths,
        "rows": torch.tensor([2, 7]) if source.head == "masked" else None,
    }


def _export_packed(source: Source) -> ir.Model:
    inputs = _example(source)
    exporter = cast(Any, torch.onnx.export)
    return quietly_exported(
        lambda: (
            exporter(
                _Packed(source).eval(),
                tuple(inputs.values()),
                dynamo=True,
                dynamic_shapes={k: None if v is None else {0: torch.export.Dim.DYNAMIC} for k, v in inputs.items()},
                input_names=[name for name, value in inputs.items() if value is not None],
                output_names=[OUTPUT],
                opset_version=OPSET,
                verbose=False,
            ).model
        )
    )
