"""How normalised hypervolume grows over a search, and its mean and spread over seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench import pareto
from bench.pareto import Floats
from bench.simulate.run import Evaluation
from bench.simulate.task import Task

# What is spent is a sum of shares of trainings: 50 of them may come to 49.99999.
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One search.

    Attributes:
        spent: after each evaluation, in full trainings; shape (n,), rising.
        shares: normalised hypervolume after each, by scale; shape (n,).
    """

    spent: Floats = field(repr=False)
    shares: Mapping[str, Floats] = field(repr=False)

    @property
    def end(self) -> float:
        """What was spent in all."""
        return float(self.spent[-1]) if len(self.spent) else 0.0

    def at(self, spent: float, scale: str) -> float:
        """Normalised hypervolume of what had ended by then."""
        done = int(np.searchsorted(self.spent, spent + _TOLERANCE, side="right"))
        return float(self.shares[scale][done - 1]) if done else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Several searches of one task, on one scale.

    Attributes:
        spent: 1, 2, ... up to the end of the longest, which is last.
        mean: over the seeds; one that ended before keeps its last value.
        spread: standard deviation over the seeds; 0 for one.
    """

    spent: tuple[float, ...]
    mean: tuple[float, ...]
    spread: tuple[float, ...]

    def at(self, spent: float) -> tuple[float, float]:
        """Mean and spread at one of `spent`, or at the last before."""
        place = max(0, int(np.searchsorted(self.spent, spent + _TOLERANCE, side="right")) - 1)
        return self.mean[place], self.spread[place]


def curve_of(task: Task, evaluations: Sequence[Evaluation]) -> Curve:
    """The curve of a search, by the true values of what was trained fully."""
    flags = [objective.maximise for objective in task.objectives]
    front = np.empty((0, len(flags)))
    shares: dict[str, list[float]] = {scale.name: [] for scale in task.scales}
    last = dict.fromkeys(shares, 0.0)
    for evaluation in evaluations:
        if evaluation.is_top:
            points = np.vstack([front, task.values[evaluation.row]])
            kept = points[pareto.front(points, maximise=flags)]
            if len(kept) != len(front) or not np.array_equal(kept, front):
                front = kept
                last = {scale.name: scale.share(front) for scale in task.scales}
        for name, share in last.items():
            shares[name].append(share)
    return Curve(
        spent=np.array([evaluation.spent for evaluation in evaluations], dtype=np.float64),
        shares={name: np.array(found, dtype=np.float64) for name, found in shares.items()},
    )


def summary_of(curves: Sequence[Curve], scale: str) -> Summary:
    """Mean and spread of one or more searches."""
    end = max((curve.end for curve in curves), default=0.0)
    whole = math.floor(end + _TOLERANCE)
    spent = [float(number) for number in range(1, whole + 1)]
    if not spent or end - spent[-1] > _TOLERANCE:
        spent.append(end)
    shares = np.array([[curve.at(place, scale) for place in spent] for curve in curves])
    spread = shares.std(axis=0, ddof=1) if len(curves) > 1 else np.zeros(len(spent))
    return Summary(spent=tuple(spent), mean=tuple(shares.mean(axis=0).tolist()), spread=tuple(spread.tolist()))
