"""The front of a study that is followed, and what every trial is to it: plain data, which is drawn elsewhere."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from bench import pareto
from bench.pareto import Floats
from bench.report.columns import STATUSES, StudyColumns
from bench.report.feasible import limits_of
from bench.report.history import FrontHistory
from bench.report.retrained import final_front, num_seeds, standing
from bench.store import ACCURACY, Changes, StudyRecord

# What a trial is to the front; `infeasible` breaks a rule or constraint of the study, `early` saw fewer pictures
# than the front did, `incomplete` lacks a figure.
KINDS = ("front", "dominated", "infeasible", "early", "incomplete", "failed")
FRONT, DOMINATED, INFEASIBLE, EARLY, INCOMPLETE, FAILED = range(len(KINDS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attainment:
    """The step line of two objectives: nothing found is better in both than one of these.

    Attributes:
        x, y: names of the objectives.
        rows: of the trials on it, by ascending x; of equal points the first.
    """

    x: str
    y: str
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How the hypervolume grew; tuples of equal length, a step each.

    Attributes:
        rows: of the trial that raised it.
        tried: architectures that had a first result by then.
        seconds: since the study began.
        device_seconds: of training and timing, of the trials that were known by then.
        hypervolume: after it.
    """

    rows: tuple[int, ...]
    tried: tuple[int, ...]
    seconds: tuple[float, ...]
    device_seconds: tuple[float, ...]
    hypervolume: tuple[float, ...]


