"""From logits to the next token: penalties, temperature, cut-offs and a seeded draw. Pure numpy."""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import InvalidInput
from .defaults import Sampling
from .generation import GenerationOptions
from .tokens import validated

Floats = NDArray[np.float32]

Number = TypeVar("Number", int, float)
_SEEDS = 1 << 64
_FEW = 1024


@dataclass(frozen=True)
class Settled:
    """Options with the bundle's defaults filled in; meanings as in `GenerationOptions`."""

    temperature: float
    top_k: int
    top_p: float
    min_p: float
    repetition_penalty: float
    frequency_penalty: float
    presence_penalty: float

    @property
    def penalizes(self) -> bool:
        """Whether scores of tokens change that occurred."""
        return self.repetition_penalty != 1 or bool(self.frequency_penalty or self.presence_penalty)


GREEDY = Settled(0.0, 0, 1.0, 0.0, 1.0, 0.0, 0.0)


def settle(options: GenerationOptions, given: Sampling) -> Settled:
    """Options over the bundle's defaults.

    Raises:
        InvalidInput: one is out of its range, or of another type.
    """

    def of(asked: Number | None, said: Number | None, default: Number) -> Number:
        return asked if asked is not None else said if said is not None else default

    found = Settled(
        of(options.temperature, given.temperature, 0.0),
        of(options.top_k, given.top_k, 0),
        of(options.top_p, given.top_p, 1.0),
        of(options.min_p, given.min_p, 0.0),
        of(options.repetition_penalty, given.repetition_penalty, 1.0),
        options.frequency_penalty,
        options.presence_penalty,
    )
    _require(_real(found.temperature) and 0 <= found.temperature <= 100, "temperature", "a number, 0 to 100")
    _require(_whole(found.top_k) and found.top_k >= 0, "top_k", "a whole number, 0 or more")
    _require(_real(found.top_p) and 0 < found.top_p <= 1, "top_p", "a number over 0, up to 1")
    _require(_real(found.min_p) and 0 <= found.min_p <= 1, "min_p", "a number, 0 to 1")
    penalty = found.repetition_penalty
    _require(_real(penalty) and 0 < penalty <= 100, "repetition_penalty", "a number over 0, up to 100")
    for name, value in (("frequency", found.frequency_penalty), ("presence", found.presence_penalty)):
        _require(_real(value) and abs(value) <= 2, f"{name}_penalty", "a number, -2 to 2")
    seed, most, logs = options.seed, options.max_tokens, options.logprobs
    _require(seed is None or (_whole(seed) and 0 <= seed < _SEEDS), "seed", "a whole number, 0 to 2^64 - 1")
    _require(most is None or (_whole(most) and most >= 1), "max_tokens", "a whole number, 1 or more")
    _require(logs is None or (_whole(logs) and 0 <= logs <= 20), "logprobs", "a whole number, 0 to 20")
    # A text by itself would be taken for many stop texts of one character.
    stops = isinstance(options.stop, tuple | list) and len(options.stop) <= 16
    _require(
        stops and all(isinstance(s, str) and s for s in options.stop), "stop", "up to 16 texts, none of them empty"
    )
    validated(list(options.stop))
    return found


def _real(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _require(holds: bool, name: str, allowed: str) -> None:
    if not holds:
        raise InvalidInput(f"{name} is not what it may be", hint=f"{name} is {allowed}")


def log_softmax(logits: Floats) -> NDArray[np.float64]:
    """Natural logarithms of the probabilities. Shape: `[vocabulary]` -> `[vocabulary]`."""
    shifted = logits.astype(np.float64) - logits.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))


def penalize(scores: Floats, how: Settled, seen: Collection[int], generated: Mapping[int, int]) -> None:
    """Take from scores, in place, what tokens lose that occurred.

    Args:
        scores: logits, or logarithms of probabilities. Shape: `[vocabulary]`.
        seen: tokens that the repetition penalty is for.
        generated: how often each token was written, for the other two penalties.
    """
    if how.repetition_penalty != 1 and seen:
        # Keskar et al., 2019 (CTRL): a positive logit is divided, a negative one multiplied.
        places = np.fromiter(seen, np.intp)
        values = scores[places]
        penalty = np.float32(how.repetition_penalty)
        scores[places] = np.where(values > 0, values / penalty, values * penalty)
    if generated and (how.frequency_penalty or how.presence_penalty):
        tokens = np.fromiter(generated, np.intp)
        counts = np.fromiter(generated.values(), np.float32)
        scores[tokens] -= np.float32(how.frequency_penalty) * counts + np.float32(how.presence_penalty)


