"""Points as columns that a Gaussian process measures distances in.

Axes without an order become indicator columns, scaled so that two choices are at distance 1 (the Hamming distance);
axes with an order are a number from 0 to 1. Axes that have the same choices are also *tallied*: how many of them take
each value, or their mean where values are ordered. Networks repeat the same question in each stage, and often the
sum of the answers matters more than where each was given; which axes repeat a question shows in their choices alone.

Columns that share a length scale form a group: one group an axis, one a set of tallies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.samplers.axes import Axis, Floats, Ints


@dataclass(frozen=True, slots=True)
class Encoder:
    """Turns points of some axes into columns.

    Attributes:
        groups: the group of each column, shape (c,), from 0.
        is_axis: of each group, whether it is an axis (else a set of tallies), shape (g,).
    """

    axes: tuple[Axis, ...]
    groups: Ints = field(init=False)
    is_axis: tuple[bool, ...] = field(init=False)

    def __post_init__(self) -> None:
        widths = [_width(axis) for axis in self.axes]
        repeated = _repeated(self.axes)
        widths += [1 if self.axes[kind[0]].is_ordered else len(self.axes[kind[0]].values) for kind in repeated]
        object.__setattr__(self, "groups", np.repeat(np.arange(len(widths)), widths))
        object.__setattr__(self, "is_axis", (True,) * len(self.axes) + (False,) * len(repeated))

    def __call__(self, points: Floats) -> Floats:
        """The columns of points, shape (n, d) to (n, c)."""
        columns = [_columns(axis, points[:, i]) for i, axis in enumerate(self.axes)]
        columns += [_tallies(self.axes[kind[0]], points[:, kind]) for kind in _repeated(self.axes)]
        return np.hstack([np.zeros((len(points), 0)), *columns])


def known_columns(values: Floats) -> Callable[[Floats], Floats]:
    """How known columns (n, k) become features: centred and scaled over these values, logarithms where all are above 0.

    What costs have in common is ratios: the difference between 1 and 2 million parameters is that of 10 and 20.
    """
    is_positive = (values > 0).all(axis=0)

    def logs(rows: Floats) -> Floats:
        return np.where(is_positive, np.log(np.where(is_positive, np.maximum(rows, 1e-300), 1.0)), rows)

    mean, spread = logs(values).mean(axis=0), logs(values).std(axis=0)
    return lambda rows: (logs(rows) - mean) / np.where(spread > 0, spread, 1.0)


def _width(axis: Axis) -> int:
    return 2 if axis.is_ordered else len(axis.values)


def _columns(axis: Axis, places: Floats) -> Floats:
    is_missing = np.isnan(places)
    if axis.is_ordered:
        # Where it does not apply: at distance 1 or a little more from any place.
        return np.column_stack([np.where(is_missing, 0.5, places), is_missing])
    # A row of zeros where it does not apply: nearer to each choice than the choices are to each other.
    indicators: Floats = (places[:, None] == np.arange(len(axis.values))) / math.sqrt(2.0)
    return indicators


def _repeated(axes: Sequence[Axis]) -> list[list[int]]:
    """Positions of the axes that have the same choices, for each set of choices that stands more than once."""
    kinds: dict[tuple[object, ...], list[int]] = {}
    for i, axis in enumerate(axes):
        if axis.values:
            kinds.setdefault((axis.is_ordered, axis.values), []).append(i)
    return [kind for kind in kinds.values() if len(kind) > 1]


def _tallies(axis: Axis, places: Floats) -> Floats:
    """Shares of the axes that take each value (or the mean place), in standard deviations of uniform draws."""
    num = places.shape[1]
    if axis.is_ordered:
        spread = float(np.std(np.linspace(0.0, 1.0, len(axis.values)))) / math.sqrt(num)
        filled = np.where(np.isnan(places), 0.5, places)
        mean: Floats = filled.mean(axis=1, keepdims=True) / spread
        return mean
    share = 1.0 / len(axis.values)
    spread = math.sqrt(share * (1.0 - share) / num)
    counted = (places[:, :, None] == np.arange(len(axis.values))).mean(axis=1)
    shares: Floats = counted / spread
    return shares