class StudyPoints:
    """A study, its front and its history, kept up with what the store tells.

    Attributes:
        columns: of its trials.
        front: rows of the front, the cheapest by the second objective first.
        is_final: whether it has been trained again (bench/report/retrained.py).
        fell_out: rows of the provisional front that are not on the final one, ascending; none before it is final.
    """

    def __init__(self, study: StudyRecord) -> None:
        self.columns = StudyColumns(study)
        self.front: tuple[int, ...] = ()
        self.is_final = False
        self.fell_out: tuple[int, ...] = ()
        self._corner = _corner(study)
        self._history = FrontHistory(self.columns.maximise, self._corner)
        self._seen: NDArray[np.bool_] = np.zeros(0, dtype=bool)
        self._values: Floats = np.empty((0, len(self.columns.objectives)))
        self._mask: NDArray[np.bool_] = np.zeros(0, dtype=bool)
        self._limits = limits_of(study.config)
        self._broken: list[str | None] = []

    def apply(self, changes: Changes) -> NDArray[np.int64]:
        """Takes in what the store tells; gives the rows that are told anew: changed, come to the front or left it."""
        touched = self.columns.apply(changes)
        before = set(self.front)
        self._look_at_rules(touched)
        self._follow(touched)
        moved = before.symmetric_difference(self.front)
        if moved:
            self.columns.column("changed")[list(moved)] = changes.sequence
        return np.union1d(touched, np.array(sorted(moved), dtype=np.int64))

    @property
    def hypervolume(self) -> float | None:
        """Of the front; None until the study has a reference point."""
        return self._history.hypervolume

    @property
    def corner(self) -> tuple[float, ...] | None:
        """The worst corner in the order of the objectives; None until the study has all of it."""
        return self._corner

    @property
    def values(self) -> Floats:
        """Shape (n, m): the objectives of the trials that compete, accuracy at the top rung; a view, not to be changed.

        NaN where one is not known, the trial failed, or its measured figures break a rule of the study.
        """
        return self._values

    @property
    def is_on_front(self) -> NDArray[np.bool_]:
        """Mask of the trials."""
        return self._mask

    @property
    def standing(self) -> str:
        """Whether the front is final, and why it is not, in words."""
        columns = self.columns
        return standing(
            is_final=self.is_final,
            is_trained=columns.score == ACCURACY,
            is_over=columns.study.status == "complete",
            seeds=num_seeds(columns.study.config),
            images=int(columns.column("retrained_images").max(initial=0)),
            fell_out=[int(columns.column("number")[row]) for row in self.fell_out],
        )

    def kinds(self) -> NDArray[np.int8]:
        """What each trial is: an index into `KINDS`; who fell out of the final front (`fell_out`) is dominated."""
        columns = self.columns
        result = np.full(len(columns), INCOMPLETE, dtype=np.int8)
        costs = [columns.figure(found.name) for found in columns.objectives if found.name != columns.score]
        has_costs = np.logical_and.reduce([~np.isnan(cost) for cost in costs]) if costs else np.ones(len(columns), bool)
        result[has_costs & (columns.column("rung") >= 0)] = EARLY
        result[~np.isnan(columns.points()).any(axis=1)] = INFEASIBLE
        result[~np.isnan(self._values).any(axis=1)] = DOMINATED
        result[self._mask] = FRONT
        result[columns.column("status") == STATUSES.index("failed")] = FAILED
        return result

    @property
    def infeasible(self) -> list[str | None]:
        """For each trial the rule that its figures break, or None; one stopped early may break a rule too."""
        return self._broken

    def attainments(self) -> tuple[Attainment, ...]:
        """The step line of every pair of objectives.

        Points that are not dominated in two objectives are not dominated in all, apart from copies, so that the front
        has them.
        """
        columns, rows = self.columns, np.array(self.front, dtype=np.int64)
        found = []
        for a, b in combinations(range(len(columns.objectives)), 2):
            y, x = (columns.objectives[place] for place in (a, b))
            values = self._values[rows][:, [b, a]]
            mask = pareto.front(values, maximise=(x.maximise, y.maximise))
            order = np.lexsort((rows[mask], values[mask][:, 0]))
            kept = [int(row) for row in rows[mask][order]]
            points = [tuple(value) for value in values[mask][order]]
            firsts = [row for place, row in enumerate(kept) if place == 0 or points[place] != points[place - 1]]
            found.append(Attainment(x=x.name, y=y.name, rows=tuple(firsts)))
        return tuple(found)

    def progress(self) -> Progress:
        """The steps of the hypervolume with what had been spent by then."""
        return self._told(self._history)

    def progress_against(self, points: Floats, corner: tuple[float, ...]) -> Progress:
        """The same against another corner, of the trials' objectives as they are told in another study."""
        history = FrontHistory(self.columns.maximise, corner)
        known = np.flatnonzero(~np.isnan(points).any(axis=1))
        known = known[np.lexsort((known, self.columns.column("known_s")[known]))]
        history.add(known, points[known])
        return self._told(history)

    def _told(self, history: FrontHistory) -> Progress:
        columns, steps = self.columns, history.steps
        rows = np.array([step.row for step in steps], dtype=np.int64)
        at = columns.column("known_s")[rows]
        first = np.sort(columns.column("first_s"))
        known = columns.column("known_s")
        order = np.argsort(known, kind="stable")
        spent = np.cumsum(columns.column("device_s")[order])
        places = np.searchsorted(known[order], at, side="right")
        return Progress(
            rows=tuple(int(row) for row in rows),
            tried=tuple(int(number) for number in np.searchsorted(first, at, side="right")),
            seconds=tuple(float(second) for second in at),
            device_seconds=tuple(float(spent[place - 1]) if place else 0.0 for place in places),
            hypervolume=tuple(step.hypervolume for step in steps),
        )

    def _look_at_rules(self, touched: NDArray[np.int64]) -> None:
        columns = self.columns
        self._broken += [None] * (len(columns) - len(self._broken))
        if not self._limits:
            return
        figures = {name: columns.figure(name) for name in columns.costs}
        figures[columns.score] = columns.column("top_accuracy")
        for row in touched.tolist():
            self._broken[row] = self._limits.broken({name: float(values[row]) for name, values in figures.items()})

    def _follow(self, touched: NDArray[np.int64]) -> None:
        """Adds points that became known to the front; where a known one changed, the history is made anew."""
        columns = self.columns
        values = columns.points()
        values[[row for row, rule in enumerate(self._broken) if rule is not None]] = np.nan
        corner = _corner(columns.study)
        num_before = len(self._values)
        old = touched[touched < num_before]
        known_before = old[self._seen[old]]
        has_changed = bool((values[known_before] != self._values[known_before]).any())
        seen = np.zeros(len(values), dtype=bool)
        seen[:num_before] = self._seen
        if has_changed or corner != self._corner:
            self._corner = corner
            self._history = FrontHistory(columns.maximise, corner)
            seen[:] = False
            candidates = np.arange(len(values))
        else:
            candidates = touched[~seen[touched]]
        new = candidates[~np.isnan(values[candidates]).any(axis=1)]
        new = new[np.lexsort((new, columns.column("known_s")[new]))]
        self._history.add(new, values[new])
        seen[new] = True
        self._seen, self._values = seen, values
        self._mask = np.zeros(len(values), dtype=bool)
        self._mask[self._history.rows] = True
        final = final_front(
            values,
            columns.retrained_means(),
            columns.column("retrained").astype(np.int64),
            is_provisional=self._mask,
            seeds=num_seeds(columns.study.config),
            maximise=columns.maximise,
        )
        self.is_final = final is not None
        if final is not None:
            self.fell_out = tuple(np.flatnonzero(self._mask & ~final).tolist())
            self._mask = final
        else:
            self.fell_out = ()
        cheapest = values[:, 1] if values.shape[1] > 1 else values[:, 0]
        rows = np.flatnonzero(self._mask).tolist()
        self.front = tuple(sorted(rows, key=lambda row: (cheapest[row], row)))


def _corner(study: StudyRecord) -> tuple[float, ...] | None:
    """The worst corner in the order of the objectives; None until all of it is stated."""
    found = tuple(float(study.hypervolume_reference.get(name, math.nan)) for name in study.objectives)
    return None if any(map(math.isnan, found)) else found
