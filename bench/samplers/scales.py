"""How the values of an objective are looked at: what is modelled, and in what units a hypervolume is measured.

All scales turn an objective so that less is better.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import ndtr

from bench.samplers.axes import Floats

# Of the mean distance of the better half from the median: where distances of the worse half begin to bend.
_REACH = 2.0


class Scale(Protocol):
    """Between values as they are told, values as they are modelled, and volume."""

    def model(self, values: Floats) -> Floats:
        """Told values (n,) in the units of the model, about unit variance."""

    def volume(self, modelled: Floats) -> Floats:
        """Modelled values (n,) in the units in which improvements are added up."""

    def shortfall(self, level: float, mean: Floats, deviation: Floats) -> Floats:
        """Expected amount (n,) by which a normally distributed modelled value stays below `level`, both in volume."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogScale:
    """For costs, which are above 0: the logarithm is modelled, and improvements count as they are.

    Costs multiply (twice the width, four times the time), so that their logarithm is the simpler function and its
    error is of one size; but a hypervolume is made of milliseconds, not of their logarithms.
    """

    centre: float
    spread: float

    @classmethod
    def of(cls, values: Floats) -> LogScale:
        logs = np.log(values)
        return cls(centre=float(logs.mean()), spread=float(logs.std()) or 1.0)

    def model(self, values: Floats) -> Floats:
        found: Floats = (np.log(values) - self.centre) / self.spread
        return found

    def volume(self, modelled: Floats) -> Floats:
        found: Floats = np.exp(np.minimum(modelled, 30.0) * self.spread)
        return found

    def shortfall(self, level: float, mean: Floats, deviation: Floats) -> Floats:
        # E max(level - X, 0) of a lognormal X; in finance the price of a put (Black and Scholes, 1973).
        if level <= 0.0:
            return np.zeros_like(mean)
        mean, deviation = mean * self.spread, np.maximum(deviation * self.spread, 1e-9)
        place = (math.log(level) - mean) / deviation
        found: Floats = level * ndtr(place) - np.exp(mean + 0.5 * deviation**2) * ndtr(place - deviation)
        return np.maximum(found, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TailScale:
    """For anything else, such as accuracy: what is worse than the median is drawn together.

    A network that learns nothing is 50 points below the others; a model that had to follow it would not see the
    differences of a tenth of a point that decide. Below the median distances grow as a logarithm only.

    Attributes:
        sign: -1 where more is better.
        knee: the median, turned so that less is better.
        reach: the distance from the median at which the logarithm has bent by half.
        centre, spread: of the bent values.
    """

    sign: float
    knee: float
    reach: float
    centre: float = 0.0
    spread: float = 1.0

    @classmethod
    def of(cls, values: Floats, *, maximise: bool) -> TailScale:
        sign = -1.0 if maximise else 1.0
        turned = sign * values
        knee = float(np.median(turned))
        reach = _REACH * float(np.abs(turned[turned <= knee] - knee).mean()) or 1.0
        bare = cls(sign=sign, knee=knee, reach=reach)
        bent = bare.model(values)
        return cls(sign=sign, knee=knee, reach=reach, centre=float(bent.mean()), spread=float(bent.std()) or 1.0)

    def model(self, values: Floats) -> Floats:
        behind = self.sign * values - self.knee
        bent = np.where(behind > 0.0, self.reach * np.log1p(np.maximum(behind, 0.0) / self.reach), behind)
        found: Floats = (self.knee + bent - self.centre) / self.spread
        return found

    def volume(self, modelled: Floats) -> Floats:
        return modelled

    def shortfall(self, level: float, mean: Floats, deviation: Floats) -> Floats:
        deviation = np.maximum(deviation, 1e-9)
        place = (level - mean) / deviation
        found: Floats = (level - mean) * ndtr(place) + deviation * np.exp(-0.5 * place**2) / math.sqrt(2.0 * math.pi)
        return np.maximum(found, 0.0)


def scale_of(values: Floats, *, maximise: bool) -> Scale:
    """The scale for an objective with these values (n,), finite."""
    if not maximise and (values > 0.0).all():
        return LogScale.of(values)
    return TailScale.of(values, maximise=maximise)
