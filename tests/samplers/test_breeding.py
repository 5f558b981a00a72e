from __future__ import annotations

import numpy as np

from bench.samplers.axes import Axis
from bench.samplers.breeding import children, grid, looked_at, uniform

AXES = (
    Axis(name="word", values=("a", "b", "c"), is_ordered=False),
    Axis(name="depth", values=(1, 2, 3, 4, 5), is_ordered=True),
    Axis(name="rate", values=(), is_ordered=True),
    Axis(name="sometimes", values=("x", "y"), is_ordered=False),
)


def test_a_grid_has_every_point_once() -> None:
    points = grid([True, False], [3, 2])
    assert sorted(map(tuple, points.tolist())) == [(0, 0), (0, 1), (0.5, 0), (0.5, 1), (1, 0), (1, 1)]


def test_draws_are_within_their_axes() -> None:
    points = uniform(np.random.default_rng(0), AXES, 500)
    assert set(points[:, 0]) == {0, 1, 2}
    assert set(points[:, 3]) == {0, 1}
    assert points[:, 1:3].min() >= 0
    assert points[:, 1:3].max() <= 1


def test_children_differ_from_their_parent_in_little() -> None:
    parent = np.array([[1.0, 0.5, 0.3, np.nan]])
    found = children(np.random.default_rng(0), AXES, parent, 2000)
    assert np.isnan(found[:, 3]).all()
    changed = ~np.isclose(found[:, :3], parent[:, :3])
    assert 0.7 < changed.sum(axis=1).mean() < 2
    assert set(found[:, 0]) == {0, 1, 2}
    assert found[:, 1:3].min() >= 0
    assert found[:, 1:3].max() <= 1


def test_a_cross_takes_from_both_parents() -> None:
    parents = np.array([[0.0, 0.0, 0.0, 0.0], [2.0, 1.0, 1.0, 1.0]])
    found = children(np.random.default_rng(1), AXES, parents, 2000)
    mixed = (found[:, 2] == 0.0) & (found[:, 1] == 1.0) & (found[:, 3] == 1.0)
    assert mixed.any()


def test_no_parents_no_children() -> None:
    assert children(np.random.default_rng(0), AXES, np.zeros((0, 4)), 5).shape == (0, 4)


def test_of_many_those_near_the_best_are_looked_at_and_some_others() -> None:
    random = np.random.default_rng(0)
    columns = random.random((1000, 3))
    parents = np.array([[0.1, 0.1, 0.1], [0.9, 0.9, 0.9]])
    rows = looked_at(random, columns, parents, 200)
    assert len(set(rows.tolist())) == 200
    apart = np.sqrt(((columns[:, None] - parents) ** 2).sum(axis=2).min(axis=1))
    nearest = np.argsort(apart)[:100]
    assert set(nearest.tolist()) <= set(rows.tolist())
    assert apart[rows].max() > 0.9 * apart.max()
    assert len(looked_at(random, columns, parents, 5000)) == 1000
    assert len(looked_at(random, columns, parents[:0], 50)) == 50
