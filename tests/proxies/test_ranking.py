from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from bench.proxies.ranking import Estimate, beside_size, kendall, tau, tau_between, tau_gain

# Few values, so that ties are as common as orders.
pairs = arrays.arrays(np.float64, st.tuples(st.just(2), st.integers(2, 12)), elements=st.integers(0, 6).map(float))


@given(pairs)
def test_tau_is_that_of_scipy_with_ties(scores: np.ndarray) -> None:
    first, second = scores
    expected = stats.kendalltau(first, second).statistic
    assert kendall(first, second) == pytest.approx(expected, nan_ok=True)
    assert kendall(first, -second) == pytest.approx(-expected, nan_ok=True)


@given(pairs)
def test_a_draw_of_networks_is_their_tau_with_repeats(scores: np.ndarray) -> None:
    """What the bootstrap looks at is what tau-b of the drawn networks would be."""
    first, second = scores
    n = len(first)
    times = np.random.default_rng(0).multinomial(n, np.full(n, 1.0 / n), size=1)[0]
    chosen = np.repeat(np.arange(n), times)
    found = tau(first, second, draws=1)
    expected = stats.kendalltau(first[chosen], second[chosen]).statistic
    if not (math.isnan(found.value) or math.isnan(expected)):
        assert found.low == found.high == pytest.approx(expected)


def noisy(n: int, noise: float, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.normal(size=n)
    return truth + noise * random.normal(size=n), truth


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """Of a large population with a known tau, 200 samples of 30 networks."""
    population = kendall(*noisy(3000, 1.0, seed=0))
    held = 0
    for seed in range(200):
        found = tau(*noisy(30, 1.0, seed=1 + seed), draws=200)
        held += found.low <= population <= found.high
    assert 0.88 <= held / 200 <= 0.99


def test_an_estimate_is_the_same_again_and_narrows_with_more_networks() -> None:
    few, many = (tau(*noisy(n, 1.0, seed=3)) for n in (12, 120))
    assert few == tau(*noisy(12, 1.0, seed=3))
    assert few.low <= few.value <= few.high
    assert many.high - many.low < few.high - few.low
    assert (few.networks, many.networks) == (12, 120)


def test_several_rows_are_told_by_their_mean() -> None:
    truth = np.arange(8.0)
    assert tau([truth, -truth], truth).value == 0.0
    assert tau_between([truth, truth, -truth]).value == pytest.approx(-1 / 3)
    assert tau_between([truth]).networks == 8
    assert math.isnan(tau_between([truth]).value)


def test_a_gain_is_paired() -> None:
    """Two scores that differ by little are told apart although both intervals are wide."""
    random = np.random.default_rng(5)
    truth = random.normal(size=60)
    baseline = truth + random.normal(size=60)
    better = baseline + 0.5 * (truth - baseline)
    alone, gain = tau(baseline, truth), tau_gain(better, baseline, truth)
    assert gain.low > 0
    assert gain.high - gain.low < alone.high - alone.low
    assert tau_gain(baseline, baseline, truth) == Estimate(value=0.0, low=0.0, high=0.0, networks=60)


def test_beside_size_only_what_is_not_on_the_line_is_left() -> None:
    sizes = np.array([0.1, 0.7, 1.3, 2.9, 6.1])
    assert not beside_size(0.3 + 0.2 * np.log(sizes), sizes).any()
    assert not beside_size(np.full(5, 0.1), sizes).any()
    assert math.isnan(tau(beside_size(np.full(5, 0.1), sizes), sizes).value)
    left = beside_size(np.log(sizes) + np.array([0.0, 0.1, 0.0, -0.1, 0.0]), sizes)
    assert left.sum() == pytest.approx(0.0)
    assert kendall(left, [0.0, 0.1, 0.0, -0.1, 0.0]) > 0.5
    assert beside_size([1.0, 2.0], [3.0, 3.0]).tolist() == [-0.5, 0.5]


@pytest.mark.parametrize("scores", [[1.0], [2.0, 2.0, 2.0]])
def test_nothing_is_told_of_too_little(scores: list[float]) -> None:
    found = tau(scores, np.arange(len(scores)))
    assert math.isnan(found.value)
    assert math.isnan(found.low)
