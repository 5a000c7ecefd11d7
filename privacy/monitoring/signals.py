"""From texts to what the monitor may know of them: no content goes on from here."""

import random
import secrets
from collections.abc import Sequence
from typing import NamedTuple

from . import patterns
from .reference import octave
from .sketch import Sketcher

SAMPLED = 4
"""Most texts of one request that are read; of more, as many are drawn at random."""
_SKETCHED = 512
_SEARCHED = 2048


class TextSignals(NamedTuple):
    """What is known of one text.

    Attributes:
        length: characters.
        octave: its bin in a reference's histogram of lengths.
        keys: see `Sketcher`; empty for a very short text.
        partial: only the beginning and the end of the text are in the keys.
        injection, encoded: weights, 0 to 2.
    """

    length: int
    octave: int
    keys: tuple[int, ...]
    partial: bool
    injection: float
    encoded: float

    def __repr__(self) -> str:
        return "<TextSignals>"


class Signals(NamedTuple):
    """Of the texts of one request that were read.

    Attributes:
        indices: which texts of the request these are.
        texts: signals of each.
    """

    indices: tuple[int, ...]
    texts: tuple[TextSignals, ...]

    def __repr__(self) -> str:
        return f"<Signals of {len(self.texts)} texts>"


class Reader:
    """Reads texts. Keeps nothing; safe to call from threads.

    Args:
        secret: at least 16 random bytes; drawn anew unless given. It decides which texts share keys.
    """

    def __init__(self, secret: bytes | None = None) -> None:
        self._sketcher = Sketcher(secrets.token_bytes(32) if secret is None else secret)
        # Which texts of a large request are read must not be foreseen by whoever sends it.
        self._random = random.SystemRandom()

    def __repr__(self) -> str:
        return "<Reader>"

    def read(self, texts: Sequence[str | tuple[str, str]]) -> Signals:
        """Signals of at most `SAMPLED` texts or pairs. The work does not depend on how many or how long they are."""
        count = len(texts)
        if count == 1:
            return Signals((0,), (self._one(texts[0]),))
        indices = tuple(range(count)) if count <= SAMPLED else tuple(sorted(self._random.sample(range(count), SAMPLED)))
        return Signals(indices, tuple([self._one(texts[i]) for i in indices]))

    def _one(self, item: str | tuple[str, str]) -> TextSignals:
        if isinstance(item, str):
            text, length = item, len(item)
        else:
            text, length = _joined(item), len(item[0]) + len(item[1])
        if length <= 2 * _SKETCHED:
            lower = text.lower()
            keys = self._sketcher.keys(lower.encode("utf-8", "surrogatepass"))
            return TextSignals(length, octave(length), keys, False, patterns.injection(lower), patterns.encoded(text))
        ends = text[:_SKETCHED] + "\n" + text[-_SKETCHED:]
        long = text if len(text) <= 2 * _SEARCHED else text[:_SEARCHED] + "\n" + text[-_SEARCHED:]
        return TextSignals(
            length,
            octave(length),
            self._sketcher.keys(ends.lower().encode("utf-8", "surrogatepass")),
            True,
            patterns.injection(long.lower()),
            patterns.encoded(ends),
        )


def _joined(pair: tuple[str, str]) -> str:
    """A pair as one text, without copying more of it than is read."""
    first, second = pair
    return "\n".join(
        part if len(part) <= 2 * _SEARCHED else part[:_SEARCHED] + "\n" + part[-_SEARCHED:] for part in (first, second)
    )
