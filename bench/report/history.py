"""A front that grows point by point, and what its hypervolume was on the way.

Adding a point compares it with the front alone, in microseconds; a hundred thousand at once are held against the front
in blocks first, so that few are left to be added one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench import pareto
from bench.pareto import Floats

_BLOCK = 512
# Exact hypervolume grows steeply with the number of objectives; so many steps of the way are kept at most.
_MOST_STEPS = {1: 300, 2: 300, 3: 300, 4: 60}
_MOST_STEPS_BEYOND = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A point that raised the hypervolume.

    Attributes:
        row: of that point.
        hypervolume: after it.
    """

    row: int
    hypervolume: float


class FrontHistory:
    """The front of the points so far.

    Args:
        maximise: one flag an objective.
        corner: the worst corner of the hypervolume; None: it is not known.

    Attributes:
        steps: in order; where there were too many, every second one was dropped.
    """

    def __init__(self, maximise: tuple[bool, ...], corner: tuple[float, ...] | None) -> None:
        self._sign = np.where(np.array(maximise, dtype=bool), -1.0, 1.0)
        self._maximise, self._corner = maximise, corner
        self._costs = np.empty((0, len(maximise)))
        self._rows: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._most = _MOST_STEPS.get(len(maximise), _MOST_STEPS_BEYOND)
        self._stride, self._since = 1, 0
        self.steps: list[Step] = []

    @property
    def rows(self) -> NDArray[np.int64]:
        """Rows of the points on the front, in the order in which they came."""
        return self._rows

    @property
    def hypervolume(self) -> float | None:
        """Of the front; None where the corner is not known."""
        if self._corner is None:
            return None
        return pareto.hypervolume(self._costs * self._sign, self._corner, maximise=self._maximise)

    def add(self, rows: NDArray[np.int64], points: Floats) -> None:
        """Takes points in, shape (n, m), in the order in which they became known; none may be NaN."""
        costs = points * self._sign
        for start in range(0, len(rows), _BLOCK):
            block = costs[start : start + _BLOCK]
            for place in np.flatnonzero(~self._dominated(block)):
                self._add(int(rows[start + place]), block[place])
        self._close()

    def _dominated(self, block: Floats) -> NDArray[np.bool_]:
        mask = np.zeros(len(block), dtype=bool)
        # In slices: a long front times a block would take much memory.
        for start in range(0, len(self._costs), _BLOCK):
            part = self._costs[start : start + _BLOCK][None, :, :]
            others = block[:, None, :]
            mask |= np.any((part <= others).all(axis=2) & (part < others).any(axis=2), axis=1)
        return mask

    def _add(self, row: int, cost: Floats) -> None:
        front = self._costs
        if len(front) and bool(((front <= cost).all(axis=1) & (front < cost).any(axis=1)).any()):
            return
        kept = ~((cost <= front).all(axis=1) & (cost < front).any(axis=1))
        is_copy = bool((front == cost).all(axis=1).any())
        self._costs = np.vstack((front[kept], cost))
        self._rows = np.append(self._rows[kept], row)
        if self._corner is None or is_copy:
            return  # a copy adds no volume
        self._since += 1
        if self._since >= self._stride:
            self._step(row)

    def _step(self, row: int) -> None:
        found = self.hypervolume
        assert found is not None
        self._since = 0
        if found <= (self.steps[-1].hypervolume if self.steps else 0.0):
            return  # it lies beyond the corner
        self.steps.append(Step(row=row, hypervolume=found))
        if len(self.steps) > self._most:
            self.steps = self.steps[1::2] if len(self.steps) % 2 == 0 else self.steps[::2]
            self._stride *= 2

    def _close(self) -> None:
        """What came since the last step counts before anybody looks."""
        if self._since and self._corner is not None and len(self._rows):
            self._step(int(self._rows[-1]))
