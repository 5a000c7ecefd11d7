"""Prompt caching: what the beginnings of prompts became, kept so that the next prompt with the same one skips it."""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, repr=False)
class Block:
    """Some tokens of a prompt after all those before them.

    Attributes:
        values: their keys and values. Shape: `[2 * layers, heads, tokens, size]`.
        logits: what may follow the last of them. Shape: `[vocabulary]`.
    """

    values: Floats
    logits: Floats

    @property
    def nbytes(self) -> int:
        """Memory of it."""
        return self.values.nbytes + self.logits.nbytes


class Prefixes:
    """Blocks by everything that was read up to their end; the longest unused ones leave first.

    Keys are digests: neither text nor tokens are kept. Safe to use from several threads.

    Args:
        limit: bytes of all blocks; 0 keeps none.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.nbytes = 0
        self._blocks: OrderedDict[bytes, Block] = OrderedDict()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Prefixes {len(self)} blocks, {self.nbytes} bytes>"

    def __len__(self) -> int:
        return len(self._blocks)

    def find(self, key: bytes) -> Block | None:
        """The block of a key."""
        with self._lock:
            block = self._blocks.get(key)
            if block is not None:
                self._blocks.move_to_end(key)
            return block

    def add(self, key: bytes, block: Block) -> None:
        """Keep a block, unless it alone is over the limit."""
        with self._lock:
            if key in self._blocks or block.nbytes > self.limit:
                return
            self._blocks[key] = block
            self.nbytes += block.nbytes
            self._shrink(self.limit)

    def shrink(self, limit: int) -> None:
        """Forget blocks until they take no more than so many bytes."""
        with self._lock:
            self._shrink(limit)

    def _shrink(self, limit: int) -> None:
        while self.nbytes > max(0, limit):
            _, block = self._blocks.popitem(last=False)
            self.nbytes -= block.nbytes


def root(salt: str | None) -> bytes:
    """The key of nothing read; prompts under different salts share nothing."""
    return hashlib.sha256(b"" if salt is None else b"\x01" + salt.encode("utf-8", "surrogatepass")).digest()


def after(key: bytes, tokens: NDArray[np.int64]) -> bytes:
    """The key of some tokens after everything that another key stands for."""
    return hashlib.sha256(key + tokens.tobytes()).digest()
