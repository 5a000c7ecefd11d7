"""Text as the patterns see it: folded to plain characters, with an exact way back to the original.

A *view* is a string derived from the input together with, for each of its characters, the half-open range of original
code points it came
from. Folding follows Unicode NFKC (UAX #15) and adds what hides values in practice: decimal digits of every script,
invisible characters,
odd spaces and dashes, and letters of other scripts that look like Latin ones (after the skeletons of UTS #39, one
character to one).

All offsets are Unicode code points.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

__all__ = ["View", "fold", "folded"]

Codes = npt.NDArray[np.uint32]
Offsets = npt.NDArray[np.int64]

_SIZE = 0x110000
_DELETE = 0xFFFFFFFF
_EXPAND = 0xFFFFFFFE
# Ranges whose characters change under NFKC or are digits; Han, Hangul syllables and private use never do.
_RANGES = (
    (0x80, 0x3400),
    (0xA000, 0xAC00),
    (0xF900, 0x10000),
    (0x10000, 0x12000),
    (0x16A00, 0x17000),
    (0x1D000, 0x20000),
    (0x2F800, 0x2FA20),
)
# Characters that take no room on the screen.
_INVISIBLE = (
    0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFEFF, 0xFFA0,
    *range(0x180B, 0x1810), *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070),
    *range(0xFE00, 0xFE10), *range(0xE0000, 0xE0080), *range(0xE0100, 0xE01F0),
)  # fmt: skip
_SPACES = (0x00A0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000, 0x2800)
_DASHES = (
    *range(0x2010, 0x2016),
    0x2043,
    0x207B,
    0x208B,
    0x2212,
    0x2E3A,
    0x2E3B,
    0xFE58,
    0xFE63,
    0xFF0D,
    0x301C,
    0x2053,
)
_LINES = (0x0085, 0x2028, 0x2029)
# Look-alikes of Latin letters and marks, pairwise.
_LOOKS = (
    "АВСЕНІЈКМОРЅТХУҮӀԚԜавсеіјкорѕхуүһԛԝӏмнтԁΑΒΕΖΗΙΚΜΝΟΡΤΥΧαβεικνορτυχϳıİŁłØøĐđƒɑɡɩɪɴʀʏʜʟᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢ։׃∶꞉⁄∕⧸․‚‘’“”′"
)
_LATIN = (
    "ABCEHIJKMOPSTXYYIQWabceijkopsxyyhqwlmhtdABEZHIKMNOPTYXabeikvoptuxjiILlOoDdfagiInRyHLAcdeJkmoptuvwz::::///.,''\"\"'"
)


def _replacement(character: str) -> str:
    """What one character is folded to; an empty string deletes it."""
    plain = unicodedata.normalize("NFKC", character)
    if len(plain) == 1 and ord(plain) > 0x7F:
        digit = unicodedata.decimal(plain, None)
        if digit is not None:
            return str(digit)
    return plain


@cache
def _tables() -> tuple[Codes, dict[int, str]]:
    """One-to-one table over all code points, and the characters that become several. Made on first need (20 ms)."""
    table = np.arange(_SIZE, dtype=np.uint32)
    many: dict[int, str] = {}
    for low, high in _RANGES:
        for code in range(low, high):
            plain = _replacement(chr(code))
            if len(plain) == 1:
                table[code] = ord(plain)
            elif plain:
                table[code] = _EXPAND
                many[code] = plain
            else:
                table[code] = _DELETE
    for codes, target in ((_SPACES, 0x20), (_DASHES, 0x2D), (_LINES, 0x0A), (_INVISIBLE, _DELETE)):
        table[list(codes)] = target
    for look, latin in zip(_LOOKS, _LATIN, strict=True):
        table[ord(look)] = ord(latin)
        many.pop(ord(look), None)
    for code in (*_SPACES, *_DASHES, *_LINES, *_INVISIBLE):
        many.pop(code, None)
    # A lone surrogate is a valid code point of a Python string and no valid UTF-8: patterns see a replacement
    # character.
    table[0xD800:0xE000] = 0xFFFD
    return table, many


@dataclass(frozen=True, slots=True, repr=False)
class View:
    """Derived text and the way back.

    Attributes:
        text: what the patterns read.
        starts: for character i of `text`, the first original code point it stands for; None when i itself is it.
        ends: for character i, one past the last original code point; None together with `starts`.
    """

    text: str
    starts: Sequence[int] | Offsets | None = None
    ends: Sequence[int] | Offsets | None = None

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Range of the original that the non-empty range [start, end) of `text` stands for."""
        if self.starts is None or self.ends is None:
            return start, end
        return int(self.starts[start]), int(self.ends[end - 1])

    def index(self, offset: int) -> int:
        """First character of `text` that stands for the original code point `offset` or a later one."""
        return offset if self.ends is None else bisect_right(self.ends, offset)

    def __repr__(self) -> str:
        return f"View({len(self.text)} characters)"


def _codes(text: str) -> Codes:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def fold(text: str) -> View:
    """View of `text` in plain characters. ASCII comes back as it is, without work.

    The result never contains lone surrogates, so it always encodes to UTF-8.
    """
    if text.isascii():
        return View(text)
    table, many = _tables()
    codes = _codes(text)
    plain = table[codes]
    if not (plain >= _EXPAND).any():
        return View(plain.tobytes().decode("utf-32-le"))
    return _uneven(codes, plain, many)


def _uneven(codes: Codes, plain: Codes, many: dict[int, str]) -> View:
    """The same where characters vanish or become several."""
    lengths = np.ones(len(codes), dtype=np.int64)
    lengths[plain == _DELETE] = 0
    expanding = np.flatnonzero(plain == _EXPAND)
    for index in expanding:
        lengths[index] = len(many[int(codes[index])])
    starts = np.repeat(np.arange(len(codes), dtype=np.int64), lengths)
    out = np.repeat(plain, lengths)
    begins = np.cumsum(lengths) - lengths
    for index in expanding:
        piece = many[int(codes[index])]
        begin = int(begins[index])
        # What an expansion is made of is folded too: a fullwidth form may expand to a dash or a space of its own.
        out[begin : begin + len(piece)] = [_one(character) for character in piece]
    return View(out.tobytes().decode("utf-32-le"), starts, starts + 1)


def _one(character: str) -> int:
    code = int(_tables()[0][ord(character)])
    return code if code < _EXPAND else 0x20


def folded(text: str) -> str:
    """The text of `fold(text)`, for comparing values: two spellings of one value fold to one string."""
    return fold(text).text
