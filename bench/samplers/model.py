"""What is known of every objective at points that have not been tried, and what trying them is expected to gain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import ndtr

from bench.samplers.axes import Candidates, Floats
from bench.samplers.chain import Chain, chosen
from bench.samplers.features import Layout
from bench.samplers.improvement import expected_improvement
from bench.samplers.observations import Observations
from bench.samplers.scales import Scale, TailScale, scale_of

# How far beyond the worst that was told the reference lies, in standard deviations: all that was told counts.
_MARGIN = 0.1
# Of the points that failures are judged by.
_MOST_JUDGED = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Every objective, every constraint and the chance of failing, as far as they are known.

    Attributes:
        scales: one an objective.
        chains: one an objective that is not exact.
        limits: scale and chain of each constraint.
        front: expected values, in volume, of what has been tried or is being tried and meets the constraints, (k, m).
        reference: the worst that was told and a little more, in volume, (m,).
    """

    scales: tuple[Scale, ...]
    chains: Mapping[int, Chain]
    limits: tuple[tuple[TailScale, Chain], ...]
    front: Floats
    reference: Floats
    trouble: Trouble

    @classmethod
    def fit(cls, observations: Observations, *, layout: Layout) -> Model:
        """Learns from what was told; with the same observations the same model."""
        observations = observations.best_first()
        columns, scores = observations.columns, observations.scores
        everything = np.vstack([observations.columns, observations.pending])
        scales: list[Scale] = []
        chains: dict[int, Chain] = {}
        volumes, corner = [], []
        for i, is_maximised in enumerate(observations.maximise):
            first = scores[0, :, i]
            scale = scale_of(first[~np.isnan(first)], maximise=is_maximised)
            if i in observations.exact:
                told = scale.model(np.r_[observations.scores[0, :, i], observations.exact[i]])
            else:
                sources = [_earlier(task.columns, task.values[:, i], is_maximised) for task in observations.earlier]
                sources += [_rung(scale, columns, scores, rung=rung, objective=i) for rung in range(len(scores))]
                chain = Chain.fit(sources, layout=layout)
                told = chain.mean(everything)
                chains[i] = chain.believing(observations.pending)
            scales.append(scale)
            volumes.append(scale.volume(told))
            corner.append(float(scale.volume(np.array([told.max() + _MARGIN]))[0]))
        meets = np.r_[observations.is_feasible, np.ones(len(observations.pending), dtype=bool)]
        return cls(
            scales=tuple(scales),
            chains=chains,
            limits=_limits(observations, layout=layout),
            front=np.column_stack(volumes)[meets],
            reference=np.array(corner),
            trouble=Trouble.of(observations, layout=layout),
        )

    def gain(self, candidates: Candidates, *, doubt: float = 1.0) -> Floats:
        """What trying each candidate is expected to add to the hypervolume, shape (n,); above 0.

        Args:
            doubt: how many times as unsure as it is the model is taken to be.
        """
        shortfalls, reference = [], []
        for i, scale in enumerate(self.scales):
            if i in candidates.exact:
                mean, deviation = scale.model(candidates.exact[i]), np.zeros(len(candidates))
            else:
                mean, deviation = self.chains[i].predict(candidates.columns)
            # All that can be had counts: a network that costs more than any that was tried may be worth it.
            worst = scale.volume(np.array([mean.max() + _MARGIN]))
            reference.append(max(float(self.reference[i]), float(worst[0])))
            shortfalls.append(partial(scale.shortfall, mean=mean, deviation=doubt * deviation))
        gain = expected_improvement(shortfalls, self.front, np.array(reference))
        chance = _chance_to_meet(self.limits, candidates.columns)
        return gain * chance * self.trouble.chance_of_value(candidates.columns)


def chance_to_meet(observations: Observations, columns: Floats, *, layout: Layout) -> Floats:
    """The chance of points (n, c) to meet all constraints, which are all that is known of them yet, shape (n,)."""
    observations = observations.best_first()
    trouble = Trouble.of(observations, layout=layout)
    return _chance_to_meet(_limits(observations, layout=layout), columns) * trouble.chance_of_value(columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Where trials fail: the share of those nearby that did, by a kernel.

    Attributes:
        tried: features of points that failed or did not, (n, c).
        has_failed: shape (n,).
    """

    tried: Floats
    has_failed: Floats
    layout: Layout

    @classmethod
    def of(cls, observations: Observations, *, layout: Layout) -> Trouble:
        failed = observations.failed[chosen(len(observations.failed), _MOST_JUDGED)]
        fine = observations.columns[chosen(len(observations), _MOST_JUDGED)]
        return cls(
            tried=np.vstack([failed, fine]),
            has_failed=np.r_[np.ones(len(failed)), np.zeros(len(fine))],
            layout=layout,
        )

    def chance_of_value(self, columns: Floats) -> Floats:
        """Between 0 and 1, shape (n,)."""
        if not self.has_failed.any():
            return np.ones(len(columns))
        weights = np.sqrt(self.layout.theta[self.layout.groups])
        first, second = columns * weights, self.tried * weights
        squares = (first * first).sum(axis=1)[:, None] + (second * second).sum(axis=1) - 2.0 * (first @ second.T)
        near = np.exp(-2.0 * np.maximum(squares, 0.0))
        usual = self.has_failed.mean()
        share: Floats = (near @ self.has_failed + usual) / (near.sum(axis=1) + 1.0)
        return 1.0 - share


def _rung(scale: Scale, columns: Floats, scores: Floats, *, rung: int, objective: int) -> tuple[Floats, Floats]:
    """Points and modelled values of one rung; of a higher one only where it says something new."""
    values = scores[rung, :, objective]
    has = ~np.isnan(values)
    if rung and np.array_equal(values[has], scores[0, has, objective]):
        has = np.zeros(len(values), dtype=bool)
    return columns[has], scale.model(values[has])


def _earlier(columns: Floats, values: Floats, is_maximised: bool) -> tuple[Floats, Floats]:
    """Another task in its own units: what it shares with this one is how its values lie to each other."""
    has = np.isfinite(values)
    if not has.any():
        return columns[has], values[has]
    return columns[has], scale_of(values[has], maximise=is_maximised).model(values[has])


def _chance_to_meet(limits: Sequence[tuple[TailScale, Chain]], columns: Floats) -> Floats:
    chance = np.ones(len(columns))
    for scale, chain in limits:
        mean, deviation = chain.predict(columns)
        level = float(scale.model(np.zeros(1))[0])
        chance = chance * ndtr((level - mean) / np.maximum(deviation, 1e-9))
    return chance


def _limits(observations: Observations, *, layout: Layout) -> tuple[tuple[TailScale, Chain], ...]:
    found = []
    for values in observations.constraints.T:
        scale = TailScale.of(values, maximise=False)
        chain = Chain.fit([(observations.columns, scale.model(values))], layout=layout)
        found.append((scale, chain.believing(observations.pending)))
    return tuple(found)
