from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from bench.errors import MeasureError
from bench.measure import Measurement, summarise
from bench.measure.stats import bootstrap_interval, hierarchical_median, order_interval

from .test_measurement import MEASUREMENT

NUM_SIMULATIONS = 300


def simulate(random: np.random.Generator, restarts: int, *, ratio: float = 1.0, load: float = 0.3) -> Measurement:
    """Two artifacts, 10 ms and `ratio` times as much, in processes and blocks that other work slows together."""
    shape = (restarts, 4, 4)
    both = np.exp(random.normal(0, load, (restarts, 1, 1)) + random.normal(0, load, (restarts, 4, 1)))

    def samples(factor: float) -> list[list[list[int]]]:
        own = random.normal(0, 0.005, (restarts, 1, 1)) + random.normal(0, 0.01, shape)
        return (1e7 * factor * both * np.exp(own)).astype(int).tolist()

    data = MEASUREMENT.to_dict() | {
        "samples": samples(ratio),
        "reference_samples": samples(1.0),
        "twin_samples": [[]] * restarts,
        "contended": [[False] * 4] * restarts,
    }
    return Measurement.from_dict(data)


@pytest.mark.parametrize(
    ("restarts", "low", "high"),
    [(3, 0.80, 0.99), (6, 0.90, 0.99), (10, 0.92, 0.99)],  # three restarts promise less, and are marked "quick"
)
def test_bootstrap_covers_the_true_median_of_hierarchical_data(restarts: int, low: float, high: float) -> None:
    random = np.random.default_rng(restarts)
    hits = 0
    for seed in range(NUM_SIMULATIONS):
        blocks = random.normal(10, 0.1, (restarts, 1)) + random.normal(0, 0.05, (restarts, 4))
        interval = bootstrap_interval(blocks, seed=seed)
        hits += interval[0] <= 10 <= interval[1]
    assert low <= hits / NUM_SIMULATIONS <= high


def test_coverage_survives_stopping_when_precise_enough() -> None:
    """Looking at 6, 9, 12 ... restarts and stopping by a 98 % interval, as a session does."""
    random = np.random.default_rng(8)
    hits = stopped = 0
    for _ in range(NUM_SIMULATIONS):
        blocks = random.normal(0, 0.012, (24, 1)) + random.normal(0, 0.004, (24, 4))
        for count in (6, 9, 12, 15, 18, 21, 24):
            low, high = bootstrap_interval(blocks[:count], confidence=0.98)
            if (high - low) / 2 <= 0.01:
                break
        stopped += count < 24
        low, high = bootstrap_interval(blocks[:count])
        hits += low <= 0 <= high
    assert stopped > NUM_SIMULATIONS / 2
    assert hits / NUM_SIMULATIONS >= 0.9


def test_bootstrap_covers_the_median_of_a_skewed_distribution() -> None:
    random = np.random.default_rng(1)
    hits = 0
    for seed in range(NUM_SIMULATIONS):
        blocks = np.exp(random.normal(0, 0.3, (10, 1))) + random.normal(0, 0.02, (10, 4))
        interval = bootstrap_interval(blocks, seed=seed)
        hits += interval[0] <= 1 <= interval[1]
    assert 0.90 <= hits / NUM_SIMULATIONS <= 0.99


def test_order_interval_has_the_ranks_of_the_sign_test() -> None:
    assert order_interval([5, 1, 4, 2, 3, 6]) == (1, 6)  # 96.9 %
    assert order_interval(range(1, 11)) == (2, 9)  # 97.9 %
    assert order_interval(range(1, 31)) == (10, 21)  # 95.7 %, the table of any book on the sign test
    assert order_interval([3.0, 1.0]) == (1, 3)  # too few for 95 %


def test_ratio_of_identical_artifacts_is_one() -> None:
    random = np.random.default_rng(2)
    summaries = [summarise(simulate(random, 3)) for _ in range(100)]
    assert sum(summary.ratio_low <= 1 <= summary.ratio_high for summary in summaries) >= 85
    assert max(abs(summary.ratio_to_reference - 1) for summary in summaries) < 0.03


def test_difference_of_a_fifth_is_found_beneath_a_load_that_hides_it() -> None:
    random = np.random.default_rng(3)
    summaries = [summarise(simulate(random, 3, ratio=1.2)) for _ in range(50)]
    assert all(summary.ratio_low > 1.1 and summary.ratio_high < 1.3 for summary in summaries)
    milliseconds = [summary.median_ms for summary in summaries]
    assert max(milliseconds) / min(milliseconds) > 1.5


def test_summary_of_known_samples() -> None:
    summary = summarise(MEASUREMENT)
    assert summary.median_ms == pytest.approx(4.5e-6)  # processes 2.5 and 6.5 ns
    assert summary.ratio_to_reference == pytest.approx(math.exp(0.25 * math.log(1.5 / 2)))
    assert summary.best_observed_ms == 1e-6
    assert summary.num_samples == 8
    assert summary.low_ms <= summary.median_ms <= summary.high_ms


def test_few_restarts_are_marked_quick() -> None:
    random = np.random.default_rng(4)
    assert [summarise(simulate(random, count)).interval_kind for count in (1, 5, 6, 10)] == [
        "quick",
        "quick",
        "full",
        "full",
    ]


def test_full_interval_is_that_of_the_processes() -> None:
    measurement = simulate(np.random.default_rng(5), 6)
    processes = np.median(np.median(np.array(measurement.samples), axis=2), axis=1) / 1e6
    summary = summarise(measurement)
    assert (summary.low_ms, summary.high_ms) == (processes.min(), processes.max())


def test_same_seed_gives_the_same_summary() -> None:
    measurement = simulate(np.random.default_rng(6), 3)
    assert summarise(measurement, seed=1) == summarise(measurement, seed=1)


def test_interval_holds_its_estimate() -> None:
    random = np.random.default_rng(7)
    for _ in range(100):
        blocks = random.lognormal(size=(2, 3))
        low, high = bootstrap_interval(blocks, confidence=0.1)
        assert low <= hierarchical_median(blocks) <= high


def test_failed_measurement_has_no_summary() -> None:
    failed = dataclasses.replace(MEASUREMENT, verdict="failed", reason="it hung")
    with pytest.raises(MeasureError, match=r"'a' has no figures \(it hung\); .*; measure it again"):
        summarise(failed)
