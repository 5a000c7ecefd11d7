"""Search for the target of an encoder-decoder: greedy, sampling, beams, as transformers' `generate`. Pure numpy.

Each text is searched on its own, whatever shares its batch; one that has ended leaves the batch.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]

_NEVER = np.float32(-1e9)


class Steps(Protocol):
    """A decoder in the middle of its work: rows of targets, `width` for each source that is left."""

    def step(self, tokens: Ids) -> Floats:
        """Logits after one more token of each row. Shape: `[R]` -> `[R, V]`."""

    def keep(self, sources: NDArray[np.intp], rows: NDArray[np.intp]) -> None:
        """Go on with these sources, and with what is known of these rows, in this order."""


@dataclass(frozen=True)
class Rules:
    """What a search may write. Lengths count the start token, as in transformers.

    Attributes:
        seed: of sampling; each text draws from its own stream.
        temperature: 0 takes the most probable token.
    """

    start_id: int
    end_ids: tuple[int, ...]
    max_length: int
    forced_first_id: int | None = None
    forced_last_id: int | None = None
    suppressed: tuple[int, ...] = ()
    min_length: int = 0
    no_repeat_ngram_size: int = 0
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    seed: int = 0
    num_beams: int = 1
    length_penalty: float = 1.0
    early_stopping: bool | Literal["never"] = False


def processed(scores: Floats, written: Sequence[Sequence[int]], rules: Rules) -> Floats:
    """Scores with what the rules forbid at -inf, in the order in which transformers applies its processors.

    Shape: scores `[R, V]`, changed in place; written: R rows of ids, the start token first.
    """
    length = len(written[0])
    for row, ids in enumerate(written):
        if rules.repetition_penalty != 1.0:
            seen = np.unique(np.asarray(ids))
            values = scores[row, seen]
            penalty = np.float32(rules.repetition_penalty)
            scores[row, seen] = np.where(values < 0, values * penalty, values / penalty)
        if rules.frequency_penalty or rules.presence_penalty:
            seen, counts = np.unique(np.asarray(ids[1:], np.int64), return_counts=True)
            scores[row, seen] -= (rules.frequency_penalty * counts + rules.presence_penalty).astype(np.float32)
        if rules.no_repeat_ngram_size:
            scores[row, _repeating(ids, rules.no_repeat_ngram_size)] = -np.inf
    if rules.suppressed:
        scores[:, list(rules.suppressed)] = -np.inf
    if length < rules.min_length:
        scores[:, list(rules.end_ids)] = -np.inf
    for forced, due in ((rules.forced_first_id, 1), (rules.forced_last_id, rules.max_length - 1)):
        if forced is not None and length == due:
            scores[:] = -np.inf
            scores[:, forced] = 0
    return scores


def _repeating(ids: Sequence[int], size: int) -> list[int]:
    """Tokens that would complete an n-gram that stands in `ids` already."""
    if len(ids) + 1 < size:
        return []
    begun = tuple(ids[len(ids) + 1 - size :])
    return [ids[i + size - 1] for i in range(len(ids) - size + 1) if tuple(ids[i : i + size - 1]) == begun]


Wrote = Callable[[int, int], bool]
"""Told a source's index and its next token; True ends that target."""


def one_by_one(steps: Steps, count: int, rules: Rules, wrote: Wrote | None = None) -> list[list[int]]:
    """Greedy search or sampling. Returns each source's target, start token and end token included."""
    targets = [[rules.start_id] for _ in range(count)]
    for _ in walk(steps, targets, rules, wrote):
        pass
    return targets


def walk(steps: Steps, targets: list[list[int]], rules: Rules, wrote: Wrote | None = None) -> Iterator[None]:
    """The same step by step: `targets` grow by a token each time the iterator is asked."""
    left = list(range(len(targets)))
    random = [np.random.default_rng([rules.seed, index]) for index in left]
    while left:
        logits = steps.step(np.array([targets[i][-1] for i in left], np.int64))
        scores = processed(logits, [targets[i] for i in left], rules)
        if rules.temperature == 0:
            chosen = scores.argmax(1)
        else:
            chosen = np.array([_drawn(row, rules, random[i]) for row, i in zip(scores, left, strict=True)])
        kept = []
        for row, (index, token) in enumerate(zip(left, chosen.tolist(), strict=True)):
            targets[index].append(token)
            ended = token in rules.end_ids or len(targets[index]) >= rules.max_length
            if not (ended or (wrote is not None and wrote(index, token))):
                kept.append(row)
        yield
        if len(kept) < len(left):
            left = [left[row] for row in kept]
            order = np.array(kept, np.intp)
            if left:
                steps.keep(order, order)


