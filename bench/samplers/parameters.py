"""Optuna's parameters as points: what the sampler knows of a space when nobody describes it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial

from bench.samplers.axes import Axis, Candidates, Floats
from bench.samplers.breeding import children, grid, looked_at, uniform
from bench.samplers.features import Encoder, Layout

# Spaces of at most so many points are gone through whole; of others this many points are bred and drawn.
_LISTED = 20_000
_BRED, _DRAWN = 1_200, 600
# Of a whole space, this many are looked at for each proposal: half are those most like this many of the best.
_LOOKED_AT, _MOST_NEARBY = 8_000, 30
# Integers of at most so many values count as choices that other axes may repeat.
_MOST_CHOICES = 64


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameters with more than one value, by name."""

    distributions: Mapping[str, BaseDistribution]
    encoder: Encoder = field(init=False)

    def __post_init__(self) -> None:
        axes = tuple(_axis(name, distribution) for name, distribution in self.distributions.items())
        object.__setattr__(self, "encoder", Encoder(axes))

    @property
    def layout(self) -> Layout:
        return self.encoder.layout

    def columns(self, trials: Sequence[FrozenTrial]) -> Floats:
        """Features of trials, shape (n, c)."""
        return self.encoder(self._points(trials))

    def candidates(
        self, random: np.random.Generator, *, tried: Sequence[FrozenTrial], parents: Sequence[FrozenTrial]
    ) -> Candidates:
        """New points: all of a small space, else some drawn and some bred from `parents`, the best first."""
        sizes = [_num_values(distribution) for distribution in self.distributions.values()]
        if math.prod(sizes) <= _LISTED:
            points = grid([axis.is_ordered for axis in self.encoder.axes], [int(size) for size in sizes])
        else:
            drawn = uniform(random, self.encoder.axes, _DRAWN)
            bred = children(random, self.encoder.axes, self._points(parents), _BRED)
            points = self._snapped(np.vstack([drawn, bred]))
        known = self._points(tried)
        points = _new(points, known)
        columns = self.encoder(points)
        rows = looked_at(random, columns, self.columns(parents[:_MOST_NEARBY]), _LOOKED_AT)
        return Candidates(columns=columns[rows], exact={}, params=_Named(self, points[rows]))

    def params(self, point: Floats) -> dict[str, Any]:
        """What Optuna calls a point; axes that do not apply are left out."""
        return {
            name: _value(distribution, float(place))
            for (name, distribution), place in zip(self.distributions.items(), point, strict=True)
            if not math.isnan(place)
        }

    def _points(self, trials: Sequence[FrozenTrial]) -> Floats:
        found = np.full((len(trials), len(self.distributions)), np.nan)
        for row, trial in enumerate(trials):
            for i, (name, distribution) in enumerate(self.distributions.items()):
                if name in trial.params:
                    found[row, i] = _place(distribution, trial.params[name])
        return found

    def _snapped(self, points: Floats) -> Floats:
        """The nearest points that the distributions have."""
        for i, distribution in enumerate(self.distributions.values()):
            if not isinstance(distribution, CategoricalDistribution):
                column = points[:, i]
                has = ~np.isnan(column)
                column[has] = [_place(distribution, _value(distribution, float(place))) for place in column[has]]
        return points


class _Named(Sequence[Mapping[str, Any]]):
    """Points under Optuna's names, made when they are asked for."""

    def __init__(self, parameters: Parameters, points: Floats) -> None:
        self._parameters, self._points = parameters, points

    def __len__(self) -> int:
        return len(self._points)

    def __getitem__(self, index: Any) -> Any:
        return self._parameters.params(self._points[index])


def _axis(name: str, distribution: BaseDistribution) -> Axis:
    if isinstance(distribution, CategoricalDistribution):
        return Axis(name=name, values=distribution.choices, is_ordered=False)
    size = _num_values(distribution)
    low, high = _ends(distribution)
    values = tuple(np.linspace(low, high, int(size)).tolist()) if size <= _MOST_CHOICES else ()
    return Axis(name=name, values=values, is_ordered=True)


def _num_values(distribution: BaseDistribution) -> float:
    """How many values there are; infinite for real numbers."""
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    if distribution.step is None:
        return 1 if distribution.single() else math.inf
    return round((distribution.high - distribution.low) / distribution.step) + 1


def _ends(distribution: BaseDistribution) -> tuple[float, float]:
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    low, high = float(distribution.low), float(distribution.high)
    return (math.log(low), math.log(high)) if distribution.log else (low, high)


def _place(distribution: BaseDistribution, value: Any) -> float:
    """From 0 to 1, or the index of a choice; beyond that for a value of another range."""
    if isinstance(distribution, CategoricalDistribution):
        return float(distribution.to_internal_repr(value))
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    low, high = _ends(distribution)
    if distribution.log:
        value = math.log(max(float(value), 1e-300))
    return (float(value) - low) / (high - low) if high > low else 0.0


def _value(distribution: BaseDistribution, place: float) -> Any:
    """The value at a place, or the nearest that there is."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[round(place)]
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    low, high = _ends(distribution)
    value = low + min(max(place, 0.0), 1.0) * (high - low)
    value = math.exp(value) if distribution.log else value
    if distribution.step is not None:
        value = distribution.low + round((value - distribution.low) / distribution.step) * distribution.step
    value = min(max(value, distribution.low), distribution.high)
    return round(value) if isinstance(distribution, IntDistribution) else float(value)


def _new(points: Floats, known: Floats) -> Floats:
    """The distinct rows of `points` that are none of `known`; what a trial did not ask for makes no difference."""
    is_new = np.zeros(len(points), dtype=bool)
    is_new[np.unique(_keys(points), return_index=True)[1]] = True
    applies = ~np.isnan(known)
    for pattern in np.unique(applies, axis=0):
        taken = _keys(known[(applies == pattern).all(axis=1)][:, pattern])
        is_new &= ~np.isin(_keys(points[:, pattern]), taken)
    return points[is_new]


def _keys(rows: Floats) -> npt.NDArray[np.void]:
    """One item a row, equal where rows are."""
    rounded = np.ascontiguousarray(np.round(np.nan_to_num(rows, nan=-1.0), 9) + 0.0)
    if not rounded.shape[1]:
        return np.zeros(len(rows), dtype="V1")
    return rounded.view(np.dtype((np.void, rounded.shape[1] * rounded.itemsize)))[:, 0]


def merged(trials: Collection[FrozenTrial]) -> dict[str, BaseDistribution]:
    """Every parameter that any trial has had, with the distribution that it had last, sorted by name."""
    found: dict[str, BaseDistribution] = {}
    for trial in trials:
        found.update(trial.distributions)
    return {name: found[name] for name in sorted(found) if not found[name].single()}
