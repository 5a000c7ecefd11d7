"""The decoder of an encoder-decoder bundle: one session, and for each batch the keys and values that it has so far."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .beams import best_of, log_softmax
from .search import Ids
from .session import Session
from .translation import EncoderDecoderSettings

Floats = NDArray[np.float32]

_BEST = ("best_scores", "best_ids")


class Decoder:
    """Runs the decoder step by step. Safe to call from several threads; each batch is its own `Batch`.

    Args:
        session: the graph of one step.
        settings: layers and shapes.
    """

    def __init__(self, session: Session, settings: EncoderDecoderSettings) -> None:
        self.session = session
        self.settings = settings
        self.past = _names("past", settings.layers)
        self.present = _names("present", settings.layers)
        self.cross = _names("cross", settings.layers)
        self.finds_best = set(_BEST) <= set(session.outputs)

    def begin(self, cross: Sequence[Floats], lengths: NDArray[np.int32], width: int = 1) -> "Batch":
        """A batch of sources, with `width` targets for each.

        Shape: cross, per layer keys and values: `[B, heads, S, head_size]`; lengths `[B]`.
        """
        return Batch(self, list(cross), lengths, width)


class Batch:
    """Targets that are written together; see `search.Steps`."""

    def __init__(self, decoder: Decoder, cross: list[Floats], lengths: NDArray[np.int32], width: int) -> None:
        settings = decoder.settings
        self.vocabulary = settings.vocabulary
        self._decoder = decoder
        self._cross = dict(zip(decoder.cross, cross, strict=True))
        self._lengths = lengths
        shape = (len(lengths) * width, settings.heads, 0, settings.head_size)
        self._past: list[Floats] = [np.zeros(shape, np.float32) for _ in decoder.past]
        self._position = 0

    def step(self, tokens: Ids) -> Floats:
        """Logits after one more token of each row. Shape: `[R]` -> `[R, V]`."""
        return np.asarray(self._run(tokens, ["logits"], 1)[0])

    def best(self, tokens: Ids, count: int) -> tuple[Floats, Ids]:
        """See `search.Steps.best`. The graph finds them, so that a row of logits never leaves it."""
        if not self._decoder.finds_best:
            return best_of(log_softmax(self.step(tokens)), count)
        scores, ids = self._run(tokens, list(_BEST), count)
        return np.asarray(scores, np.float32), np.asarray(ids, np.int64)

    def _run(self, tokens: Ids, outputs: list[str], count: int) -> list[NDArray[np.generic]]:
        found = self._decoder.session.run(self.feeds(tokens, count), [*outputs, *self._decoder.present])
        self._past = found[len(outputs) :]
        self._position += 1
        return found[: len(outputs)]

    def feeds(self, tokens: Ids, count: int = 1) -> dict[str, NDArray[np.generic]]:
        """What the graph reads for one more token of each row, and for how many of the best next ones."""
        return {
            "input_ids": tokens,
            "position": np.full(len(tokens), self._position, np.int64),
            "lengths": self._lengths,
            "count": np.array([count], np.int64),
            **dict(zip(self._decoder.past, self._past, strict=True)),
            **self._cross,
        }

    def keep(self, sources: NDArray[np.intp], rows: NDArray[np.intp]) -> None:
        """Go on with these sources, and with the keys and values of these rows, in this order."""
        if not np.array_equal(rows, np.arange(len(self._past[0]))):
            self._past = [past[rows] for past in self._past]
        if len(sources) < len(self._lengths):
            self._lengths = self._lengths[sources]
            longest = int(self._lengths.max())
            self._cross = {n: np.ascontiguousarray(c[sources][:, :, :longest]) for n, c in self._cross.items()}


def _names(kind: str, layers: int) -> list[str]:
    return [f"{kind}_{part}.{layer}" for layer in range(layers) for part in ("key", "value")]
