"""Two studies side by side: whose front is better where, by how much, and whether that can be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench import pareto
from bench.pareto import Floats
from bench.report.columns import StudyColumns
from bench.report.points import StudyPoints
from bench.store import is_latency

_DRAWS = 200
# Of resampled points only the first ranks can come to a front: a point is absent from a draw with 37 %, so that a whole
# chain of as many dominators is with 5e-6.
_RANKS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first hypervolume minus the second, with a 95 % interval over draws of the trials."""

    value: float
    low: float
    high: float
    draws: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A piece of an axis and who has the better value for at most that much.

    Attributes:
        low, high: its ends.
        first, second: best value of each there; None: nothing there yet.
        winner: "first", "second" or "equal".
    """

    low: float
    high: float
    first: float | None
    second: float | None
    winner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """The same architectures by two figures.

    Attributes:
        rows: of each, in the first study and in the second (or the same).
        x, y: the values.
        spearman, kendall: rank correlations; None for fewer than three, or where one is constant.
    """

    rows: tuple[tuple[int, int], ...]
    x: tuple[float, ...]
    y: tuple[float, ...]
    spearman: float | None
    kendall: float | None


def objective_points(points: StudyPoints, *, told_in: float = 1.0) -> Floats:
    """The objectives of all trials that compete (`StudyPoints.values`), latencies in other milliseconds."""
    columns = points.columns
    values = points.values.copy()
    for place, found in enumerate(columns.objectives):
        if is_latency(found.name):
            values[:, place] *= told_in
    return values


def hypervolume_difference(
    first: Floats, second: Floats, corner: Sequence[float], maximise: Sequence[bool], *, seed: int = 0
) -> Difference:
    """Of two sets of points against one corner; the trials of each are drawn anew, with replacement."""
    chosen = [_near_front(points, maximise) for points in (first, second)]
    values = [pareto.hypervolume(points, corner, maximise=maximise) for points in chosen]
    random = np.random.default_rng(seed)

    def drawn(points: Floats) -> float:
        # How often a point is drawn is Poisson for many points; what counts is whether it is drawn at all.
        return pareto.hypervolume(points[random.poisson(1.0, len(points)) > 0], corner, maximise=maximise)

    draws = [drawn(chosen[0]) - drawn(chosen[1]) for _ in range(_DRAWS)]
    low, high = (float(end) for end in np.quantile(draws, [0.025, 0.975]))
    return Difference(value=values[0] - values[1], low=low, high=high, draws=_DRAWS)


def regions(first: Floats, second: Floats, *, maximise: tuple[bool, bool]) -> tuple[Region, ...]:
    """Along the first of two columns the pieces between the points of either step line."""
    sign_x, sign_y = (-1.0 if flag else 1.0 for flag in maximise)
    lines = [_stairs(points * (sign_x, sign_y)) for points in (first, second)]
    edges = np.unique(np.concatenate([line[:, 0] for line in lines]))
    found: list[Region] = []
    for place, edge in enumerate(edges):
        best = [_best(line, float(edge)) for line in lines]
        high = float(edges[place + 1]) if place + 1 < len(edges) else float(edge)
        winner = _winner(*best)
        told = [None if value is None else value * sign_y for value in best]
        ends = (float(edge) * sign_x, high * sign_x)
        found.append(Region(low=ends[0], high=ends[1], first=told[0], second=told[1], winner=winner))
    return tuple(found)


def correlation(x: Floats, y: Floats, rows: Sequence[tuple[int, int]]) -> Correlation:
    """Of those rows where both values are known."""
    from scipy import stats  # it takes much memory, for which most pages have no use

    pairs = [(a, b) for a, b in rows if np.isfinite(x[a]) and np.isfinite(y[b])]
    left, right = np.array([x[a] for a, _ in pairs]), np.array([y[b] for _, b in pairs])
    spearman = kendall = None
    if len(pairs) >= 3 and len(np.unique(left)) > 1 and len(np.unique(right)) > 1:
        spearman = float(stats.spearmanr(left, right).statistic)
        kendall = float(stats.kendalltau(left, right).statistic)
    return Correlation(rows=tuple(pairs), x=tuple(left), y=tuple(right), spearman=spearman, kendall=kendall)


def common_rows(first: StudyColumns, second: StudyColumns) -> tuple[tuple[int, int], ...]:
    """Rows of the architectures that stand in both."""
    others = {architecture: row for row, architecture in enumerate(second.architecture_ids)}
    return tuple(
        (row, others[architecture]) for row, architecture in enumerate(first.architecture_ids) if architecture in others
    )


def _near_front(points: Floats, maximise: Sequence[bool]) -> Floats:
    rest = points[~np.isnan(points).any(axis=1)]
    kept: list[Floats] = []
    for _ in range(_RANKS):
        mask: NDArray[np.bool_] = pareto.front(rest, maximise=maximise)
        kept.append(rest[mask])
        rest = rest[~mask]
        if not len(rest):
            break
    return np.vstack(kept) if kept else points[:0]


def _stairs(costs: Floats) -> Floats:
    """The front of two costs by ascending x, of equal points one."""
    known = costs[~np.isnan(costs).any(axis=1)]
    return np.unique(known[pareto.front(known, maximise=(False, False))], axis=0)


def _best(line: Floats, x: float) -> float | None:
    place = int(np.searchsorted(line[:, 0], x, side="right"))
    return None if place == 0 else float(line[place - 1, 1])


def _winner(first: float | None, second: float | None) -> str:
    if first == second:
        return "equal"
    if first is None or second is None:
        return "second" if first is None else "first"
    return "first" if first < second else "second"
