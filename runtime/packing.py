"""Texts of many lengths -> groups, and each group -> the arrays a packed or a padded graph reads. Pure numpy."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]

PADDING_BOUND = 1.5
"""Largest `n * longest² / sum(length²)` of a group: how much attention padding it may hold. Smaller bounds cut
too many groups, larger ones waste attention on padding; `benchmarks/bounds.py` measures it."""

FREE_CELLS = 8192
"""Padded attention cells, `n * longest² - sum(length²)`, that a group may hold whatever the bound says: another group's
fixed cost (its operators' calls, the weights read again) is more. Measured by `benchmarks/bounds.py`."""

TOKEN_LIMIT = 4096
"""Most tokens in one group (a longer text runs alone): more only pushes activations out of the cache."""


@dataclass(frozen=True)
class Tokens:
    """One text as the model reads it.

    Shape: `ids` `[n]`, `types` `[n]` or None where the model has no token types.
    """

    ids: Ids
    types: Ids | None = None

    def __len__(self) -> int:
        return len(self.ids)


def groups(
    lengths: Sequence[int], bound: float = PADDING_BOUND, token_limit: int = TOKEN_LIMIT, *, free: int = 0
) -> Iterator[NDArray[np.intp]]:
    """Cut texts into groups that run together; yields indices into `lengths`, longest texts first.

    Every group keeps `n * longest² / sum(length²) <= bound`, or pads at most `free` attention cells; and, unless it
    holds a single text, has at most `token_limit` tokens. Every index comes exactly once.
    """
    counts = np.asarray(lengths, dtype=np.int64)
    order = np.argsort(-counts, kind="stable")
    start = 0
    while start < len(order):
        longest = int(counts[order[start]])
        tokens, squares, stop = longest, longest * longest, start + 1
        while stop < len(order):
            length = int(counts[order[stop]])
            tokens, squares = tokens + length, squares + length * length
            cells = (stop + 1 - start) * longest * longest
            if tokens > token_limit or cells > max(bound * squares, squares + free):
                break
            stop += 1
        yield order[start:stop]
        start = stop


def pack(
    texts: Sequence[Tokens], first_position: int, mask_id: int | None = None, *, offsets: bool = False
) -> dict[str, NDArray[np.integer]]:
    """The arrays a packed graph reads; FORMAT.md defines them.

    Args:
        texts: at least one text, each with at least one token.
        first_position: position id of a text's first token.
        mask_id: id of the tokens whose rows the graph answers for, None where it answers for all.
        offsets: add what attention on packs reads (CUDA): `token_offset` and `cumulative_sequence_length`.
    """
    lengths = np.fromiter((len(t) for t in texts), np.int64, len(texts))
    total = int(lengths.sum())
    starts = np.zeros(len(texts), np.int64)
    np.cumsum(lengths[:-1], out=starts[1:])
    columns = np.arange(int(lengths.max()))
    real = columns < lengths[:, None]
    unpack = np.where(real, starts[:, None] + columns, 0)
    arrays: dict[str, NDArray[np.integer]] = {
        "input_ids": np.concatenate([t.ids for t in texts]),
        "position_ids": np.arange(first_position, first_position + total) - np.repeat(starts, lengths),
        "unpack": unpack,
        "pack": np.flatnonzero(real),
        "lengths": lengths.astype(np.int32),
    }
    if offsets:
        cells = np.concatenate([arrays["pack"], np.flatnonzero(~real)])  # the texts' cells first, then the padding's
        arrays["token_offset"] = cells.reshape(real.shape).astype(np.int32)
        arrays["cumulative_sequence_length"] = np.concatenate([starts, [total]]).astype(np.int32)
    types = [t.types for t in texts if t.types is not None]
    if types:
        arrays["token_type_ids"] = np.concatenate(types)
    if mask_id is not None:
        arrays["rows"] = np.flatnonzero(arrays["input_ids"] == mask_id)
    return arrays


def pad(texts: Sequence[Tokens], padding_id: int, mask_id: int | None = None) -> dict[str, NDArray[np.integer]]:
    """The arrays a padded graph reads: `input_ids`, `attention_mask` and, where there are any, `token_type_ids`.

    Shape: all `[B, S]`, S the longest text; with a `mask_id` also `rows` `[M]`, the cells that hold it.
    """
    shape = len(texts), max(len(t) for t in texts)
    ids = np.full(shape, padding_id, np.int64)
    mask = np.zeros(shape, np.int64)
    types = np.zeros(shape, np.int64)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = text.ids
        mask[row, : len(text)] = 1
        if text.types is not None:
            types[row, : len(text)] = text.types
    arrays: dict[str, NDArray[np.integer]] = {"input_ids": ids, "attention_mask": mask}
    if any(t.types is not None for t in texts):
        arrays["token_type_ids"] = types
    if mask_id is not None:
        arrays["rows"] = np.flatnonzero((ids == mask_id) & (mask == 1))
    return arrays
