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

# Prior medians of theta: of all axes together, and of each set of tallies or known column. So long that the prior is
# nearly additive: what has not been seen is expected to go on as what has. With 2.5 and 0.1 proposals on two tables of
# trained networks brought a third less.
_AXES, _OTHERS = 1.5, 0.03


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """How columns belong together.

    Attributes:
        groups: the group of each column, shape (c,), from 0.
        is_axis: of each group, whether it is one choice of the space; else it is a set of tallies or a known column,
            which are in standard deviations.
    """

    groups: Ints
    is_axis: tuple[bool, ...]

    @property
    def num_groups(self) -> int:
        return len(self.is_axis)

    @property
    def theta(self) -> Floats:
        """Prior medians of the inverse squared length scales, shape (g,): all axes together lie at a fixed distance."""
        is_axis = np.array(self.is_axis, dtype=bool)
        return np.where(is_axis, _AXES / max(1, is_axis.sum()), _OTHERS)

    def with_known(self, number: int) -> Layout:
        """The same with as many known columns behind, each a group of its own."""
        groups = np.r_[self.groups, self.num_groups + np.arange(number)]
        return Layout(groups, (*self.is_axis, *(False,) * number))


@dataclass(frozen=True, slots=True)
class Encoder:
    """Turns points of some axes into columns.

    Attributes:
        layout: of the columns.
    """

    axes: tuple[Axis, ...]
    layout: Layout = field(init=False)

    def __post_init__(self) -> None:
        widths = [_width(axis) for axis in self.axes]
        repeated = _repeated(self.axes)
        widths += [1 if self.axes[kind[0]].is_ordered else len(self.axes[kind[0]].values) for kind in repeated]
        groups = np.repeat(np.arange(len(widths)), widths)
        layout = Layout(groups, (True,) * len(self.axes) + (False,) * len(repeated))
        object.__setattr__(self, "layout", layout)

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
