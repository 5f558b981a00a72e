"""What a sampler has been told, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from bench import pareto
from bench.samplers.axes import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierTask:
    """What another search of the same space found: on another device, with other pictures.

    Attributes:
        columns: features, shape (n, c).
        values: shape (n, m), NaN where there is none, such as the latency of another device where none was measured.
    """

    columns: Floats
    values: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """All that has been told of a search.

    Attributes:
        columns: features of the points with a score, shape (n, c).
        scores: their values by rung, the lowest first, shape (rungs, n, m); NaN where a point has not reached a rung.
            All have the first, but for trials that were not tried further because they break a constraint.
        maximise: one flag an objective.
        exact: of objectives that are known without trying, the values at `pending`, by number of the objective.
        pending: features of points that are being tried, shape (p, c).
        failed: features of points that gave no value, shape (f, c).
        constraints: shape (n, k); what is 0 or less is met.
        earlier: what is known of other tasks, the least like this one first.
    """

    columns: Floats
    scores: Floats
    maximise: tuple[bool, ...]
    pending: Floats
    failed: Floats
    exact: Mapping[int, Floats] = field(default_factory=dict)
    constraints: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    earlier: tuple[EarlierTask, ...] = ()

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def is_feasible(self) -> pareto.Mask:
        """Which points meet every constraint, shape (n,)."""
        if not self.constraints.size:
            return np.ones(len(self), dtype=bool)
        met: pareto.Mask = np.all(self.constraints <= 0.0, axis=1)
        return met

    def best_first(self) -> Observations:
        """The same with its rows by rank and spread of the first scores, which is what matters where there are many."""
        order = pareto.best_first(self.scores[0], maximise=self.maximise)
        constraints = self.constraints[order] if self.constraints.size else self.constraints
        return replace(self, columns=self.columns[order], scores=self.scores[:, order], constraints=constraints)
