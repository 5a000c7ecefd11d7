"""Near-duplicates without keeping texts: keyed sketches in a small table per client.

A text's 8-byte shingles are hashed by multiplication with a secret odd number (multiply-shift; Dietzfelbinger et al.,
"A reliable randomized algorithm for the closest-pair problem", 1997). The least hash in each of twelve ranges is kept
(one-permutation MinHash with rotation; Li, Owen and Zhang, NIPS 2012; Shrivastava and Li, ICML 2014): two texts share
one of them with about the probability of their Jaccard similarity. Three at a time they make a band (locality-sensitive
hashing), so a text that shares a band with an earlier one has most of its shingles in common with it.
"""

import hashlib
from array import array
from collections.abc import Sequence

import numpy as np

_RANGES = 12
_PER_BAND = 3
_SHINGLE = 8
_SLOTS = 256
_STARTS = np.array([(i << 32) // _RANGES for i in range(_RANGES)], np.uint32)


class Sketcher:
    """Texts to keys.

    Args:
        secret: at least 16 random bytes. Without it nobody can tell which texts share a key.
    """

    def __init__(self, secret: bytes) -> None:
        made = hashlib.blake2b(secret, digest_size=40, person=b"cloister-sketch").digest()
        self._factor = np.uint64(int.from_bytes(made[:8], "little") | 1)
        self._key = made[8:]

    def __repr__(self) -> str:
        return "<Sketcher>"

    def keys(self, data: bytes) -> tuple[int, ...]:
        """Key of the whole text, then one for each of its four bands; empty for a text of fewer than 16 bytes.

        The work is O(n log n) in the bytes given; the caller bounds them. Keys are good for one process only: Python's
        own hash (SipHash, with a secret of the process) is what makes them.
        """
        count = len(data) - _SHINGLE + 1
        if count < _SHINGLE + 1:
            return ()
        shingles = np.ndarray((count,), "<u8", data, 0, (1,))
        hashes = (shingles * self._factor).view("<u4")[1::2].copy()  # the upper half of each product
        hashes.sort()
        least = hashes.take(hashes.searchsorted(_STARTS), mode="clip").tolist()
        return (
            hash(self._key + data),
            hash((least[0], least[1], least[2])),
            hash((least[3], least[4], least[5])),
            hash((least[6], least[7], least[8])),
            hash((least[9], least[10], least[11])),
        )


class Memory:
    """Keys of a client's recent texts: 1 KiB, whatever it sends. A new key takes the place of an older one."""

    __slots__ = ("_tags",)

    def __init__(self) -> None:
        self._tags = array("I", bytes(4 * _SLOTS))

    def meet(self, keys: Sequence[int]) -> tuple[bool, bool]:
        """Whether this very text was met before, and whether a similar one was; it is remembered."""
        tags = self._tags
        same = similar = False
        places = [(key & (_SLOTS - 1), (key >> 8 & 0xFFFFFFFF) | 1) for key in keys]
        for number, (slot, tag) in enumerate(places):
            if tags[slot] == tag:
                if number:
                    similar = True
                else:
                    same = True
        # The key of the whole text is written last: another key of the same text may fall on its place.
        for slot, tag in reversed(places):
            tags[slot] = tag
        return same, similar
