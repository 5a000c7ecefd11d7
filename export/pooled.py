"""A classifier over a sentence embedder's pooled vector: what it computes, how it begins, how it is written."""

import json
import math
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from ..runtime.manifest import Pooling

_FLAGS: dict[Pooling, str] = {"cls": "cls_token", "mean": "mean_tokens", "max": "max_tokens", "last": "lasttoken"}
_DROPOUT = 0.1
_FIRST_LOGIT = 10.0
"""Logit of an example that lies exactly in its class's direction, when training begins."""


class PooledClassifier(nn.Module):
    """A classifier over a sentence embedding: what a model that pools over its tokens continues as.

    A head on the first token, as `BertForSequenceClassification` has it, would begin from a vector that a mean-pooled
    model was never trained to use.
    """

    def __init__(self, encoder: PreTrainedModel, pooling: Pooling, labels: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.pooling = pooling
        self.linear = nn.Linear(int(cast(Any, encoder.config).hidden_size), labels)
        nn.init.normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Shape: `[B, S]` -> logits `[B, labels]`."""
        vector = self.pooled(input_ids, attention_mask, token_type_ids)
        return {"logits": self.linear(nn.functional.dropout(vector, _DROPOUT, self.training))}

    def pooled(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """Shape: `[B, S]` -> `[B, D]`."""
        types = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask, **types).last_hidden_state
        mask = attention_mask[..., None].to(hidden.dtype)
        if self.pooling == "mean":
            return cast(Tensor, (hidden * mask).sum(1) / mask.sum(1))
        if self.pooling == "max":
            return cast(Tensor, hidden.masked_fill(mask == 0, -math.inf).amax(1))
        if self.pooling == "last":
            return cast(Tensor, hidden[torch.arange(len(hidden)), attention_mask.sum(1) - 1])
        return cast(Tensor, hidden[:, 0])

    def begin(self, vectors: Tensor, classes: Tensor) -> None:
        """Let each class's weights begin as the direction in which its examples lie.

        A head that is right most of the time from the first step does not pull the encoder away from what it knows
        (linear probing before fine-tuning: Kumar et al., 2022, arXiv:2202.10054).

        Shape: `[n, D]`, `[n]`; every class occurs.
        """
        centre = vectors.mean(0)
        one_hot = nn.functional.one_hot(classes, self.linear.out_features).to(vectors.dtype)
        means = (one_hot.T @ vectors) / one_hot.sum(0)[:, None]
        directions = nn.functional.normalize(means - centre, dim=1)
        directions *= _FIRST_LOGIT / (vectors - centre).norm(dim=1).mean()
        with torch.no_grad():
            self.linear.weight.copy_(directions)
            self.linear.bias.copy_(-directions @ centre)

    def save(self, folder: Path, window: int) -> None:
        """Write a sentence-transformers folder whose last module, Dense, gives the logits."""
        self.encoder.save_pretrained(folder)
        width, labels = self.linear.in_features, self.linear.out_features
        flags = {f"pooling_mode_{name}": name == _FLAGS[self.pooling] for name in _FLAGS.values()}
        kinds = (("Transformer", ""), ("Pooling", "1_Pooling"), ("Dense", "2_Dense"))
        modules = [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (kind, path) in enumerate(kinds)
        ]
        dense = {
            "in_features": width,
            "out_features": labels,
            "bias": True,
            "activation_function": "torch.nn.modules.linear.Identity",
        }
        contents = {
            "modules.json": modules,
            "sentence_bert_config.json": {"max_seq_length": window, "do_lower_case": False},
            "1_Pooling/config.json": {"word_embedding_dimension": width, **flags},
            "2_Dense/config.json": dense,
        }
        for name, content in contents.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(json.dumps(content, indent=2) + "\n", "utf-8")
        tensors = {"linear.weight": self.linear.weight, "linear.bias": self.linear.bias}
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, folder / "2_Dense/model.safetensors")
