"""Expected hypervolume improvement: how much a point is expected to add to the volume that a front dominates.

What no point of the front dominates is cut into boxes. A point adds to the volume what it dominates of each box; where
its objectives are independent the expectation of a product of lengths is the product of their expectations, so that
the result is exact for any number of objectives (the idea of Emmerich, Deutz and Klinkenberg, 2011, with the cells of
Couckuyt, Deschrijver and Dhaene, "Fast calculation of multiobjective probability of improvement", 2014).

Everything is minimised here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from bench import pareto
from bench.samplers.axes import Floats

Shortfall = Callable[[float], Floats]
"""E max(level - Y, 0) of one objective at each of n points, shape (n,)."""

# Points of a front that boxes are made of, by number of objectives: n boxes of n points with two objectives, n^2 / 2
# with three, n^3 / 6 with four.
_MOST = {1: 1, 2: 400, 3: 50, 4: 20}
_MOST_OF_MANY = 9


def expected_improvement(shortfalls: Sequence[Shortfall], front: Floats, reference: Floats) -> Floats:
    """Expected gain (n,) of hypervolume against `reference` (m,) over that of `front` (k, m).

    Args:
        shortfalls: one an objective.
        front: points that are there; dominated ones and those beyond the reference count for nothing. Of more than the
            boxes allow for, the loneliest are taken.
        reference: the worst corner.
    """
    lower, upper = boxes(_thinned(front, reference), reference)
    gain: Floats | float = 0.0
    lengths = [_lengths(each, lower[:, i], upper[:, i]) for i, each in enumerate(shortfalls)]
    for box in range(len(lower)):
        part = lengths[0][box]
        for other in lengths[1:]:
            part = part * other[box]
        gain = gain + part
    assert isinstance(gain, np.ndarray)
    return gain


def boxes(front: Floats, reference: Floats) -> tuple[Floats, Floats]:
    """Disjoint boxes, lower and upper corners (b, m), that together are what `front` leaves below `reference`.

    Args:
        front: points (k, m) below the reference, none dominated by another.

    Lower corners may be -inf.
    """
    dimensions = len(reference)
    if dimensions == 1:
        best = min(float(front[:, 0].min(initial=np.inf)), float(reference[0]))
        return np.array([[-np.inf]]), np.array([[best]])
    order = np.argsort(front[:, -1], kind="stable")
    front = front[order]
    levels = np.r_[-np.inf, front[:, -1], reference[-1]]
    lower: list[Floats] = []
    upper: list[Floats] = []
    for i in range(len(front) + 1):
        if levels[i] == levels[i + 1]:
            continue
        # In the slab above the i best of the last objective, these i decide what is left in the others.
        left_lower, left_upper = boxes(_front(front[:i, :-1]), reference[:-1])
        lower.append(np.column_stack([left_lower, np.full(len(left_lower), levels[i])]))
        upper.append(np.column_stack([left_upper, np.full(len(left_upper), levels[i + 1])]))
    return np.vstack(lower), np.vstack(upper)


def _lengths(shortfall: Shortfall, lower: Floats, upper: Floats) -> list[Floats]:
    """What a point is expected to dominate of each box's side."""
    known = {level: shortfall(float(level)) for level in np.unique(np.r_[lower, upper]) if level > -np.inf}
    return [
        known[high] - known[low] if low > -np.inf else known[high]
        for low, high in zip(lower.tolist(), upper.tolist(), strict=True)
    ]


def _thinned(front: Floats, reference: Floats) -> Floats:
    found = _front(front[(front < reference).all(axis=1)])
    most = _MOST.get(len(reference), _MOST_OF_MANY)
    if len(found) <= most:
        return found
    lonely = np.argsort(-pareto.spread(found, maximise=[False] * len(reference)), kind="stable")
    return found[np.sort(lonely[:most])]


def _front(points: Floats) -> Floats:
    """The points that no other dominates, each once."""
    kept = points[pareto.front(points, maximise=[False] * points.shape[1])]
    return np.unique(kept, axis=0)
