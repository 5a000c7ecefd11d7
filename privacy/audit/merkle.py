"""The Merkle tree of RFC 6962, section 2.1, as it grows: roots, and the tiles of C2SP `tlog-tiles`."""

import hashlib
from collections.abc import Callable, Iterator

from . import paths

HASH_BYTES = 32

Subtree = Callable[[int, int], bytes]
"""Hash of the perfect subtree over leaves `[start, end)`."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash of a record as a leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_hash(hashes: list[bytes]) -> bytes:
    """Hash of the tree over given leaves or subtrees of equal height."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    while len(hashes) > 1:
        last = [hashes[-1]] if len(hashes) % 2 else []
        hashes = [node_hash(a, b) for a, b in zip(hashes[::2], hashes[1::2], strict=False)] + last
    return hashes[0]


class Tree:
    """A growing tree that remembers one hash per bit of its size, and the unfinished tiles.

    Attributes:
        size: leaves so far.
    """

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []  # perfect subtrees from the largest, one per bit of `size`
        self._open: list[list[bytes]] = []  # hashes of the unfinished tile of each level
        self._finished: list[tuple[int, int, bytes]] = []

    def append(self, leaf: bytes) -> None:
        """Add a leaf's hash."""
        peak, size = leaf, self.size
        while size & 1:
            peak = node_hash(self._peaks.pop(), peak)
            size >>= 1
        self._peaks.append(peak)
        self.size += 1
        self._into_tile(0, leaf)

    def _into_tile(self, level: int, value: bytes) -> None:
        if level == len(self._open):
            self._open.append([])
        row = self._open[level]
        row.append(value)
        if len(row) == paths.TILE_WIDTH:
            index = (self.size >> (8 * (level + 1))) - 1
            self._finished.append((level, index, b"".join(row)))
            self._open[level] = []
            self._into_tile(level + 1, tree_hash(row))

    def root(self) -> bytes:
        """Hash of the whole tree."""
        if not self._peaks:
            return tree_hash([])
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root

    def take_finished(self) -> list[tuple[int, int, bytes]]:
        """Level, index and bytes of the full tiles since the last call."""
        finished, self._finished = self._finished, []
        return finished

    def unfinished(self) -> Iterator[tuple[int, int, bytes]]:
        """Level, index and bytes of the partial tiles of the tree as it is."""
        for level, row in enumerate(self._open):
            if row:
                yield level, self.size >> (8 * (level + 1)), b"".join(row)

    @classmethod
    def restored(cls, size: int, read: Callable[[int, int, int], bytes]) -> "Tree":
        """A tree of a size from its partial tiles and the hashes of full ones.

        Args:
            size: leaves.
            read: bytes of a tile by level, index and width.
        """
        tree = cls()
        tree.size = size
        level = 0
        while size >> (8 * level):
            count = size >> (8 * level)
            width, index = count % paths.TILE_WIDTH, count // paths.TILE_WIDTH
            data = read(level, index, width) if width else b""
            tree._open.append([data[i : i + HASH_BYTES] for i in range(0, len(data), HASH_BYTES)])
            level += 1
        # The highest subtrees come first: each level's unfinished row, cut into the powers of two of its length.
        for row in reversed(tree._open):
            start = 0
            for bit in (1 << b for b in range(7, -1, -1)):
                if len(row) & bit:
                    tree._peaks.append(tree_hash(row[start : start + bit]))
                    start += bit
        return tree


def split(start: int, end: int) -> int:
    """Where RFC 6962 splits the leaves `[start, end)`: after the largest power of two that is smaller than all."""
    return start + (1 << ((end - start - 1).bit_length() - 1))


def range_hash(start: int, end: int, subtree: Subtree) -> bytes:
    """Hash of the tree over leaves `[start, end)`, `start` as RFC 6962 splits."""
    size = end - start
    if size & (size - 1) == 0:
        return subtree(start, end)
    middle = split(start, end)
    return node_hash(subtree(start, middle), range_hash(middle, end, subtree))


def inclusion(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """Audit path of a leaf, from the leaf's sibling up (RFC 6962, section 2.1.1)."""
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = split(start, end)
        if index < middle:
            path.append(range_hash(middle, end, subtree))
            end = middle
        else:
            path.append(range_hash(start, middle, subtree))
            start = middle
    return path[::-1]


def consistency(old: int, size: int, subtree: Subtree) -> list[bytes]:
    """Proof that the tree of `size` leaves extends the one of `old` (RFC 6962, section 2.1.2); empty for 0."""
    if old in (0, size):
        return []
    path: list[bytes] = []
    start, end, whole = 0, size, True
    while old != end:
        middle = split(start, end)
        if old <= middle:
            path.append(range_hash(middle, end, subtree))
            end = middle
        else:
            path.append(range_hash(start, middle, subtree))
            start, whole = middle, False
    if not whole:
        path.append(range_hash(start, end, subtree))
    return path[::-1]
