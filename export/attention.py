"""The operators a packed model is traced with, and the attention function registered with transformers.

A *pack* is the tokens of several texts one after the other, without padding: `input_ids [T]` with T the sum of the
lengths. Under the functions registered here a transformers model runs on a pack as if it were one sequence, and leaves
two placeholder operators in the traced graph, which `lower.py` replaces for the target provider:

- `cloister::PackedAttention(query, key, value [T, heads * head_size]) -> [T, heads * head_size]`: attention within
  each text of the pack, never across texts.
- `cloister::PackedFirst(hidden [T, H], lengths [B]) -> [B, H]`: each text's first token.

No runtime knows these operators, so one that was forgotten can never pass for a working graph.
"""

from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface

DOMAIN = "cloister"
IMPLEMENTATION = "cloister_packed"


def packed_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **unused: Any,
) -> tuple[Tensor, None]:
    """Attention function with the signature of transformers' `AttentionInterface`.

    Shape: query, key, value `[1, heads, T, head_size]` -> `[1, T, heads, head_size]`.
    """
    _, heads, _, size = query.shape
    if key.shape[1] != heads:
        raise NotImplementedError("grouped-query attention has no packed form yet")
    if module.__dict__.get("is_causal", False) or unused.get("sliding_window") is not None:
        raise NotImplementedError("causal and sliding-window attention have no packed form yet")
    flat = [x.transpose(1, 2).reshape(-1, heads * size) for x in (query, key, value)]
    out = torch.onnx.ops.symbolic(
        f"{DOMAIN}::PackedAttention",
        flat,
        attrs={"num_heads": heads, "scale": float(scaling if scaling is not None else size**-0.5)},
        dtype=query.dtype,
        shape=flat[0].shape,
        version=1,
    )
    return out.reshape(1, -1, heads, size), None


def first(hidden: Tensor, lengths: Tensor) -> Tensor:
    """Each text's first token, as a placeholder operator. Shape: `[T, H]`, `[B]` -> `[B, H]`."""
    return torch.onnx.ops.symbolic(
        f"{DOMAIN}::PackedFirst",
        (hidden, lengths),
        attrs={},
        dtype=hidden.dtype,
        shape=(lengths.shape[0], hidden.shape[1]),
        version=1,
    )


def register() -> None:
    """Make `attn_implementation="cloister_packed"` known to transformers, with no attention mask at all."""
    AttentionInterface.register(IMPLEMENTATION, packed_attention)
    AttentionMaskInterface.register(IMPLEMENTATION, lambda *args, **kwargs: None)
