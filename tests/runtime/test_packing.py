"""Groups and packs: every text once, bounds kept, nothing mixed up."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cloister.runtime.packing import FREE_CELLS, Tokens, groups, pack, pad

LENGTHS = st.lists(st.integers(1, 600), min_size=1, max_size=80)


@given(LENGTHS, st.floats(1.0, 8.0), st.integers(1, 4096), st.integers(0, 100_000))
def test_groups_hold_every_text_once_within_the_bounds(lengths: list[int], bound: float, limit: int, free: int) -> None:
    cut = list(groups(lengths, bound, limit, free=free))
    assert sorted(i for group in cut for i in group) == list(range(len(lengths)))
    for group in cut:
        members = np.array([lengths[i] for i in group], np.int64)
        if len(members) > 1:
            assert members.sum() <= limit
            cells, squares = len(members) * members.max() ** 2, (members**2).sum()
            assert cells <= bound * squares or cells - squares <= free


def test_short_texts_run_together_whatever_their_lengths() -> None:
    assert len(list(groups([17, 13, 11, 7, 7]))) > 1
    assert [g.tolist() for g in groups([17, 13, 11, 7, 7], free=FREE_CELLS)] == [[0, 1, 2, 3, 4]]
    assert len(list(groups([256, 8, 8], free=FREE_CELLS))) == 2


def test_a_bound_of_one_runs_equal_lengths_only() -> None:
    cut = list(groups([3, 5, 3, 5, 3], bound=1.0))
    assert [sorted(g.tolist()) for g in cut] == [[1, 3], [0, 2, 4]]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=20), st.integers(0, 2))
def test_pack_describes_the_padded_grid(lengths: list[int], first: int) -> None:
    texts = [Tokens(np.arange(n) + 100 * i, np.full(n, i % 2)) for i, n in enumerate(lengths)]
    arrays = pack(texts, first)
    batch = pad(texts, padding_id=-1)
    grid = arrays["input_ids"][arrays["unpack"]]
    real = batch["attention_mask"] == 1
    assert np.array_equal(grid[real], batch["input_ids"][real])
    assert np.array_equal(grid.ravel()[arrays["pack"]], arrays["input_ids"])
    assert np.array_equal(arrays["lengths"], lengths)
    assert np.array_equal(arrays["position_ids"], np.concatenate([np.arange(n) + first for n in lengths]))
    assert np.array_equal(arrays["token_type_ids"], np.concatenate([t.types for t in texts if t.types is not None]))
