"""Attention of encoder-decoders: packed in the encoder, token by token with kept keys and values in the decoder.

The decoder's graph is one step. Self attention reads the keys and values of the tokens before and gives them back with
this token's; cross attention reads keys and values of the source, which the encoder's graph made once per text. Both
are ONNX Runtime's MultiHeadAttention. Relative positions (T5) become a table by distance, looked up in the graph.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface

from .attention import packed_attention

IMPLEMENTATION = "cloister_cached"


@dataclass
class Step:
    """What one run of the decoder reads and gives: per layer keys and values `[B, heads, n, head_size]`.

    Attributes:
        lengths: tokens of each source `[B]`, int32.
        past: keys and values of the tokens before, per layer.
        cross: keys and values of the source, per layer.
        bias: added to the scores of self attention `[1, heads, 1, n + 1]`, None without relative positions.
        present: `past` with this token's, filled by the run.
    """

    lengths: Tensor
    past: Sequence[tuple[Tensor, Tensor]]
    cross: Sequence[tuple[Tensor, Tensor]]
    bias: Tensor | None
    present: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)


class Attention:
    """The attention function of one model, registered while it is traced.

    Args:
        self_attention, cross_attention: the decoder's attention modules, layer by layer.
        table: of the encoder, relative scores by distance `[2 * reach + 1, heads]`; None without relative positions.
    """

    def __init__(
        self, self_attention: Sequence[nn.Module], cross_attention: Sequence[nn.Module], table: Tensor | None
    ) -> None:
        self._own = {id(module): layer for layer, module in enumerate(self_attention)}
        self._cross = {id(module): layer for layer, module in enumerate(cross_attention)}
        self.table = table
        self.step: Step | None = None
        self.encoder_calls = 0
        AttentionInterface.register(IMPLEMENTATION, self)
        AttentionMaskInterface.register(IMPLEMENTATION, lambda *args, **kwargs: None)

    def __call__(
        self,
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        scaling: float | None = None,
        dropout: float = 0.0,
        **more: Any,
    ) -> tuple[Tensor, None]:
        """Attention function with the signature of transformers' `AttentionInterface`."""
        more.pop("position_bias", None)  # from the table, by true positions
        if self.step is None:
            self.encoder_calls += 1
            return packed_attention(
                module, query, key, value, attention_mask, scaling, dropout, relative=self.table, **more
            )
        _, heads, _, size = query.shape
        flat = query.transpose(1, 2).reshape(-1, 1, heads * size)
        attributes: dict[str, Any] = {
            "num_heads": heads,
            "scale": float(scaling if scaling is not None else size**-0.5),
        }
        if id(module) in self._cross:
            cross_key, cross_value = self.step.cross[self._cross[id(module)]]
            out = torch.onnx.ops.symbolic(
                "com.microsoft::MultiHeadAttention",
                (flat, cross_key, cross_value, None, self.step.lengths),
                attrs=attributes,
                dtype=query.dtype,
                shape=flat.shape,
                version=1,
            )
            return out.reshape(-1, 1, heads, size), None
        layer = self._own[id(module)]
        past_key, past_value = self.step.past[layer]
        inputs = [x.transpose(1, 2).reshape(-1, 1, heads * size) for x in (key, value)]
        grown = (past_key.shape[0], heads, past_key.shape[2] + 1, size)
        out, present_key, present_value = torch.onnx.ops.symbolic_multi_out(
            "com.microsoft::MultiHeadAttention",
            (flat, *inputs, None, None, self.step.bias, past_key, past_value),
            attrs=attributes,
            dtypes=(query.dtype,) * 3,
            shapes=(flat.shape, grown, grown),
            version=1,
        )
        self.step.present[layer] = present_key, present_value
        return out.reshape(-1, 1, heads, size), None
