"""Search for the target of an encoder-decoder, one token after the other: greedy, or drawn. Pure numpy.

What transformers' `generate` writes, and what its logits processors forbid. Each text is searched on its own, whatever
shares its batch; one that has ended leaves the batch. `beams.py` searches with several targets at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from .sampling import GREEDY, Sampler, Settled

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]


class Steps(Protocol):
    """A decoder in the middle of its work: rows of targets, `width` for each source that is left."""

    vocabulary: int

    def step(self, tokens: Ids) -> Floats:
        """Logits after one more token of each row. Shape: `[R]` -> `[R, V]`."""

    def best(self, tokens: Ids, count: int) -> tuple[Floats, Ids]:
        """Log-probabilities and ids of the most probable tokens after one more token of each row, best first.

        Shape: `[R]` -> `[R, count]`, `[R, count]`.
        """

    def keep(self, sources: NDArray[np.intp], rows: NDArray[np.intp]) -> None:
        """Go on with these sources, and with what is known of these rows, in this order."""


@dataclass(frozen=True)
class Rules:
    """What a search may write. Lengths count the start token, as in transformers.

    Attributes:
        sampling: temperature, cut-offs and penalties of tokens that occurred.
        seed: of sampling; every text draws from a stream of its own that begins with it.
    """

    start_id: int
    end_ids: tuple[int, ...]
    max_length: int
    forced_first_id: int | None = None
    forced_last_id: int | None = None
    suppressed: tuple[int, ...] = ()
    min_length: int = 0
    no_repeat_ngram_size: int = 0
    sampling: Settled = GREEDY
    seed: int = 0
    num_beams: int = 1
    length_penalty: float = 1.0
    early_stopping: bool | Literal["never"] = False

    def forced(self, length: int) -> int | None:
        """The only token that may follow so many, None where it is free."""
        if self.forced_last_id is not None and length == self.max_length - 1:
            return self.forced_last_id
        return self.forced_first_id if length == 1 else None

    def barred(self, length: int) -> tuple[int, ...]:
        """Tokens that may not follow so many, whatever they are."""
        return (*self.suppressed, *(self.end_ids if length < self.min_length else ()))

    def repeating(self, written: Sequence[int]) -> list[int]:
        """Tokens that would complete an n-gram that was written already."""
        size = self.no_repeat_ngram_size
        if not size or len(written) + 1 < size:
            return []
        begun = tuple(written[len(written) + 1 - size :])
        return [
            written[i + size - 1] for i in range(len(written) - size + 1) if tuple(written[i : i + size - 1]) == begun
        ]


def free(steps: Steps, written: Sequence[Sequence[int]], rules: Rules, count: int) -> tuple[Floats, Ids]:
    """The best tokens that may follow each row, without penalties of what occurred; those barred have -inf.

    Shape: R rows of ids, all of one length -> `[R, n]`, `[R, n]`, n at least `count` where the vocabulary has as many.
    """
    last = np.array([ids[-1] for ids in written], np.int64)
    length = len(written[0])
    forced = rules.forced(length)
    if forced is not None:
        steps.best(last, 1)
        shape = len(written), 1
        return np.zeros(shape, np.float32), np.full(shape, forced)
    barred = rules.barred(length)
    repeating = [rules.repeating(ids) for ids in written] if rules.no_repeat_ngram_size else []
    more = len(barred) + max(map(len, repeating), default=0)
    values, found = steps.best(last, min(count + more, steps.vocabulary))
    if barred:
        values[np.isin(found, barred)] = -np.inf
    for row, tokens in enumerate(repeating):
        if tokens:
            values[row, np.isin(found[row], tokens)] = -np.inf
    return values, found


def allowed(written: Sequence[int], rules: Rules, vocabulary: int) -> NDArray[np.bool_]:
    """Which tokens may follow. Shape: `[V]`."""
    length = len(written)
    forced = rules.forced(length)
    found = np.full(vocabulary, forced is None)
    if forced is not None:
        found[forced] = True
    else:
        found[[*rules.barred(length), *rules.repeating(written)]] = False
    return found


def one_by_one(steps: Steps, count: int, rules: Rules) -> list[list[int]]:
    """Greedy search or sampling. Returns each source's target, start token and end token included."""
    targets = [[rules.start_id] for _ in range(count)]
    for _ in walk(steps, targets, rules):
        pass
    return targets


def walk(steps: Steps, targets: list[list[int]], rules: Rules) -> Iterator[None]:
    """The same step by step: `targets` grow by a token each time the iterator is asked."""
    left = list(range(len(targets)))
    how = rules.sampling
    samplers = [Sampler(how, [rules.start_id], rules.seed) for _ in left]
    while left:
        written = [targets[i] for i in left]
        if how.temperature == 0 and not how.penalizes:
            values, found = free(steps, written, rules, 1)
            chosen = found[np.arange(len(left)), values.argmax(1)].tolist()
        else:
            logits = steps.step(np.array([ids[-1] for ids in written], np.int64))
            chosen = [
                samplers[index].draw(row, allowed(ids, rules, steps.vocabulary))
                for index, row, ids in zip(left, logits, written, strict=True)
            ]
        kept = []
        for row, (index, token) in enumerate(zip(left, chosen, strict=True)):
            targets[index].append(token)
            samplers[index].take(token)
            if token not in rules.end_ids and len(targets[index]) < rules.max_length:
                kept.append(row)
        yield
        if len(kept) < len(left):
            left = [left[row] for row in kept]
            order = np.array(kept, np.intp)
            if left:
                steps.keep(order, order)
