"""What distinguishes one point of a space from another: its axes, and points as rows of numbers.

A point is a row with one number an axis: the place of the choice from 0 to 1 where the choices are ordered, the index
of the choice where they are not, NaN where the axis does not apply to this point.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One thing to choose.

    Attributes:
        name: unique in a space.
        values: the choices; empty where any number of a range may be chosen.
        is_ordered: whether neighbouring choices are alike.
    """

    name: str
    values: tuple[Any, ...]
    is_ordered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Points that may be proposed next, as a model sees them.

    Attributes:
        columns: features, shape (n, c).
        exact: values of objectives that are known without trying, shape (n,) each, by number of the objective.
        params: what Optuna calls each of them: values by parameter name.
    """

    columns: Floats
    exact: Mapping[int, Floats]
    params: Sequence[Mapping[str, Any]]

    def __len__(self) -> int:
        return len(self.columns)
