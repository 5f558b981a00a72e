"""What a study demands of a figure, such as `latency_ms <= 12`: its text, and by how much a trial exceeds it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from bench.errors import ConfigError

_TEXT = re.compile(r"\s*([A-Za-z_][\w-]*(?::[a-z0-9][a-z0-9._-]*)?)\s*(<=|>=)\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """A bound of one figure.

    Attributes:
        figure: its name, as objectives and costs are named in the store.
        is_upper: whether the figure has to stay at or below the bound, and not at or above it.
        bound: in the figure's unit.
    """

    figure: str
    is_upper: bool
    bound: float

    @property
    def text(self) -> str:
        """As settings and pages tell it; `read_constraint` reads it back."""
        return f"{self.figure} {'<=' if self.is_upper else '>='} {self.bound!r}".removesuffix(".0")

    def excess(self, figures: Mapping[str, float]) -> float:
        """How far a trial is beyond the bound, as a share of the bound: 0 or less where it is met, NaN if unknown.

        Shares, so that a millisecond and a megabyte weigh alike where a sampler adds them up.
        """
        value = figures.get(self.figure, math.nan)
        beyond = value - self.bound if self.is_upper else self.bound - value
        return beyond / (abs(self.bound) or 1.0)


def read_constraint(text: str) -> Constraint:
    """A constraint from its text; whether there is such a figure is not asked here.

    Raises:
        ConfigError: it is no bound of a figure.
    """
    found = _TEXT.fullmatch(text)
    try:
        bound = float(found[3]) if found else math.nan
    except ValueError:
        bound = math.nan
    if found is None or not math.isfinite(bound):
        raise ConfigError(
            f"constraint {text!r}; a figure, <= or >=, and a number are needed; such as 'latency_ms <= 12' (a rule of "
            "the architecture itself goes with --rule)"
        )
    return Constraint(figure=found[1], is_upper=found[2] == "<=", bound=bound)
