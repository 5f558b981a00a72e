"""New points from nothing and from points that are known, as arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.samplers.axes import Axis, Floats, Ints


def grid(is_ordered: Sequence[bool], sizes: Sequence[int]) -> Floats:
    """Every point of axes with these numbers of values, shape (product, d)."""
    if not sizes:
        return np.zeros((0, 0))
    places = np.indices(sizes).reshape(len(sizes), -1).T.astype(np.float64)
    last = np.array([max(size - 1, 1) if ordered else 1 for ordered, size in zip(is_ordered, sizes, strict=True)])
    scaled: Floats = places / last
    return scaled


def uniform(random: np.random.Generator, axes: Sequence[Axis], number: int) -> Floats:
    """Points drawn uniformly, shape (number, d)."""
    return np.column_stack([_drawn(random, axis, number) for axis in axes])


def children(random: np.random.Generator, axes: Sequence[Axis], parents: Floats, number: int) -> Floats:
    """Mutations of parents (k, d), the first ones more often, half of them after a uniform cross; shape (number, d).

    One axis at least takes another value, each of the others does with probability 1 / d. Numbers move by a step that
    is normally distributed with a scale between 0.01 and 0.5 of their range. An axis that does not apply to the parent
    does not apply to the child.
    """
    if not len(parents):
        return np.zeros((0, len(axes)))
    # The better half of the parents gets three quarters of the children.
    order = np.floor(len(parents) * random.random(number) ** 2.0).astype(np.int64)
    found = parents[order]
    mate = parents[random.permutation(order)]
    takes = (random.random(found.shape) < 0.5) & (random.random((number, 1)) < 0.5)
    takes &= ~np.isnan(found) & ~np.isnan(mate)
    found = np.where(takes, mate, found)
    changes = random.random(found.shape) < 1.0 / len(axes)
    changes[np.arange(number), random.integers(len(axes), size=number)] = True
    reach = 10.0 ** random.uniform(-2.0, -0.3, size=(number, 1))
    for i, axis in enumerate(axes):
        rows = np.flatnonzero(changes[:, i] & ~np.isnan(found[:, i]))
        found[rows, i] = _changed(random, axis, found[rows, i], reach[rows, 0])
    return found


def looked_at(random: np.random.Generator, columns: Floats, parents: Floats, most: int) -> Ints:
    """At most `most` rows of `columns` (n, c): half of them those nearest to `parents` (k, c), the others drawn."""
    if len(columns) <= most:
        return np.arange(len(columns))
    squares = (columns**2).sum(axis=1)[:, None] + (parents**2).sum(axis=1) - 2.0 * (columns @ parents.T)
    order = random.permutation(len(columns))
    if len(parents):
        near = order[np.argsort(squares.min(axis=1)[order], kind="stable")[: most // 2]]
        order = np.r_[near, order[~np.isin(order, near)]]
    return np.sort(order[:most])


def _drawn(random: np.random.Generator, axis: Axis, number: int) -> Floats:
    if axis.is_ordered:
        return random.random(number)
    return random.integers(len(axis.values), size=number).astype(np.float64)


def _changed(random: np.random.Generator, axis: Axis, places: Floats, reach: Floats) -> Floats:
    if not axis.is_ordered:
        num = len(axis.values)
        other: Floats = (places + random.integers(1, max(num, 2), size=len(places))) % num
        return other
    if axis.values:
        step = 1.0 / max(1, len(axis.values) - 1)
        reach = np.maximum(reach, step)
    moved = places + reach * random.standard_normal(len(places))
    # What would leave the range comes back in, so that the ends are not more likely than the rest.
    folded: Floats = np.abs(moved) % 2.0
    return np.where(folded > 1.0, 2.0 - folded, folded)
