"""Which rows of a table are nearest to a combination of choices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

# Looked at first: all others are put in order only where none of these will do.
_FEW = 32
# Far below what two different distances differ by, so that it decides between equal ones alone.
_TIE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Nearness:
    """Distances to the rows of a table.

    A column without an order differs by 0 or 1, one in order by its share of the way from the first choice to the last.

    Attributes:
        graded: choices of the columns in order, counted from 0, shape (rows, those columns).
        names: of the others, shape (rows, those columns).
        steps: of each column in order, what a step is worth.
        is_graded: which columns are in order, shape (columns,).
    """

    graded: npt.NDArray[np.float32] = field(repr=False)
    names: npt.NDArray[np.int16] = field(repr=False)
    steps: npt.NDArray[np.float32]
    is_graded: npt.NDArray[np.bool_]

    def order(self, places: Sequence[int], random: np.random.Generator) -> Iterator[int]:
        """Rows by ascending distance to the choices `places`, equal ones in drawn order."""
        wanted = np.array(places)
        distance = (self.names != wanted[~self.is_graded].astype(np.int16)).sum(axis=1).astype(np.float64)
        distance += np.abs(self.graded - wanted[self.is_graded].astype(np.float32)) @ self.steps
        # Rounded, so that equal distances are equal whatever they are the sum of.
        distance = np.round(distance, 6) + _TIE * random.random(len(distance))
        few = np.argpartition(distance, _FEW)[:_FEW] if len(distance) > _FEW else np.arange(len(distance))
        yield from few[np.argsort(distance[few])].tolist()
        if len(few) < len(distance):
            yield from np.argsort(distance)[_FEW:].tolist()


def nearness_of(places: npt.NDArray[np.int64], *, sizes: Sequence[int], ordered: Sequence[bool]) -> Nearness:
    """Distances to rows.

    Args:
        places: choices, counted from 0, shape (rows, columns).
        sizes: choices of each column.
        ordered: which columns are in order.
    """
    is_graded = np.array(ordered, dtype=bool)
    return Nearness(
        graded=np.ascontiguousarray(places[:, is_graded], dtype=np.float32),
        names=np.ascontiguousarray(places[:, ~is_graded], dtype=np.int16),
        steps=np.array(
            [1.0 / max(1, size - 1) for size, flag in zip(sizes, ordered, strict=True) if flag], dtype=np.float32
        ),
        is_graded=is_graded,
    )
