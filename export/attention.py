"""The operators a packed model is traced with, and the attention function registered with transformers.

A *pack* is the tokens of several texts one after the other, without padding: `input_ids [T]` with T the sum of the
lengths. Under the functions registered here a transformers model runs on a pack as if it were one sequence, and leaves
two placeholder operators in the traced graph, which `lower.py` replaces for the target provider:

- `cloister::PackedAttention(query, key, value [T, heads * head_size], relative [2r + 1, heads]?) -> [T, heads *
  value_size]`: attention within each text of the pack, never across texts. `relative[r + d]` is added to the score of a
  key that stands d tokens after the query; distances past r count as r. `causal` 1: a token sees itself and what stands
  before it; `window` n > 0: only tokens at a distance below n.
- `cloister::PackedFirst(hidden [T, H], lengths [B]) -> [B, H]`: each text's first token; `PackedLast`: its last one;
  `PackedMean`: the mean of its tokens.

No runtime knows these operators, so one that was forgotten can never pass for a working graph.
"""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface

DOMAIN = "cloister"
IMPLEMENTATION = "cloister_packed"

Reads = Literal["first", "last", "mean"]
_OPERATOR: dict[Reads, str] = {"first": "PackedFirst", "last": "PackedLast", "mean": "PackedMean"}


_NO_PACKED_FORM = {
    "position_bias": "attention with a relative position bias",
    "softcap": "attention with soft-capped scores",
    "s_aux": "attention with sinks",
}


def packed_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    relative: Tensor | None = None,
    **more: Any,
) -> tuple[Tensor, None]:
    """Attention function with the signature of transformers' `AttentionInterface`.

    Keys and values of grouped queries are repeated: onnxruntime's GroupQueryAttention is causal only, carries a cache,
    and gains little beside that (benchmarks/README.md).

    Shape: query `[1, heads, T, head_size]`, key and value `[1, groups, T, head_size]` -> `[1, T, heads, value_size]`.

    Raises:
        NotImplementedError: the layer attends in a way that has no packed form; the message names it.
    """
    for name, what in _NO_PACKED_FORM.items():
        if more.get(name) is not None:
            raise NotImplementedError(f"{what} has no packed form")
    if attention_mask is not None:
        raise NotImplementedError("attention with a mask of the model's own has no packed form")
    _, heads, _, size = query.shape
    if key.shape[1] != heads:
        key, value = (_repeated(x, heads) for x in (key, value))
    flat = [x.transpose(1, 2).reshape(-1, heads * x.shape[-1]) for x in (query, key, value)]
    out = torch.onnx.ops.symbolic(
        f"{DOMAIN}::PackedAttention",
        flat if relative is None else [*flat, relative],
        attrs={
            "num_heads": heads,
            "scale": float(scaling if scaling is not None else size**-0.5),
            "causal": int(_is_causal(module, more.get("is_causal"))),
            "window": int(more.get("sliding_window") or 0),
        },
        dtype=query.dtype,
        shape=flat[2].shape,
        version=1,
    )
    return out.reshape(1, -1, heads, value.shape[-1]), None


def _repeated(x: Tensor, heads: int) -> Tensor:
    """Shape: `[1, groups, T, size]` -> `[1, heads, T, size]`."""
    _, groups, tokens, size = x.shape
    return x[:, :, None].expand(1, groups, heads // groups, tokens, size).reshape(1, heads, tokens, size)


def _is_causal(module: torch.nn.Module, asked: bool | None) -> bool:
    """Whether a layer is causal: by the call, else by the layer, unless the configuration makes it bidirectional."""
    if asked is not None:
        return bool(asked)
    config = module.__dict__.get("config")
    return bool(module.__dict__.get("is_causal", False)) and getattr(config, "is_causal", None) is not False


def per_text(hidden: Tensor, lengths: Tensor, reads: Reads) -> Tensor:
    """Each text's first token, last token or mean, as a placeholder operator. Shape: `[T, H]`, `[B]` -> `[B, H]`."""
    return torch.onnx.ops.symbolic(
        f"{DOMAIN}::{_OPERATOR[reads]}",
        (hidden, lengths),
        attrs={},
        dtype=hidden.dtype,
        shape=(lengths.shape[0], hidden.shape[1]),
        version=1,
    )


def register(function: Callable[..., Any] = packed_attention) -> None:
    """Make `attn_implementation="cloister_packed"` known to transformers, with no attention mask at all."""
    AttentionInterface.register(IMPLEMENTATION, function)
    AttentionMaskInterface.register(IMPLEMENTATION, lambda *args, **kwargs: None)
