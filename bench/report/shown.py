"""Which trials of a study are drawn where there are too many for all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.report.columns import STATUSES
from bench.report.points import FAILED, FRONT, StudyPoints
from bench.report.thinning import Plane, inside, thinned

# Always shown, whatever is thinned: what came last, and what failed last.
_LAST_SHOWN = 50
_FAILED_SHOWN = 500
_UNDER_WAY = ("queued", "running")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Which trials are shown where not all can be.

    Attributes:
        rows: ascending.
        num_dominated: dominated, early and incomplete trials of the study, or inside the window.
        num_shown: of these shown.
        text: that says so; empty where all are shown.
    """

    rows: NDArray[np.int64]
    num_dominated: int
    num_shown: int
    text: str


def shown_of(points: StudyPoints, plane: Plane, *, most: int | None, keep: frozenset[int] = frozenset()) -> Shown:
    """The whole front, what is kept, what came last or is under way, and of the rest at most `most`, evenly.

    Args:
        most: None: all.
        keep: numbers of trials.
    """
    columns, kinds = points.columns, points.kinds()
    num = len(columns)
    x, y = columns.figure(plane.x), columns.figure(plane.y)
    is_rest = (kinds != FRONT) & (kinds != FAILED)
    in_window = is_rest & inside(x, y, plane)
    if most is None or int(is_rest.sum()) <= most:
        count = int(is_rest.sum())
        return Shown(rows=np.arange(num), num_dominated=count, num_shown=count, text="")
    status = columns.column("status")
    always = (kinds == FRONT) | (np.arange(num) >= num - _LAST_SHOWN)
    always |= np.isin(columns.column("number"), list(keep))
    always |= np.isin(status, [STATUSES.index(name) for name in _UNDER_WAY])
    always[np.flatnonzero(kinds == FAILED)[-_FAILED_SHOWN:]] = True
    always |= np.array([name is not None for name in columns.names], dtype=bool)
    rest = np.where(is_rest & ~always, x, np.nan)
    chosen = thinned(rest, y, plane, most=most)
    mask = always.copy()
    mask[chosen] = True
    num_shown = int((mask & in_window).sum())
    total = int(in_window.sum())
    where = "" if plane.window == (None, None, None, None) else " in view"
    text = f"front complete; {num_shown:,} of {total:,} dominated trials{where} shown, evenly over the plane"
    return Shown(
        rows=np.flatnonzero(mask),
        num_dominated=total,
        num_shown=num_shown,
        text=text if num_shown < total else "",
    )
