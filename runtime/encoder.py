"""Tokens in, arrays out: the groups of a batch through one session, and each text's share of the outputs."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from .linear import LinearHead
from .manifest import Pooling
from .packing import FREE_CELLS, Tokens, groups, pack, pad
from .session import Session

Floats = NDArray[np.float32]

_SAME_LENGTH = 1.0


class Encoder:
    """Runs the encoder of a bundle. Safe to call from several threads.

    Args:
        session: the graph.
        packed: whether the graph reads packs or padded batches.
        per_token: whether the output has a row per token or one per text.
        pooling: how a text's rows become its vector, None where they stay.
        first_position: position id of a text's first token.
        padding_id: token id of cells past a text's end.
        head: what reads the pooled vector, None where it is the result.
        mask_id: id of the tokens that the graph answers for, None where it answers for all.
    """

    def __init__(
        self,
        session: Session,
        *,
        packed: bool,
        per_token: bool,
        pooling: Pooling | None,
        first_position: int,
        padding_id: int,
        head: LinearHead | None = None,
        mask_id: int | None = None,
    ) -> None:
        self.session = session
        self._packed = packed
        self._per_token = per_token
        self._pooling = pooling
        self._first_position = first_position
        self._padding_id = padding_id
        self._offsets = "token_offset" in session.inputs
        self._head = head
        self._mask_id = mask_id

    def groups(self, tokens: Sequence[Tokens]) -> Iterator[NDArray[np.intp]]:
        """Indices of the texts that run together, group by group.

        On the padded path a text's rounding could depend on how far it is padded, so only texts of equal length do.
        """
        lengths = [len(t) for t in tokens]
        return groups(lengths, free=FREE_CELLS) if self._packed else groups(lengths, bound=_SAME_LENGTH)

    def arrays(self, members: Sequence[Tokens]) -> dict[str, NDArray[np.integer]]:
        """What the graph reads for one group."""
        if self._packed:
            return pack(members, self._first_position, self._mask_id, offsets=self._offsets)
        return pad(members, self._padding_id, self._mask_id)

    def forward(self, tokens: Sequence[Tokens]) -> list[Floats]:
        """Raw outputs for each text, in order.

        Shape: per text `[D]`; with `per_token` and no pooling `[n, D]`, n its tokens; with a mask token `[m, D]`, m its
        mask tokens; with a head what it gives.
        """
        results: list[Floats] = [np.empty(0, np.float32)] * len(tokens)
        for group in self.groups(tokens):
            members = [tokens[i] for i in group]
            output = self.session.run(self.arrays(members))[0]
            if self._mask_id is not None:
                counts = [int((m.ids == self._mask_id).sum()) for m in members]
                for index, part in zip(group.tolist(), np.split(output, np.cumsum(counts)[:-1]), strict=True):
                    results[index] = part
                continue
            if self._per_token and self._packed:
                parts: Sequence[Floats] = np.split(output, np.cumsum([len(m) for m in members])[:-1])
            else:
                parts = list(output)
            for index, part, member in zip(group.tolist(), parts, members, strict=True):
                rows = part[: len(member)] if self._per_token else part
                result = rows if self._pooling is None else pooled(rows, self._pooling)
                results[index] = result if self._head is None else self._head(result)
        return results


def pooled(rows: Floats, pooling: Pooling) -> Floats:
    """One vector from a text's token rows. Shape: `[n, D]` -> `[D]`.

    Done here and not in the graph: onnxruntime's sums run in another order when a text is padded further or alone, and
    the answer to a text would depend on its neighbours. numpy adds row after row.
    """
    match pooling:
        case "mean":
            return np.asarray(np.add.reduce(rows, axis=0) / np.float32(len(rows)))
        case "max":
            return np.asarray(np.max(rows, axis=0), np.float32)
        case "cls":
            return np.asarray(rows[0], np.float32)
        case "last":
            return np.asarray(rows[-1], np.float32)
