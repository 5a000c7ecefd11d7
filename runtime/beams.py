"""Beam search for the targets of an encoder-decoder, by the rules of transformers' `_beam_search`. Pure numpy.

Each text is searched on its own, whatever shares its batch; one that is done leaves the batch.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .sampling import penalize
from .search import Floats, Ids, Rules, Steps, free

_NEVER = np.float32(-1e9)


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


def best_of(scores: Floats, count: int) -> tuple[Floats, Ids]:
    """The largest scores of each row and where they are, best first; the earlier one of equals first.

    Shape: `[R, V]` -> `[R, count]`, `[R, count]`.
    """
    if scores.shape[1] > 8 * count:
        some = np.sort(np.argpartition(scores, -count, axis=1)[:, -count:], axis=1)
    else:
        some = np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
    values = np.take_along_axis(scores, some, 1)
    order = np.argsort(-values, axis=1, kind="stable")[:, :count]
    return np.take_along_axis(values, order, 1), np.take_along_axis(some, order, 1).astype(np.int64)


def beams(steps: Steps, count: int, rules: Rules) -> list[list[int]]:
    """Returns each source's best target, start token and end token included.

    The decoder starts with `num_beams` equal rows for each source.
    """
    results: list[list[int]] = [[] for _ in range(count)]
    for _ in walk_beams(steps, results, rules):
        pass
    return results


def walk_beams(steps: Steps, results: list[list[int]], rules: Rules) -> Iterator[None]:
    """The same step by step: each time the iterator is asked the running targets grow by a token, and the results of
    sources that are done are filled in.

    A source is done when no running target can beat the worst that ended, by the estimate that `early_stopping`
    chooses.
    """
    width = rules.num_beams
    states = []
    for _ in results:
        scores = np.zeros(width, np.float32)
        scores[1:] = _NEVER
        ended = [(_NEVER, [rules.start_id], False)] * width
        states.append(_Beams([[rules.start_id]] * width, scores, list(ended)))
    left = list(range(len(results)))
    while left:
        written = [ids for i in left for ids in states[i].running]
        values, tokens = _candidates(steps, written, rules)
        shape = len(left), width, values.shape[1]
        by_source = zip(values.reshape(shape), tokens.reshape(shape), strict=True)
        kept: list[int] = []
        rows: list[int] = []
        for place, (index, (scores, found)) in enumerate(zip(left, by_source, strict=True)):
            parents, done = _advance(states[index], scores, found, rules)
            if done:
                results[index] = states[index].ended[0][1]
            else:
                kept.append(place)
                rows.extend(place * width + parent for parent in parents)
        yield
        if kept:
            steps.keep(np.array(kept, np.intp), np.array(rows, np.intp))
        left = [left[place] for place in kept]


def _count(rules: Rules) -> int:
    """Candidates of a source: so many that `num_beams` are left when every other one ends."""
    return max(2, 1 + len(rules.end_ids)) * rules.num_beams


def _candidates(steps: Steps, written: Sequence[Sequence[int]], rules: Rules) -> tuple[Floats, Ids]:
    """Of each row at least as many tokens as the whole source needs. Shape: R rows of ids -> `[R, n]`, `[R, n]`."""
    if not rules.sampling.penalizes or rules.forced(len(written[0])) is not None:
        return free(steps, written, rules, _count(rules))
    scores = log_softmax(steps.step(np.array([ids[-1] for ids in written], np.int64)))
    for row, ids in zip(scores, written, strict=True):
        penalize(row, rules.sampling, set(ids), Counter(ids[1:]))
        row[[*rules.barred(len(ids)), *rules.repeating(ids)]] = -np.inf
    return best_of(scores, _count(rules))


def _advance(state: _Beams, scores: Floats, tokens: Ids, rules: Rules) -> tuple[list[int], bool]:
    """One step of one source. Returns the row that each running target comes from, and whether the source is done.

    Shape: scores and tokens `[num_beams, n]`, the candidates after each running target.
    """
    width = rules.num_beams
    length = len(state.running[0])
    total = (scores + state.scores[:, None]).reshape(-1)
    parents = np.repeat(np.arange(width), scores.shape[1])
    flat = tokens.reshape(-1)
    # Equal scores in the order of parent and token, as if all tokens were there.
    best = np.lexsort((flat, parents, -total))[: _count(rules)]
    parents, flat, found = parents[best], flat[best], total[best]
    last = length + 1 >= rules.max_length
    hits = np.full(len(flat), True) if last else np.isin(flat, rules.end_ids)
    going = found + hits.astype(np.float32) * _NEVER
    order = _largest(going, width)
    targets = [[*state.running[p], t] for p, t in zip(parents.tolist(), flat.tolist(), strict=True)]
    divided = found / np.float32(length**rules.length_penalty)
    full = rules.early_stopping is True and all(done for _, _, done in state.ended)
    merged = list(state.ended)
    for place, hit in enumerate(hits.tolist()):
        counts = hit and place < width
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
    return np.asarray(np.argsort(-values, kind="stable")[:count], np.intp)
