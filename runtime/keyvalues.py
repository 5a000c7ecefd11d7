"""Keys and values of several sequences in one place, each of its own length. Pure numpy over anonymous memory."""

import mmap
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import Overloaded

Floats = NDArray[np.float32]

_LEAST_LENGTH = 256


@dataclass(frozen=True)
class Shape:
    """What a token's keys and values are.

    Attributes:
        layers: each has keys and values.
        heads: heads of keys and values.
        size: numbers of a head.
    """

    layers: int
    heads: int
    size: int

    @property
    def bytes_per_token(self) -> int:
        """Of keys and values in float32."""
        return 2 * self.layers * self.heads * self.size * 4


class KeyValues:
    """Room for rows of tokens. What was never written takes no memory; what is freed is given back at once.

    Args:
        shape: of a token.
        rows: how many sequences.
        length: most tokens of each; rounded up, so that a row begins on a page of memory.

    Attributes:
        arrays: keys and values of every layer, `2 * layers` arrays of shape `[rows, heads, length, size]`.

    Raises:
        Overloaded: the system has no room for it.
    """

    def __init__(self, shape: Shape, rows: int, length: int) -> None:
        self.shape = shape
        self.rows = rows
        self.length = rounded(length)
        self._row_bytes = shape.heads * self.length * shape.size * 4
        wanted = (rows, shape.heads, self.length, shape.size)
        try:
            self._memory = [_anonymous(rows * self._row_bytes) for _ in range(2 * shape.layers)]
        except (OSError, OverflowError, ValueError):
            raise Overloaded(
                "there is no room for the keys and values of this generation",
                hint="ask for fewer tokens (max_tokens), or try again later",
                code="memory_limit",
            ) from None
        if hasattr(mmap, "MADV_NOHUGEPAGE"):
            for one in self._memory:
                one.madvise(mmap.MADV_NOHUGEPAGE)  # a page of 2 MiB would be a whole head's room
        self.arrays: list[Floats] = [np.frombuffer(one, np.float32).reshape(wanted) for one in self._memory]

    def copy(self, row: int, source: "KeyValues", source_row: int, tokens: int) -> None:
        """Take the first tokens of another row."""
        for mine, theirs in zip(self.arrays, source.arrays, strict=True):
            mine[row, :, :tokens] = theirs[source_row, :, :tokens]

    def free(self, row: int) -> None:
        """Give a row's memory back to the system, where it takes part of a mapping back."""
        if hasattr(mmap, "MADV_DONTNEED") and self._row_bytes % mmap.PAGESIZE == 0:
            for one in self._memory:
                one.madvise(mmap.MADV_DONTNEED, row * self._row_bytes, self._row_bytes)

    def read(self, row: int, start: int, stop: int) -> Floats:
        """A copy of some tokens. Shape: `[2 * layers, heads, stop - start, size]`."""
        return np.stack([one[row, :, start:stop] for one in self.arrays])

    def write(self, row: int, start: int, found: Floats) -> None:
        """Put what `read` gave to where it was."""
        for mine, theirs in zip(self.arrays, found, strict=True):
            mine[row, :, start : start + theirs.shape[1]] = theirs


def _anonymous(size: int) -> mmap.mmap:
    """Memory of this process alone: shared pages would stay when they are given back."""
    if hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return mmap.mmap(-1, size)


def rounded(length: int) -> int:
    """Tokens that a row has room for when it is asked for so many: the next power of two, at least 256."""
    return max(_LEAST_LENGTH, 1 << (length - 1).bit_length())