def _drawn(scores: Floats, rules: Rules, random: np.random.Generator) -> int:
    """One token by temperature, top-k, top-p and min-p, in transformers' order."""
    values = scores.astype(np.float64) / rules.temperature
    order = np.argsort(-values, kind="stable")
    values = values[order]
    if rules.top_k:
        values = values[: rules.top_k]
    odds = np.exp(values - values[0])
    odds /= odds.sum()
    if rules.top_p < 1:
        odds = odds[: int(np.searchsorted(np.cumsum(odds), rules.top_p)) + 1]
    if rules.min_p:
        odds = odds[odds >= rules.min_p * odds[0]]
    return int(order[random.choice(len(odds), p=odds / odds.sum())])


@dataclass
class _Beams:
    """One source's search: running targets with their scores, and the best that ended."""

    running: list[list[int]]
    scores: Floats
    ended: list[tuple[np.float32, list[int], bool]] = field(default_factory=list)


def log_softmax(logits: Floats) -> Floats:
    """Shape: `[R, V]` -> `[R, V]`."""
    shifted = logits - logits.max(1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)), np.float32)


def beams(steps: Steps, count: int, rules: Rules) -> list[list[int]]:
    """Beam search. Returns each source's best target, start token and end token included.

    The decoder starts with `num_beams` equal rows for each source. The rules of transformers' `_beam_search` hold: a
    source is done when no running target can beat the worst that ended, by the estimate that `early_stopping` chooses.
    """
    width = rules.num_beams
    states = []
    for _ in range(count):
        scores = np.zeros(width, np.float32)
        scores[1:] = _NEVER
        ended = [(_NEVER, [rules.start_id], False)] * width
        states.append(_Beams([[rules.start_id]] * width, scores, list(ended)))
    left = list(range(count))
    results: list[list[int]] = [[] for _ in range(count)]
    while left:
        written = [ids for i in left for ids in states[i].running]
        logits = steps.step(np.array([ids[-1] for ids in written], np.int64))
        by_source = processed(log_softmax(logits), written, rules).reshape(len(left), width, -1)
        kept: list[int] = []
        rows: list[int] = []
        for place, index in enumerate(left):
            parents, done = _advance(states[index], by_source[place], rules)
            if done:
                results[index] = states[index].ended[0][1]
            else:
                kept.append(place)
                rows.extend(place * width + parent for parent in parents)
        if kept:
            steps.keep(np.array(kept, np.intp), np.array(rows, np.intp))
        left = [left[place] for place in kept]
    return results


def _advance(state: _Beams, scores: Floats, rules: Rules) -> tuple[list[int], bool]:
    """One step of one source. Returns the row that each running target comes from, and whether the source is done."""
    width = rules.num_beams
    length = len(state.running[0])
    total = scores + state.scores[:, None]
    flat = total.reshape(-1)
    count = max(2, 1 + len(rules.end_ids)) * width
    best = _largest(flat, count)
    parents, tokens = np.divmod(best, scores.shape[1])
    found = flat[best]
    last = length + 1 >= rules.max_length
    hits = np.array([last or token in rules.end_ids for token in tokens.tolist()])
    going = found + hits.astype(np.float32) * _NEVER
    order = _largest(going, width)
    targets = [[*state.running[p], t] for p, t in zip(parents.tolist(), tokens.tolist(), strict=True)]
    divided = found / np.float32(length**rules.length_penalty)
    full = rules.early_stopping is True and all(done for _, _, done in state.ended)
    merged = list(state.ended)
    for place in range(count):
        counts = bool(hits[place]) and place < width
        score = divided[place] + (np.float32(0) if counts else _NEVER) + (_NEVER if full else np.float32(0))
        merged.append((score, targets[place], counts))
    state.ended = [merged[i] for i in _largest(np.array([m[0] for m in merged], np.float32), width)]
    state.running = [targets[i] for i in order]
    state.scores = going[order]
    longest = rules.early_stopping == "never" and rules.length_penalty > 0
    reached = (rules.max_length - 1) if longest else length
    possible = state.scores[0] / np.float32(reached**rules.length_penalty)
    all_ended = all(done for _, _, done in state.ended)
    worst = min(score for score, _, _ in state.ended)
    improvable = bool(possible > worst) if all_ended else True
    done = not improvable or (all_ended and rules.early_stopping is True) or bool(hits.all())
    return parents[order].tolist(), done


def _largest(values: Floats, count: int) -> NDArray[np.intp]:
    """Indices of the largest values, best first; the earlier one of equals first."""
    if len(values) > 8 * count:
        some = np.argpartition(-values, count - 1)[:count]
        some.sort()
    else:
        some = np.arange(len(values))
    return np.asarray(some[np.argsort(-values[some], kind="stable")][:count], np.intp)
