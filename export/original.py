"""The source model in PyTorch, one text at a time without padding: what an exported graph is measured against."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from ..runtime.packing import Tokens
from .source import Source, Text

Floats = NDArray[np.float32]


def tokenized(source: Source, texts: Sequence[Text], longest: int | None = None) -> list[Tokens]:
    """Texts by the source's own tokenizer, cut to the model's window, and to `longest` tokens where given."""
    limit = source.window if longest is None else min(longest, source.window)
    found = []
    for text in texts:
        pair = (text,) if isinstance(text, str) else text
        encoded = cast(Any, source.tokenizer)(*pair, truncation="longest_first", max_length=limit)
        types = np.array(encoded["token_type_ids"], np.int64) if source.token_types else None
        found.append(Tokens(np.array(encoded["input_ids"], np.int64), types))
    return found


def outputs(source: Source, tokens: Tokens) -> Floats:
    """What the task's graph gives for one text.

    Shape: `[labels]`; `[n, labels]`, `[n, 2]` or `[n, hidden]` for a head per token; `[m, vocabulary]` for m masks.
    """
    ids = torch.from_numpy(tokens.ids)[None]
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if tokens.types is not None:
        inputs["token_type_ids"] = torch.from_numpy(tokens.types)[None]
    with torch.no_grad():
        found = source.model(**inputs)
    match source.head:
        case "sequence" | "tokens":
            return cast(Floats, found.logits[0].numpy())
        case "spans":
            return np.stack([found.start_logits[0].numpy(), found.end_logits[0].numpy()], axis=-1)
        case "masked":
            return cast(Floats, found.logits[0].numpy()[tokens.ids == source.mask_id])
        case "hidden":
            return cast(Floats, found.last_hidden_state[0].numpy())
