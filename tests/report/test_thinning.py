"""Fewer points: evenly over the plane, the same ones each time, and none that is not asked for."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bench.report.thinning import Plane, inside, thinned

PLANE = Plane(x="latency_ms", y="accuracy")


@given(st.integers(0, 400), st.integers(0, 120), st.booleans())
def test_as_many_as_wanted_each_once_in_order(num: int, most: int, is_log: bool) -> None:
    values = np.random.default_rng(num).uniform(1, 9, (2, num))
    plane = Plane(x="a", y="b", log_x=is_log, log_y=is_log)
    chosen = thinned(*values, plane, most=most)
    assert len(chosen) == min(num, most)
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    assert chosen.tolist() == thinned(*values, plane, most=most).tolist()


def test_sparse_regions_are_complete() -> None:
    dense = np.random.default_rng(0).uniform(0, 1, (2, 10_000))
    lonely = np.array([[50.0, 100.0], [50.0, 100.0]])
    x, y = np.hstack((dense, lonely))
    assert {10_000, 10_001} <= set(thinned(x, y, PLANE, most=100).tolist())


def test_the_window_bounds_what_is_chosen() -> None:
    x = y = np.linspace(0, 10, 1001)
    plane = Plane(x="a", y="b", window=(2.0, 4.0, None, 3.0))
    chosen = thinned(x, y, plane, most=50)
    assert len(chosen) == 50
    assert ((x[chosen] >= 2) & (x[chosen] <= 3)).all()
    assert inside(x, y, plane).sum() == 101


def test_what_is_not_finite_is_nowhere() -> None:
    x = np.array([1.0, np.nan, np.inf, 2.0])
    y = np.array([1.0, 1.0, 1.0, np.nan])
    assert thinned(x, y, PLANE, most=5).tolist() == [0]


def test_equal_points_are_thinned_by_their_order() -> None:
    assert thinned(np.ones(9), np.ones(9), PLANE, most=3).tolist() == [0, 1, 2]
