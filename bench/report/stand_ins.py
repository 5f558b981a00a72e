"""What it would have cost to choose by something else: by multiply-adds, or by the latency of another device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench import pareto
from bench.pareto import Floats
from bench.report.columns import STATUSES
from bench.report.contrast import Correlation, correlation
from bench.report.points import StudyPoints
from bench.store import is_latency


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """A figure that one might choose by in place of a latency.

    Attributes:
        score: what the study scores its trials by, accuracy below.
        chosen_by: the stand-in.
        judged_by: the latency.
        correlation: of the two over all trials that have both.
        chosen: rows that are on the front of accuracy and the stand-in.
        front: rows that are on the front of accuracy and the latency.
        missed: rows of `front` that are not chosen.
        hypervolume_share: of the front's hypervolume what the chosen have, over accuracy and the latency; None without
            a reference point, or where the front has none.
    """

    score: str
    chosen_by: str
    judged_by: str
    correlation: Correlation
    chosen: tuple[int, ...]
    front: tuple[int, ...]
    missed: tuple[int, ...]
    hypervolume_share: float | None

    @property
    def text(self) -> str:
        """In a sentence."""
        kept = len(self.front) - len(self.missed)
        share = self.hypervolume_share
        volume = "" if share is None else f", and {100 * share:.1f} % of its hypervolume"
        return (
            f"choosing by {self.chosen_by} keeps {kept} of {len(self.front)} on the front of {self.score} and "
            f"{self.judged_by}{volume}"
        )


def stand_ins(points: StudyPoints) -> tuple[StandIn, ...]:
    """Every other cost for every latency of the study, over the trials that reached the top rung."""
    columns = points.columns
    latencies = [name for name in columns.costs if is_latency(name)]
    return tuple(
        found
        for latency in latencies
        for name in columns.costs
        if name != latency and (found := _stand_in(points, name, latency)) is not None
    )


def device_correlations(points: StudyPoints) -> tuple[tuple[str, str, Correlation], ...]:
    """Each pair of the study's latencies over the trials that were timed on both."""
    columns = points.columns
    names = columns.latencies
    rows = [(row, row) for row in range(len(columns))]
    return tuple(
        (a, b, correlation(columns.figure(a), columns.figure(b), rows))
        for place, a in enumerate(names)
        for b in names[place + 1 :]
    )


def _stand_in(points: StudyPoints, name: str, latency: str) -> StandIn | None:
    columns = points.columns
    accuracy = columns.column("top_accuracy").copy()
    accuracy[columns.column("status") == STATUSES.index("failed")] = np.nan
    by, judged = columns.figure(name), columns.figure(latency)
    keeps_rules = np.array([rule is None for rule in points.infeasible], dtype=bool)
    rows = np.flatnonzero(np.isfinite(accuracy) & np.isfinite(by) & np.isfinite(judged) & keeps_rules)
    if not len(rows):
        return None
    values = np.column_stack((accuracy[rows], judged[rows]))
    front = rows[pareto.front(values, maximise=(True, False))]
    chosen = rows[pareto.front(np.column_stack((accuracy[rows], by[rows])), maximise=(True, False))]
    everywhere = [(row, row) for row in range(len(columns))]
    return StandIn(
        score=points.columns.score.replace("_", "-"),
        chosen_by=name,
        judged_by=latency,
        correlation=correlation(by, judged, everywhere),
        chosen=tuple(int(row) for row in chosen),
        front=tuple(int(row) for row in front),
        missed=tuple(int(row) for row in np.setdiff1d(front, chosen)),
        hypervolume_share=_share(points, latency, accuracy, judged, chosen, front),
    )


def _share(
    points: StudyPoints, latency: str, accuracy: Floats, judged: Floats, *sets: NDArray[np.int64]
) -> float | None:
    corner = points.columns.study.hypervolume_reference
    score = points.columns.score
    if score not in corner or latency not in corner:
        return None
    worst = (float(corner[score]), float(corner[latency]))
    values = (np.column_stack((accuracy[rows], judged[rows])) for rows in sets)
    chosen, front = (pareto.hypervolume(each, worst, maximise=(True, False)) for each in values)
    return chosen / front if front > 0 else None
