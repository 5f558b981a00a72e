"""Which trials of a study are drawn where there are too many for all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.report.columns import STATUSES
from bench.report.points import DOMINATED, EARLY, FAILED, FRONT, StudyPoints
from bench.report.thinning import Plane, inside, thinned

# Always shown, whatever is thinned: what came last, and what failed last.
_LAST_SHOWN = 50
_FAILED_SHOWN = 500
_UNDER_WAY = ("queued", "running")
_TOLD = ((DOMINATED, "dominated trials"), (EARLY, "trials stopped early"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Which trials are shown where not all can be.

    Attributes:
        rows: ascending.
        num_dominated: dominated trials of the study, or inside the window.
        num_shown: of these shown.
        text: that says so, and the same of trials stopped early; empty where all are shown.
    """

    rows: NDArray[np.int64]
    num_dominated: int
    num_shown: int
    text: str


def shown_of(
    points: StudyPoints,
    plane: Plane,
    *,
    most: int | None,
    keep: frozenset[int] = frozenset(),
    among: NDArray[np.bool_] | None = None,
) -> Shown:
    """The whole front, what is kept, what came last or is under way, and of the rest at most `most`, evenly.

    Args:
        most: None: all.
        keep: numbers of trials.
        among: mask of those that the rest is taken from (a filter), failed trials too; None: of all that did not fail.
    """
    columns, kinds = points.columns, points.kinds()
    num = len(columns)
    x, y = columns.figure(plane.x), columns.figure(plane.y)
    is_rest = (kinds != FRONT) & (kinds != FAILED)
    if most is None or int(is_rest.sum()) <= most:
        return _told(points, plane, np.ones(num, dtype=bool))
    mask = (kinds == FRONT) | (np.arange(num) >= num - _LAST_SHOWN)
    mask |= np.isin(columns.column("number"), list(keep))
    mask |= np.isin(columns.column("status"), [STATUSES.index(name) for name in _UNDER_WAY])
    mask[np.flatnonzero(kinds == FAILED)[-_FAILED_SHOWN:]] = True
    mask |= np.array([name is not None for name in columns.names], dtype=bool)
    wanted = (is_rest if among is None else among) & ~mask
    if among is not None and int(wanted.sum()) <= most:
        mask |= wanted
    else:
        chosen = thinned(np.where(wanted, x, np.nan), y, plane, most=most)
        # What has no place on the plane takes what is left, the last first: a table shows it.
        placeless = np.flatnonzero(wanted & ~(np.isfinite(x) & np.isfinite(y)))
        mask[chosen] = mask[placeless[max(0, len(placeless) - (most - len(chosen))) :]] = True
    return _told(points, plane, mask)


def _told(points: StudyPoints, plane: Plane, mask: NDArray[np.bool_]) -> Shown:
    columns, kinds = points.columns, points.kinds()
    in_window = inside(columns.figure(plane.x), columns.figure(plane.y), plane)
    parts = []
    for kind, name in _TOLD:
        of_kind = in_window & (kinds == kind)
        num, num_shown = int(of_kind.sum()), int((of_kind & mask).sum())
        if num_shown < num:
            parts.append(f"{num_shown:,} of {num:,} {name}")
    where = "" if plane.window == (None, None, None, None) else " in view"
    of_front = in_window & (kinds == DOMINATED)
    return Shown(
        rows=np.flatnonzero(mask),
        num_dominated=int(of_front.sum()),
        num_shown=int((of_front & mask).sum()),
        text=f"front complete; {' and '.join(parts)}{where} shown, evenly over the plane" if parts else "",
    )
