"""The front that grows point by point is the front of all points, whatever the order and the blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import pareto
from bench.report.history import FrontHistory

_VALUES = st.integers(0, 6).map(float)


def _history(points: list[tuple[float, ...]], maximise: tuple[bool, ...], corner: tuple[float, ...]) -> FrontHistory:
    history = FrontHistory(maximise, corner)
    values = np.array(points, dtype=float).reshape(-1, len(maximise))
    history.add(np.arange(len(values)), values)
    return history


@given(st.lists(st.tuples(_VALUES, _VALUES, _VALUES), max_size=60))
def test_front_and_hypervolume_are_those_of_all_points(points: list[tuple[float, ...]]) -> None:
    maximise, corner = (True, False, False), (-1.0, 7.0, 7.0)
    history = _history(points, maximise, corner)
    mask = pareto.front(points, maximise=maximise)
    assert sorted(history.rows.tolist()) == np.flatnonzero(mask).tolist()
    assert history.hypervolume == pytest.approx(pareto.hypervolume(points, corner, maximise=maximise))
    if points:
        assert history.steps[-1].hypervolume == pytest.approx(history.hypervolume)


@given(st.lists(st.tuples(_VALUES, _VALUES), min_size=1, max_size=40), st.integers(1, 39))
def test_points_in_two_parts_are_the_points_at_once(points: list[tuple[float, ...]], place: int) -> None:
    whole = _history(points, (True, False), (-1.0, 7.0))
    parts = FrontHistory((True, False), (-1.0, 7.0))
    values = np.array(points)
    for part in (slice(0, place), slice(place, None)):
        parts.add(np.arange(len(points))[part], values[part])
    assert parts.rows.tolist() == whole.rows.tolist()
    assert parts.steps == whole.steps


def test_steps_rise_and_name_the_point_that_raised() -> None:
    history = _history([(0.5, 10.0), (0.4, 20.0), (0.6, 20.0), (0.6, 20.0)], (True, False), (0.0, 40.0))
    assert [(step.row, step.hypervolume) for step in history.steps] == [(0, 15.0), (2, pytest.approx(17.0))]
    assert history.rows.tolist() == [0, 2, 3]  # copies are all kept


def test_many_steps_become_fewer_and_end_right() -> None:
    num = 2000
    points = [(float(place), float(place)) for place in range(num)]
    history = _history(points, (True, False), (-1.0, float(num)))
    assert 100 < len(history.steps) <= 300
    volumes = [step.hypervolume for step in history.steps]
    assert volumes == sorted(volumes)
    assert volumes[-1] == pytest.approx(history.hypervolume)


def test_without_a_corner_there_is_a_front_and_no_volume() -> None:
    history = FrontHistory((True, False), None)
    history.add(np.arange(2), np.array([[0.5, 10.0], [0.4, 20.0]]))
    assert history.rows.tolist() == [0]
    assert history.hypervolume is None
    assert history.steps == []


def test_points_beyond_the_corner_raise_nothing() -> None:
    history = _history([(0.5, 50.0), (0.4, 10.0)], (True, False), (0.0, 40.0))
    assert [step.row for step in history.steps] == [1]
