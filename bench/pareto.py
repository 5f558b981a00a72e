"""Dominance, fronts and hypervolume of points with several objectives: arrays in, arrays out.

Points are float arrays of shape (n, m), one row a point; `maximise` has one flag per column. The algorithms are
moocore's (Lopez-Ibanez, Paquete and Stutzle's tools); here they get the conventions of this project: NaN marks an
unknown value and such a row is never on a front, equal rows are all kept, no rows give empty results.
"""

from __future__ import annotations

from collections.abc import Sequence

import moocore
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def dominates(a: ArrayLike, b: ArrayLike, *, maximise: Sequence[bool]) -> bool:
    """Whether `a` is nowhere worse than `b` and somewhere better. False where a value is NaN."""
    first, second = _costs(a, maximise)[0], _costs(b, maximise)[0]
    if np.isnan(first).any() or np.isnan(second).any():
        return False
    return bool((first <= second).all() and (first < second).any())


def front(points: ArrayLike, *, maximise: Sequence[bool]) -> Mask:
    """Mask (n,) of the rows that no other row dominates; all copies of an equal point are kept."""
    costs = _costs(points, maximise)
    known = ~np.isnan(costs).any(axis=1)
    mask = np.zeros(len(costs), dtype=bool)
    if known.any():
        mask[known] = moocore.is_nondominated(costs[known], keep_weakly=True)
    return mask


def ranks(points: ArrayLike, *, maximise: Sequence[bool]) -> NDArray[np.int64]:
    """Non-dominated rank of each row, 0 the front (Deb et al., NSGA-II, 2002); rows with NaN come last."""
    costs = _costs(points, maximise)
    known = ~np.isnan(costs).any(axis=1)
    result = np.full(len(costs), len(costs), dtype=np.int64)
    if known.any():
        result[known] = moocore.pareto_rank(costs[known])
    return result


def spread(points: ArrayLike, *, maximise: Sequence[bool]) -> Floats:
    """Crowding distance (n,) of rows that form one front: the larger, the lonelier; the extremes are infinite."""
    costs = _costs(points, maximise)
    distance = np.zeros(len(costs))
    for column in costs.T:
        order = np.argsort(column, kind="stable")
        width = column[order[-1]] - column[order[0]] if len(order) else 0.0
        distance[order[:1]] = distance[order[-1:]] = np.inf
        if width > 0:
            distance[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / width
    return distance


def best_first(points: ArrayLike, *, maximise: Sequence[bool]) -> list[int]:
    """Row numbers from best to worst: by non-dominated rank, within a rank by spread, then by row number."""
    costs = _costs(points, maximise)
    rank = ranks(points, maximise=maximise)
    distance = np.zeros(len(costs))
    for value in np.unique(rank):
        rows = np.flatnonzero(rank == value)
        distance[rows] = spread(costs[rows], maximise=[False] * costs.shape[1])
    return sorted(range(len(costs)), key=lambda row: (rank[row], -distance[row], row))


def hypervolume(points: ArrayLike, reference: ArrayLike, *, maximise: Sequence[bool]) -> float:
    """Volume between the points and `reference` (m,), which is the worst corner. Rows with NaN add nothing."""
    costs = _costs(points, maximise)
    worst = _costs(reference, maximise)[0]
    inside = costs[(costs < worst).all(axis=1)] if len(costs) else costs
    return float(moocore.hypervolume(inside, ref=worst)) if len(inside) else 0.0


def _costs(points: ArrayLike, maximise: Sequence[bool]) -> Floats:
    """The points with every objective to be minimised, shape (n, m) even for n = 0."""
    values = np.array(points, dtype=np.float64).reshape(-1, len(maximise))
    values[:, list(maximise)] *= -1.0
    return values
