"""Every figure against an independent oracle: scikit-learn, scipy, or the definition counted out by brute force."""

import re
import string
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from sklearn import metrics as oracle

from cloister.export import metrics

PAIRS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=60)


@given(PAIRS)
def test_accuracy_and_macro_f1(pairs: list[tuple[int, int]]) -> None:
    wanted, got = np.array(pairs).T
    assert metrics.accuracy(wanted, got) == pytest.approx(oracle.accuracy_score(wanted, got))
    assert metrics.macro_f1(wanted, got) == pytest.approx(oracle.f1_score(wanted, got, average="macro"))


@given(st.integers(1, 20).flatmap(lambda n: st.tuples(*[hnp.arrays(np.bool_, (n, 4)) for _ in range(2)])))
def test_multi_label_f1(both: tuple[Any, Any]) -> None:
    wanted, got = both
    expected = [oracle.f1_score(wanted, got, average=a, zero_division=0) for a in ("micro", "macro")]
    assert metrics.multi_label_f1(wanted, got) == pytest.approx(tuple(expected))


NUMBERS = st.lists(st.tuples(st.integers(-3, 3), st.floats(-5, 5)), min_size=3, max_size=50)


@given(NUMBERS)
def test_spearman_with_ties(pairs: list[tuple[int, float]]) -> None:
    wanted, got = np.array(pairs, np.float64).T
    if len(set(wanted)) == 1 or len(set(got)) == 1:
        assert metrics.spearman(wanted, got) == 0
    else:
        assert metrics.spearman(wanted, got) == pytest.approx(stats.spearmanr(wanted, got).statistic, abs=1e-9)
    np.testing.assert_allclose(metrics.ranks(got), stats.rankdata(got))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=60))
def test_auroc_with_ties(pairs: list[tuple[bool, int]]) -> None:
    positive, scores = np.array([p for p, _ in pairs]), np.array([s for _, s in pairs], np.float64)
    if positive.all() or not positive.any():
        with pytest.raises(ValueError, match="both kinds"):
            metrics.auroc(positive, scores)
    else:
        assert metrics.auroc(positive, scores) == pytest.approx(oracle.roc_auc_score(positive, scores))


TAGS = st.lists(st.sampled_from(["O", "B-P", "I-P", "B-L", "I-L"]), min_size=1, max_size=12)


def chunks(tags: list[str]) -> set[tuple[int, int, str]]:
    """Entities of a BIO sequence by the definition: every stretch that is one B and then as many I of its kind."""
    n = len(tags)
    return {
        (i, j, tags[i][2:])
        for i in range(n)
        for j in range(i + 1, n + 1)
        if tags[i][0] == "B"
        and all(t == f"I-{tags[i][2:]}" for t in tags[i + 1 : j])
        and (j == n or tags[j] != f"I-{tags[i][2:]}")
    }


@given(st.lists(st.tuples(TAGS, TAGS), min_size=1, max_size=10))
def test_entity_f1_counts_exact_spans(pairs: list[tuple[list[str], list[str]]]) -> None:
    wanted, got = [chunks(w) for w, _ in pairs], [chunks(g) for _, g in pairs]
    true = sum(entity in g for w, g in zip(wanted, got, strict=True) for entity in w)
    precision = true / max(sum(map(len, got)), 1)
    recall = true / max(sum(map(len, wanted)), 1)
    expected = 2 * precision * recall / (precision + recall) if true else 0.0
    assert metrics.entity_f1(metrics.entity_counts(wanted, got)) == pytest.approx(expected)


def test_a_span_off_by_one_or_of_another_label_is_wrong_twice() -> None:
    counts = metrics.entity_counts([{(0, 3, "P"), (5, 8, "L")}], [{(0, 4, "P"), (5, 8, "P")}])
    assert counts.tolist() == [[0, 2, 2]]
    assert metrics.entity_f1(counts) == 0


def squad_words(text: str) -> list[str]:
    lowered = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", lowered).split()


ASCII = st.text("abc the. ,'-", max_size=20)


@given(st.lists(ASCII, min_size=1, max_size=3), ASCII)
def test_answers_as_squad_scores_them(wanted: list[str], got: str) -> None:
    best = 0.0
    for answer in wanted:
        a, b = squad_words(answer), squad_words(got)
        common = sum((Counter(a) & Counter(b)).values())
        if not a or not b:
            value = float(a == b)
        elif not common:
            value = 0.0
        else:
            precision, recall = common / len(b), common / len(a)
            value = 2 * precision * recall / (precision + recall)
        best = max(best, value)
    assert metrics.token_f1(wanted, got) == pytest.approx(best)
    assert metrics.exact_match(wanted, got) == float(any(squad_words(a) == squad_words(got) for a in wanted))


def test_chinese_answers_are_compared_by_character() -> None:
    assert metrics.exact_match(["北京市。"], "北京市") == 1
    assert metrics.token_f1(["北京市"], "北京") == pytest.approx(0.8)


def test_flips() -> None:
    assert metrics.flips(["a", "b", "c"], ["a", "c", "c"]) == 1


def test_the_paired_interval_is_that_of_the_mean_difference() -> None:
    random = np.random.default_rng(3)
    wanted = random.integers(0, 2, 2000)
    first = np.where(random.random(2000) < 0.9, wanted, 1 - wanted)
    second = np.where(random.random(2000) < 0.02, 1 - first, first)
    interval = metrics.paired_interval(
        lambda rows: metrics.accuracy(wanted[rows], first[rows]),
        lambda rows: metrics.accuracy(wanted[rows], second[rows]),
        2000,
    )
    each = (second == wanted).astype(float) - (first == wanted)
    normal = stats.norm.interval(0.95, each.mean(), each.std() / np.sqrt(2000))
    assert (interval.low, interval.high) == pytest.approx(normal, abs=0.002)
    assert interval.low < each.mean() < interval.high
    unpaired = np.sqrt(2 * 0.9 * 0.1 / 2000) * 1.96
    assert interval.high - interval.low < unpaired  # half the width of what two separate samples would leave, or less


def test_the_interval_covers_as_often_as_it_says() -> None:
    random = np.random.default_rng(5)
    covered = 0
    for trial in range(100):
        right = random.random((2, 150)) < np.array([[0.8], [0.7]])
        interval = metrics.paired_interval(
            lambda rows, r=right: float(r[0][rows].mean()),  # type: ignore[misc]
            lambda rows, r=right: float(r[1][rows].mean()),  # type: ignore[misc]
            150,
            resamples=200,
            seed=trial,
        )
        covered += interval.low <= -0.1 <= interval.high
    assert 87 <= covered <= 100
