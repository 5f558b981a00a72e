from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench import pareto
from bench.samplers.improvement import boxes, expected_improvement
from bench.samplers.scales import TailScale

PLAIN = TailScale(sign=1.0, knee=0.0, reach=1.0)

fronts = st.integers(1, 4).flatmap(
    lambda m: st.integers(0, 7).flatmap(
        lambda k: arrays(np.float64, (k, m), elements=st.integers(-4, 6).map(float), unique=False)
    )
)


def volume(points: np.ndarray, reference: np.ndarray) -> float:
    return pareto.hypervolume(points, reference, maximise=[False] * len(reference))


def nondominated(points: np.ndarray) -> np.ndarray:
    return np.unique(points[pareto.front(points, maximise=[False] * points.shape[1])], axis=0)


@settings(max_examples=80, deadline=None)
@given(fronts)
def test_boxes_and_what_the_front_dominates_fill_the_space_below_the_reference(front: np.ndarray) -> None:
    reference = np.full(front.shape[1], 5.0)
    inside = nondominated(front[(front < reference).all(axis=1)])
    lower, upper = boxes(inside, reference)
    floor = -5.0
    sides = upper - np.maximum(lower, floor)
    assert (sides > 0).all()
    whole = (reference[0] - floor) ** len(reference)
    assert np.prod(sides, axis=1).sum() + volume(inside, reference) == pytest.approx(whole)


@settings(max_examples=80, deadline=None)
@given(fronts, st.integers(0, 1000))
def test_a_point_known_exactly_gains_the_difference_of_hypervolumes(front: np.ndarray, seed: int) -> None:
    reference = np.full(front.shape[1], 5.0)
    points = np.random.default_rng(seed).uniform(-5, 6, (6, front.shape[1]))
    shortfalls = [partial(PLAIN.shortfall, mean=column, deviation=np.zeros(6)) for column in points.T]
    gains = expected_improvement(shortfalls, front, reference)
    differences = [volume(np.vstack([front, point]), reference) - volume(front, reference) for point in points]
    assert gains == pytest.approx(differences, abs=1e-6)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_the_expected_gain_is_the_mean_gain_of_many_draws(dimensions: int) -> None:
    random = np.random.default_rng(dimensions)
    front = random.uniform(0, 4, (6, dimensions))
    reference = np.full(dimensions, 5.0)
    mean, deviation = random.uniform(0, 4, (5, dimensions)), random.uniform(0.1, 1.5, (5, dimensions))
    shortfalls = [partial(PLAIN.shortfall, mean=mean[:, i], deviation=deviation[:, i]) for i in range(dimensions)]
    gains = expected_improvement(shortfalls, front, reference)
    before = volume(front, reference)
    for i in range(5):
        draws = random.normal(mean[i], deviation[i], (4000, dimensions))
        found = np.array([volume(np.vstack([front, draw]), reference) for draw in draws]) - before
        error = found.std() / np.sqrt(len(found))
        assert abs(gains[i] - found.mean()) < 4 * error + 1e-9


def test_of_a_long_front_the_loneliest_points_count() -> None:
    places = np.linspace(0.0, 1.0, 200)
    front = np.column_stack([places, 1.0 - places, np.linspace(0.5, 0.6, 200)])
    shortfalls = [partial(PLAIN.shortfall, mean=np.full(1, -0.1), deviation=np.zeros(1)) for _ in range(3)]
    gain = expected_improvement(shortfalls, front, np.full(3, 2.0))
    true = volume(np.full((1, 3), -0.1), np.full(3, 2.0)) - volume(front, np.full(3, 2.0))
    assert gain == pytest.approx(true, rel=0.02)