class Sampler:
    """Draws tokens of one text.

    Args:
        settled: how.
        prompt: tokens that the repetition penalty counts as having occurred, as transformers does.
        seed: of the generator; None draws one.
    """

    def __init__(self, settled: Settled, prompt: Sequence[int], seed: int | None) -> None:
        self._settled = settled
        self._seen = set(prompt)
        self._generated: Counter[int] = Counter()
        self._random = np.random.Generator(np.random.PCG64(seed))

    def take(self, token: int) -> None:
        """Count a token as generated."""
        self._seen.add(token)
        self._generated[token] += 1

    def penalized(self, logits: Floats) -> Floats:
        """Logits less what tokens lose that occurred; the same array where none does.

        Shape: `[vocabulary]` -> `[vocabulary]`.
        """
        if not self._settled.penalizes or not (self._seen or self._generated):
            return logits
        result = logits.copy()
        penalize(result, self._settled, self._seen, self._generated)
        return result

    def draw(self, logits: Floats, allowed: NDArray[np.bool_] | None = None) -> int:
        """The next token, of those that are allowed. Shape: `[vocabulary]`, `[vocabulary]`."""
        scores = self.penalized(logits)
        if allowed is not None:
            scores = np.where(allowed, scores, np.float32(-np.inf))
        if self._settled.temperature == 0:
            return int(scores.argmax())
        tokens, weights = candidates(scores, self._settled)
        place = np.searchsorted(np.cumsum(weights), self._random.random(), side="right")
        return int(tokens[min(int(place), len(tokens) - 1)])


def candidates(scores: Floats, how: Settled) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Tokens that are drawn from and their probabilities; the most probable first where top_k or top_p chooses them.

    The order of the steps is that of transformers: temperature, top_k, top_p, min_p.

    Shape: `[vocabulary]` -> `[n]`, `[n]`.
    """
    scaled = scores.astype(np.float64) / how.temperature
    most = len(scaled) if how.top_k == 0 else min(how.top_k, len(scaled))
    total = None
    if most < len(scaled):
        order = _best(scaled, most)
    elif how.top_p < 1:
        order, total = _reaching(scaled, how.top_p)
    else:
        order = np.flatnonzero(scaled > -np.inf)
    weights = np.exp(scaled[order] - scaled[order].max())
    weights /= weights.sum() if total is None else total
    if how.top_p < 1:
        before = np.cumsum(weights) - weights
        kept = before < how.top_p
        order, weights = order[kept], weights[kept]
    if how.min_p > 0:
        kept = weights >= how.min_p * weights.max()
        order, weights = order[kept], weights[kept]
    return order, np.asarray(weights / weights.sum())


def _best(scaled: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """So many best tokens, the best first, of equal ones the one that comes first; impossible ones are left out."""
    if most < len(scaled):
        found = np.argpartition(-scaled, most - 1)[:most]
        order = found[np.lexsort((found, -scaled[found]))]
    else:
        order = np.argsort(-scaled, kind="stable")
    return order[scaled[order] > -np.inf]


def _reaching(scaled: NDArray[np.float64], share: float) -> tuple[NDArray[np.intp], float]:
    """Best tokens, sorted, enough of them that their probabilities reach a share, and the sum of all tokens' weights.

    Few are sorted where few suffice. Weights are relative to the best token's.
    """
    weights = np.exp(scaled - scaled.max())
    total = float(weights.sum())
    wanted = share * total
    order = _best(scaled, min(_FEW, len(scaled)))
    # The last of them is left out of the sum: others may equal it.
    if len(order) < _FEW or weights[order[:-1]][weights[order[:-1]] > weights[order[-1]]].sum() <= wanted:
        order = _best(scaled, len(scaled))
    return order, total
