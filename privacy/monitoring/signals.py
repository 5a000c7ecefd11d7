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
        indices = tuple(range(count)) if count <= SAMPLED else tuple(sorted(self._random.sample(range(count), SAMPLED)))
        return Signals(indices, tuple([self._one(texts[i]) for i in indices]))

    def _one(self, item: str | tuple[str, str]) -> TextSignals:
        text = item if isinstance(item, str) else _joined(item)
        length = len(text) if isinstance(item, str) else len(item[0]) + len(item[1])
        ends = text if len(text) <= 2 * _SKETCHED else text[:_SKETCHED] + "\n" + text[-_SKETCHED:]
        long = text if len(text) <= 2 * _SEARCHED else text[:_SEARCHED] + "\n" + text[-_SEARCHED:]
        lower = ends.lower()
        return TextSignals(
            length,
            octave(length),
            self._sketcher.keys(lower.encode("utf-8", "surrogatepass")),
            length > 2 * _SKETCHED,
            patterns.injection(lower if long is text is ends else long.lower()),
            patterns.encoded(ends),
        )


def _joined(pair: tuple[str, str]) -> str:
    """A pair as one text, without copying more of it than is read."""
    first, second = pair
    return "\n".join(
        part if len(part) <= 2 * _SEARCHED else part[:_SEARCHED] + "\n" + part[-_SEARCHED:] for part in (first, second)
    )
