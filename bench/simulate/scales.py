"""Normalised hypervolume: the share that what was evaluated has of the hypervolume of the whole table.

Two reference points see different things. The tight one (median accuracy, 1.1 times the cost of the most accurate row)
weighs the accurate end, where most searches are compared; the wide one (least accuracy, largest cost) counts the small
and cheap networks as well, which a sampler may ignore and still look good on the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench import pareto
from bench.errors import ConfigError
from bench.pareto import Floats

TIGHT, WIDE, GIVEN = "tight", "wide", "given"
_TIGHT_COST = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A reference point and what the whole table reaches against it.

    Attributes:
        name: "tight", "wide" or "given".
        point: the worst corner, one value an objective.
        volume: hypervolume of all rows, above 0.
        maximise: one flag an objective.
    """

    name: str
    point: tuple[float, ...]
    volume: float
    maximise: tuple[bool, ...]

    def share(self, points: Floats) -> float:
        """Normalised hypervolume of points of shape (n, objectives): 0 for none, 1 where they hold the whole front."""
        return pareto.hypervolume(points, self.point, maximise=self.maximise) / self.volume


def scales(values: Floats, *, maximise: Sequence[bool], given: Sequence[float] | None) -> tuple[Scale, ...]:
    """The tight and the wide scale of a table, or the one of a reference point that is given.

    Args:
        values: shape (rows, objectives), accuracy first, then costs; rows with NaN count nowhere.
        maximise: one flag an objective.
        given: a reference point, one value an objective.

    Raises:
        ConfigError: no row is better than a reference point.
    """
    known = values[~np.isnan(values).any(axis=1)]
    if not len(known):
        raise ConfigError("no row of the table has a value for each objective; at least two are needed; name others")
    accuracy, costs = known[:, 0], known[:, 1:]
    if given is not None:
        points = {GIVEN: tuple(given)}
    else:
        points = {
            TIGHT: (float(np.median(accuracy)), *(_TIGHT_COST * costs[int(np.argmax(accuracy))]).tolist()),
            WIDE: (float(accuracy.min()), *costs.max(axis=0).tolist()),
        }
    return tuple(_scale(name, point, known, tuple(maximise)) for name, point in points.items())


def _scale(name: str, point: tuple[float, ...], known: Floats, maximise: tuple[bool, ...]) -> Scale:
    volume = pareto.hypervolume(known, point, maximise=maximise)
    if volume <= 0:
        shown = ", ".join(f"{value:g}" for value in point)
        raise ConfigError(
            f"no row of the table is better than the {name} reference point ({shown}) in every objective; a point that "
            "some dominate is needed; give one with --reference"
        )
    return Scale(name=name, point=point, volume=volume, maximise=maximise)
