"""The search against a plain one of this file, over decoders whose scores are drawn; and what must not change it."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cloister.runtime.beams import beams, best_of, log_softmax
from cloister.runtime.sampling import GREEDY, Settled
from cloister.runtime.search import Floats, Ids, Rules, allowed, one_by_one

END = 0


class Drawn:
    """A decoder whose scores depend on the source and on everything written; see `search.Steps`."""

    def __init__(self, sources: Sequence[int], vocabulary: int, width: int) -> None:
        self.vocabulary = vocabulary
        self.rows: list[tuple[int, tuple[int, ...]]] = [(source, ()) for source in sources for _ in range(width)]
        self.width = width

    def scores(self, source: int, written: Sequence[int]) -> Floats:
        return np.random.default_rng([source, *written]).normal(0, 2, self.vocabulary).astype(np.float32)

    def step(self, tokens: Ids) -> Floats:
        self.rows = [(source, (*ids, int(t))) for (source, ids), t in zip(self.rows, tokens, strict=True)]
        return np.stack([self.scores(source, ids) for source, ids in self.rows])

    def best(self, tokens: Ids, count: int) -> tuple[Floats, Ids]:
        return best_of(log_softmax(self.step(tokens)), count)

    def keep(self, sources: Any, rows: Any) -> None:
        kept = [self.rows[i] for i in rows]
        # Rows of a source stay together, in the order of the sources that are kept.
        before = [self.rows[i * self.width][0] for i in sources]
        assert [kept[i * self.width][0] for i in range(len(sources))] == before
        assert all(kept[i][0] == before[i // self.width] for i in range(len(kept)))
        self.rows = kept


def options(ids: tuple[int, ...], decoder: Drawn, source: int, rules: Rules) -> dict[int, float]:
    """Log-probabilities of the tokens that may follow, one by one."""
    logits = decoder.scores(source, ids).astype(np.float64)
    logs = {t: float(v) for t, v in enumerate(logits - math.log(np.exp(logits).sum()))}
    length = len(ids)
    for token in set(ids):
        logs[token] *= rules.sampling.repetition_penalty
    for token, n in Counter(ids[1:]).items():
        logs[token] -= rules.sampling.frequency_penalty * n + rules.sampling.presence_penalty
    if rules.forced_last_id is not None and length == rules.max_length - 1:
        return {rules.forced_last_id: 0.0}
    if rules.forced_first_id is not None and length == 1:
        return {rules.forced_first_id: 0.0}
    gone = set(rules.suppressed) | (set(rules.end_ids) if length < rules.min_length else set())
    size = rules.no_repeat_ngram_size
    if size:
        grams = {ids[i : i + size] for i in range(length - size + 1)}
        gone |= {t for t in logs if (*ids, t)[-size:] in grams}
    return {t: v for t, v in logs.items() if t not in gone}


def plain_beams(decoder: Drawn, source: int, rules: Rules) -> list[int]:
    """Beam search of one source, hypothesis by hypothesis."""
    width, penalty = rules.num_beams, rules.length_penalty
    running: list[tuple[float, tuple[int, ...]]] = [(0.0, (rules.start_id,))]
    ended: list[tuple[float, tuple[int, ...]]] = []
    while True:
        length = len(running[0][1])
        follow = [
            (score + log, (*ids, token))
            for score, ids in running
            for token, log in options(ids, decoder, source, rules).items()
        ]
        grown = sorted(follow, key=lambda one: -one[0])[: max(2, 1 + len(rules.end_ids)) * width]
        last = length + 1 == rules.max_length

        def ends(one: tuple[float, tuple[int, ...]], last: bool = last) -> bool:
            return last or one[1][-1] in rules.end_ids

        if not (rules.early_stopping is True and len(ended) == width):
            ended += [(one[0] / length**penalty, one[1]) for one in grown[:width] if ends(one)]
            ended = sorted(ended, key=lambda one: -one[0])[:width]
        running = [one for one in grown if not ends(one)][:width]
        if not running:
            break
        if len(ended) == width:
            reached = rules.max_length - 1 if rules.early_stopping == "never" and penalty > 0 else length
            if rules.early_stopping is True or running[0][0] / reached**penalty <= ended[-1][0]:
                break
    return list(ended[0][1])


VOCABULARY, START = 9, 8

searches = st.builds(
    Rules,
    start_id=st.just(START),
    end_ids=st.sampled_from([(END,), (END, 1)]),
    max_length=st.integers(2, 9),
    forced_first_id=st.sampled_from([None, 5]),
    forced_last_id=st.sampled_from([None, END]),
    suppressed=st.sampled_from([(), (START,), (START, 3)]),
    min_length=st.integers(0, 5),
    no_repeat_ngram_size=st.integers(0, 3),
    sampling=st.builds(
        Settled,
        temperature=st.just(0.0),
        top_k=st.just(0),
        top_p=st.just(1.0),
        min_p=st.just(0.0),
        repetition_penalty=st.sampled_from([1.0, 1.3]),
        frequency_penalty=st.sampled_from([0.0, 0.5]),
        presence_penalty=st.sampled_from([0.0, 0.25]),
    ),
    num_beams=st.integers(2, 3),
    length_penalty=st.sampled_from([-0.5, 0.0, 0.6, 1.0, 2.0]),
    early_stopping=st.sampled_from([False, True, "never"]),
)
sources = st.lists(st.integers(0, 10_000), min_size=1, max_size=5)


@settings(max_examples=150, deadline=None)
@given(rules=searches, several=sources)
def test_beams_are_those_of_a_plain_search(rules: Rules, several: list[int]) -> None:
    rules = replace(rules, no_repeat_ngram_size=0 if rules.no_repeat_ngram_size == 1 else rules.no_repeat_ngram_size)
    decoder = Drawn(several, VOCABULARY, rules.num_beams)
    wanted = [plain_beams(Drawn([], VOCABULARY, 1), source, rules) for source in several]
    assert beams(decoder, len(several), rules) == wanted


@settings(max_examples=60, deadline=None)
@given(rules=searches, source=st.integers(0, 10_000))
def test_the_greedy_search_takes_the_best_each_time(rules: Rules, source: int) -> None:
    rules = replace(rules, num_beams=1, sampling=GREEDY)
    decoder = Drawn([source], VOCABULARY, 1)
    ids: tuple[int, ...] = (START,)
    while len(ids) < rules.max_length and (len(ids) == 1 or ids[-1] not in rules.end_ids):
        follow = options(ids, decoder, source, rules)
        if not follow:
            return  # nothing is allowed: every token is as good
        ids = (*ids, max(follow, key=lambda t: follow[t]))
    assert one_by_one(decoder, 1, rules) == [list(ids)]


@settings(max_examples=40, deadline=None)
@given(source=st.integers(0, 10_000), penalty=st.sampled_from([0.0, 0.7, 1.0, 1.5]), longest=st.integers(2, 4))
def test_a_search_wide_enough_finds_the_best_of_all_texts(source: int, penalty: float, longest: int) -> None:
    vocabulary = 4
    rules = Rules(3, (END,), longest, num_beams=vocabulary**longest, length_penalty=penalty, early_stopping="never")
    decoder = Drawn([source], vocabulary, rules.num_beams)
    best, target = -math.inf, [3]
    for length in range(1, longest):
        for body in product(range(vocabulary), repeat=length):
            if END in body[:-1] or (length < longest - 1 and body[-1] != END):
                continue
            ids: tuple[int, ...] = (3,)
            total = 0.0
            for token in body:
                total += options(ids, decoder, source, rules)[token]
                ids = (*ids, token)
            if total / length**penalty > best:
                best, target = total / length**penalty, list(ids)
    assert beams(decoder, 1, rules) == [target]


@settings(max_examples=60, deadline=None)
@given(
    rules=searches,
    several=sources,
    width=st.sampled_from([1, 3]),
    temperature=st.sampled_from([0.0, 1.0]),
    data=st.data(),
)
def test_order_and_company_change_nothing(
    rules: Rules, several: list[int], width: int, temperature: float, data: st.DataObject
) -> None:
    how = replace(rules.sampling, temperature=temperature if width == 1 else 0.0, top_k=5)
    rules = replace(rules, num_beams=width, sampling=how, seed=7)
    search = one_by_one if width == 1 else beams
    found = search(Drawn(several, VOCABULARY, width), len(several), rules)
    order = data.draw(st.permutations(range(len(several))))
    again = search(Drawn([several[i] for i in order], VOCABULARY, width), len(several), rules)
    assert again == [found[i] for i in order]
    alone = [search(Drawn([source], VOCABULARY, width), 1, rules)[0] for source in several]
    assert alone == found


@settings(max_examples=60, deadline=None)
@given(rules=searches, source=st.integers(0, 10_000), seed=st.integers(0, 99))
def test_what_is_drawn_is_allowed(rules: Rules, source: int, seed: int) -> None:
    how = Settled(1.5, 0, 1.0, 0.0, 1.0, 0.0, 0.0)
    rules = replace(rules, num_beams=1, sampling=how, seed=seed)
    (target,) = one_by_one(Drawn([source], VOCABULARY, 1), 1, rules)
    for length in range(1, len(target)):
        may = allowed(target[:length], rules, VOCABULARY)
        if may.any():
            assert may[target[length]]


@settings(deadline=None)
@given(
    scores=st.integers(1, 60).flatmap(
        lambda n: st.lists(st.lists(st.integers(0, 5), min_size=n, max_size=n), min_size=1, max_size=3)
    ),
    count=st.integers(1, 4),
)
def test_the_best_of_a_row(scores: list[list[int]], count: int) -> None:
    table = np.array(scores, np.float32) + np.linspace(0, 0.5, len(scores[0]), dtype=np.float32)
    count = min(count, table.shape[1])
    values, ids = best_of(table, count)
    for row, value, found in zip(table, values, ids, strict=True):
        wanted = sorted(range(len(row)), key=lambda i: -row[i])[:count]
        assert found.tolist() == wanted
        assert value.tolist() == row[wanted].tolist()


def test_a_row_without_any_allowed_token_still_ends() -> None:
    rules = Rules(START, (END,), 4, suppressed=tuple(range(VOCABULARY)))
    assert len(one_by_one(Drawn([1], VOCABULARY, 1), 1, rules)[0]) == 4
