"""Fronts and hypervolume against plain quadratic definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench import pareto

MAXIMISE = (True, False)
points_2d = arrays(np.float64, st.tuples(st.integers(0, 12), st.just(2)), elements=st.integers(0, 6).map(float))


def brute_front(points, maximise):
    return [not any(pareto.dominates(other, point, maximise=maximise) for other in points) for point in points]


@given(points_2d)
def test_front_is_what_no_other_row_dominates(points):
    assert pareto.front(points, maximise=MAXIMISE).tolist() == brute_front(points, MAXIMISE)


@given(points_2d)
def test_rank_zero_is_the_front(points):
    assert (pareto.ranks(points, maximise=MAXIMISE) == 0).tolist() == brute_front(points, MAXIMISE)


@given(points_2d, arrays(np.float64, 2, elements=st.integers(0, 6).map(float)))
def test_a_further_point_never_shrinks_the_hypervolume(points, extra):
    reference = (-1.0, 7.0)
    before = pareto.hypervolume(points, reference, maximise=MAXIMISE)
    after = pareto.hypervolume([*points, extra], reference, maximise=MAXIMISE)
    assert after >= before
    dominated = any(pareto.dominates(point, extra, maximise=MAXIMISE) or (point == extra).all() for point in points)
    assert (after == pytest.approx(before)) == dominated


def test_hypervolume_of_a_staircase():
    points = [(0.5, 10.0), (0.8, 20.0)]
    # Worst corner accuracy 0, latency 30: 0.5 x 20 plus the further 0.3 x 10.
    assert pareto.hypervolume(points, (0.0, 30.0), maximise=MAXIMISE) == pytest.approx(13.0)
    assert pareto.hypervolume([(0.5, 31.0)], (0.0, 30.0), maximise=MAXIMISE) == 0.0
    assert pareto.hypervolume([], (0.0, 30.0), maximise=MAXIMISE) == 0.0


def test_unknown_values_are_never_on_a_front():
    points = [(np.nan, 1.0), (0.5, 10.0)]
    assert pareto.front(points, maximise=MAXIMISE).tolist() == [False, True]
    assert pareto.best_first(points, maximise=MAXIMISE) == [1, 0]
    assert not pareto.dominates(points[0], points[1], maximise=MAXIMISE)


def test_best_first_goes_by_rank_then_by_spread():
    points = [(0.1, 9.0), (0.5, 5.0), (0.51, 5.1), (0.9, 9.0), (0.3, 1.0)]
    order = pareto.best_first(points, maximise=MAXIMISE)
    assert order[-1] == 0
    assert set(order[:2]) == {3, 4}
