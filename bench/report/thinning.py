"""Fewer points that look the same: evenly over a plane, the same ones each time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.pareto import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """Where points are thinned.

    Attributes:
        x, y: names of the figures.
        log_x, log_y: whether cells are even in the logarithm.
        window: x0, x1, y0, y1; None for an open end.
    """

    x: str
    y: str
    log_x: bool = False
    log_y: bool = False
    window: tuple[float | None, float | None, float | None, float | None] = (None, None, None, None)


def inside(x: Floats, y: Floats, plane: Plane) -> NDArray[np.bool_]:
    """Mask of the points in the plane's window; one that is not finite is in none."""
    mask = np.isfinite(x) & np.isfinite(y)
    for values, low, high in ((x, *plane.window[:2]), (y, *plane.window[2:])):
        if low is not None:
            mask &= values >= low
        if high is not None:
            mask &= values <= high
    return mask


def thinned(x: Floats, y: Floats, plane: Plane, *, most: int) -> NDArray[np.int64]:
    """Indices, ascending, of at most `most` of the points inside the window.

    The plane is cut into at most `most` cells; each gives one of its points in turn, the earliest first, until there
    are enough. Sparse regions are therefore complete, and dense ones keep their outline.
    """
    candidates = np.flatnonzero(inside(x, y, plane))
    if len(candidates) <= most:
        return candidates
    if most == 0:
        return candidates[:0]
    side = max(1, math.isqrt(most))
    cells = _cells(x[candidates], side, is_log=plane.log_x) * side + _cells(y[candidates], side, is_log=plane.log_y)
    order = np.argsort(cells, kind="stable")
    ordered = cells[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    turn = np.arange(len(ordered)) - np.repeat(starts, np.diff(np.r_[starts, len(ordered)]))
    chosen = order[np.argsort(turn, kind="stable")[:most]]
    return np.sort(candidates[chosen])


def _cells(values: Floats, side: int, *, is_log: bool) -> NDArray[np.int64]:
    if is_log:
        values = np.log(np.maximum(values, np.finfo(float).tiny))
    low, high = float(values.min()), float(values.max())
    if not high > low:
        return np.zeros(len(values), dtype=np.int64)
    return np.minimum(((values - low) / (high - low) * side).astype(np.int64), side - 1)
