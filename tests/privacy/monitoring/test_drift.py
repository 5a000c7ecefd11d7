"""Drift statistics against scipy, and references as files."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cloister import BundleError
from cloister.privacy.monitoring import ks_critical, ks_distance, psi, psi_limit
from cloister.privacy.monitoring.drift import Drift
from cloister.privacy.monitoring.reference import OCTAVES, Reference, build, decode, encode, octave
from cloister.privacy.monitoring.thresholds import Thresholds

counts = st.integers(2, 40).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 500), min_size=n, max_size=n) for _ in range(2)])
)


@given(counts)
def test_psi_is_the_symmetric_kullback_leibler_divergence(both: tuple[list[int], list[int]]) -> None:
    p, q = (np.array(one) + 0.5 for one in both)
    expected = stats.entropy(p, q) + stats.entropy(q, p)
    assert psi(*both) == pytest.approx(expected, abs=1e-9)


@given(counts.filter(lambda both: sum(both[0]) > 0 and sum(both[1]) > 0))
def test_ks_distance_is_that_of_two_samples(both: tuple[list[int], list[int]]) -> None:
    first, second = (np.repeat(np.arange(len(one)), one) for one in both)
    assert ks_distance(*both) == pytest.approx(stats.ks_2samp(first, second, method="asymp").statistic, abs=1e-9)


@pytest.mark.parametrize(("m", "n"), [(200, 200), (2000, 200), (100, 5000)])
def test_the_critical_distance_is_that_of_kolmogorovs_distribution(m: int, n: int) -> None:
    exact = stats.kstwobign.isf(1e-6) / np.sqrt(m * n / (m + n))
    assert ks_critical(m, n) == pytest.approx(exact, rel=1e-3)


@pytest.mark.parametrize("bins", [2, 5, 32])
def test_chance_alone_stays_under_the_limit(bins: int) -> None:
    rng = np.random.default_rng(bins)
    m, n, shares = 2000, 200, rng.dirichlet(np.full(bins, 20.0))
    values = [psi(rng.multinomial(m, shares).tolist(), rng.multinomial(n, shares).tolist()) for _ in range(3000)]
    limit = psi_limit(bins, m, n, 0.0)
    assert max(values) < limit
    assert np.mean(values) * (1 / n + 1 / m) ** -1 == pytest.approx(bins - 1, rel=0.15)  # Yurdakul's chi-square
    assert psi_limit(bins, m, n, 9.0) == 9.0


@pytest.mark.parametrize("bins", [2, 3, 10, 32])
def test_the_limit_is_the_quantile_of_chi_square(bins: int) -> None:
    assert psi_limit(bins, 10, 10, 0.0) / 0.2 == pytest.approx(stats.chi2.isf(1e-6, bins - 1), rel=0.16)


def test_a_shift_is_found_at_the_end_of_its_window_and_no_shift_is_not() -> None:
    rng = np.random.default_rng(0)
    names = [f"label-{i}" for i in range(100)]
    reference = build([[str(x)] for x in rng.choice(names, 3000)], rng.beta(8, 2, 3000).tolist(), [50] * 3000)
    drift = Drift(reference, Thresholds(window=200))
    found = [drift.add((str(x),), float(s)) for x, s in zip(rng.choice(names, 6000), rng.beta(8, 2, 6000), strict=True)]
    assert not any(found)
    shifted = [
        drift.add((str(x),), float(s)) for x, s in zip(rng.choice(names[:8], 200), rng.beta(8, 2, 200), strict=True)
    ]
    assert [kind for kind, _ in shifted[-1]] == ["label_drift"]
    assert not any(shifted[:-1])
    scores = [drift.add((str(x),), float(s)) for x, s in zip(rng.choice(names, 200), rng.beta(3, 3, 200), strict=True)]
    assert [kind for kind, _ in scores[-1]] == ["score_drift"]
    unseen = [drift.add(("new",), float(s)) for s in rng.beta(8, 2, 200)]
    assert [kind for kind, _ in unseen[-1]] == ["label_drift"]
    evidence = unseen[-1][0][1]
    assert evidence["psi"] >= evidence["limit"]
    assert (evidence["answers"], evidence["reference"]) == (200, 3000)


@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from("abc"), max_size=3),
            st.floats(-1e6, 1e6) | st.floats(0, 1),
            st.integers(0, 1 << 40),
        ),
        min_size=1,
        max_size=60,
    )
)
def test_a_reference_survives_its_file_and_counts_every_text(rows: list[tuple[list[str], float, int]]) -> None:
    labels, scores, lengths = [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows]
    made = build(labels, scores, lengths)
    assert decode(encode(made)) == made
    assert made.samples == sum(made.lengths) == sum(made.scores) == len(rows)
    assert sum(made.labels.values()) == sum(max(1, len(one)) for one in labels)
    edges = [-np.inf, *made.edges, np.inf]
    for index, count in enumerate(made.scores):
        assert count == sum(edges[index] <= s < edges[index + 1] for s in scores)


def test_octaves_are_those_of_the_format() -> None:
    assert [octave(n) for n in (0, 1, 2, 3, 4, 127, 128)] == [0, 1, 2, 2, 3, 7, 8]
    assert octave(1 << 60) == OCTAVES - 1


GOOD = build([["a"]], [0.5], [10])


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"{}",
        b"[1]",
        b"\xff",
        b"[" * 100_000,
        encode(GOOD).replace(b'"samples":1', b'"samples":2'),
        encode(GOOD).replace(b'"samples":1', b'"samples":0'),
        encode(GOOD).replace(b'"edges":[0.05', b'"edges":[0.9'),
        encode(GOOD).replace(b'{"a":1}', b'{"a":-1}'),
        encode(GOOD).replace(b'"samples"', b'"more":1,"samples"'),
        encode(Reference(samples=1, labels={}, edges=[], scores=[], lengths=[1])),
        encode(Reference(samples=1, labels={}, edges=[0.5], scores=[], lengths=GOOD.lengths)),
    ],
)
def test_wrong_references_are_refused(wrong: bytes) -> None:
    with pytest.raises(BundleError, match="monitoring reference"):
        decode(wrong)
