"""A sampler of Optuna's kind that models what was found and proposes what promises most.

The first few points are spread out. After that a Gaussian process models each objective that has to be measured, and
of many candidates the one is proposed whose trial is expected to enlarge the dominated hypervolume most. It works for
one objective or several, with any of Optuna's parameters; where a `Source` describes the space it knows more: which
points are the same network, what rules forbid, and what each costs.

Failed trials are avoided in the future, trials that run count as having brought what is expected of them, and trials
with constraints (`Trial.set_constraint`) are judged by their chance to meet them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from bench import pareto
from bench.samplers.axes import Candidates, Floats
from bench.samplers.features import Layout
from bench.samplers.model import Model, chance_to_meet
from bench.samplers.observations import EarlierTask, Observations
from bench.samplers.parameters import Parameters, merged

# Points that are spread out before there is a model.
NUM_STARTS = 10
# From how many candidates the loneliest is taken to begin with.
_SPREAD_OVER = 200
# At one in so many proposals the model is taken to be so many times as unsure as it says. Expected improvement trusts
# scales that it learned from few points, and may look near the best of them for ever (Bull, "Convergence rates of
# efficient global optimization algorithms", 2011): of 20 searches of NAS-Bench-201 by a short training three stayed in
# one region for 120 networks.
_DOUBT_EVERY, _DOUBT = 4, 3.0
# Parents of new candidates, the best first.
_MOST_PARENTS = 60
# Candidates that are looked at closely before giving up, the most promising first.
_MOST_CHECKED = 200


class Source(Protocol):
    """What the sampler needs to know of a space."""

    @property
    def layout(self) -> Layout:
        """Of the features."""

    def columns(self, trials: Sequence[FrozenTrial]) -> Floats:
        """Features of trials, shape (n, c)."""

    def candidates(
        self, random: np.random.Generator, *, tried: Sequence[FrozenTrial], parents: Sequence[FrozenTrial]
    ) -> Candidates:
        """Points that are none of those tried; `parents` are the best of these, the best first."""


class DescribedSource(Source, Protocol):
    """A source that knows its space by itself, not only through what trials have had."""

    def search_space(self) -> dict[str, BaseDistribution]:
        """The distribution of every parameter that a point may have."""

    def exact(self, trials: Sequence[FrozenTrial]) -> Mapping[int, Floats]:
        """Values of trials in the objectives that are known without trying, by number of the objective."""

    def is_allowed(self, params: Mapping[str, Any]) -> bool:
        """Whether a candidate may be proposed."""

    def later_scores(self, trials: Sequence[FrozenTrial]) -> Floats:
        """Scores above the first rung, shape (rungs - 1, n, m), NaN where there is none."""

    def is_open(self, trials: Sequence[FrozenTrial]) -> pareto.Mask:
        """Which of the told values stand for nothing, shape (n, m): those of trials that break a constraint."""

    def earlier_tasks(self) -> tuple[EarlierTask, ...]:
        """What is known of the same space from elsewhere."""

    def is_of_search(self, trial: FrozenTrial) -> bool:
        """Whether a trial was really tried; what was asked for and turned down was not."""


class ModelSampler(BaseSampler):
    """See the module.

    Args:
        seed: of everything random; None: another one each time.
        source: the space, where somebody describes it; None: what the trials say of it.
        num_starts: trials before there is a model.
    """

    def __init__(
        self, *, seed: int | None = None, source: DescribedSource | None = None, num_starts: int = NUM_STARTS
    ) -> None:
        self._random = np.random.default_rng(seed)
        self._independent = RandomSampler(seed=seed)
        self._source = source
        self._num_starts = num_starts

    def reseed_rng(self) -> None:
        self._random = np.random.default_rng()
        self._independent.reseed_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        if self._source is not None:
            return self._source.search_space()
        return merged([other for other in study.get_trials(deepcopy=False) if other.number != trial.number])

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        if not search_space:
            return {}
        source = self._source or Parameters(search_space)
        trials = [
            other
            for other in study.get_trials(deepcopy=False)
            if other.number != trial.number and other.params and self._is_tried(other)
        ]
        complete = [other for other in trials if other.state == TrialState.COMPLETE]
        parents = _best(complete, study.directions)[:_MOST_PARENTS]
        candidates = source.candidates(self._random, tried=trials, parents=parents)
        if not len(candidates):
            return {}
        if len(trials) < self._num_starts or not complete:
            promise = _loneliness(self._random, candidates.columns, source.columns(trials))
        else:
            doubt = _DOUBT if len(trials) % _DOUBT_EVERY == _DOUBT_EVERY - 1 else 1.0
            promise = self._promise(self._observations(study, source, trials), source.layout, candidates, doubt=doubt)
        # Equal ones are not taken in the order in which they are listed.
        order = np.lexsort((self._random.random(len(candidates)), -promise))
        for index in order[:_MOST_CHECKED].tolist():
            params = dict(candidates.params[index])
            if self._source is None or self._source.is_allowed(params):
                return params
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def _is_tried(self, trial: FrozenTrial) -> bool:
        return self._source is None or self._source.is_of_search(trial)

    def _promise(self, observations: Observations, layout: Layout, candidates: Candidates, *, doubt: float) -> Floats:
        """What trying each candidate is expected to bring; while nothing has met the constraints, whether it will."""
        if np.isnan(observations.scores[0]).all(axis=0).any():
            return chance_to_meet(observations, candidates.columns, layout=layout)
        return Model.fit(observations, layout=layout).gain(candidates, doubt=doubt)

    def _observations(self, study: Study, source: Source, trials: Sequence[FrozenTrial]) -> Observations:
        told = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        pending = [trial for trial in trials if trial.state == TrialState.RUNNING]
        failed = [trial for trial in trials if trial.state == TrialState.FAIL]
        scores = _values(told, study.directions)[None]
        known = self._source
        if known is not None:
            scores[0][known.is_open(told)] = np.nan
        return Observations(
            columns=source.columns(told),
            scores=scores if known is None else np.concatenate([scores, known.later_scores(told)]),
            maximise=_maximise(study.directions),
            pending=source.columns(pending),
            failed=source.columns(failed),
            exact={} if known is None else known.exact(pending),
            constraints=_constraints(told),
            earlier=() if known is None else known.earlier_tasks(),
        )


def _maximise(directions: Sequence[StudyDirection]) -> tuple[bool, ...]:
    return tuple(direction == StudyDirection.MAXIMIZE for direction in directions)


def _best(trials: Sequence[FrozenTrial], directions: Sequence[StudyDirection]) -> list[FrozenTrial]:
    if not trials:
        return []
    order = pareto.best_first(_values(trials, directions), maximise=_maximise(directions))
    feasible = [all(value <= 0 for value in trial.constraints.values()) for trial in trials]
    return [trials[i] for i in sorted(order, key=lambda i: not feasible[i])]


def _values(trials: Sequence[FrozenTrial], directions: Sequence[StudyDirection]) -> Floats:
    """Told values (n, m); an infinite one counts as the nearest finite one."""
    values = np.array([trial.values for trial in trials], dtype=np.float64).reshape(len(trials), len(directions))
    for column in values.T:
        finite = column[np.isfinite(column)]
        low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
        np.clip(column, low, high, out=column)
    return values


def _constraints(trials: Sequence[FrozenTrial]) -> Floats:
    """Constraint values (n, k); what a trial does not say it meets."""
    names = sorted({name for trial in trials for name in trial.constraints})
    found = [[float(trial.constraints.get(name, 0.0)) for name in names] for trial in trials]
    return np.array(found, dtype=np.float64).reshape(len(trials), len(names))


def _loneliness(random: np.random.Generator, columns: Floats, tried: Floats) -> Floats:
    """Distance to the nearest point that was tried, for some candidates; nothing for the others."""
    found = np.zeros(len(columns))
    some = random.permutation(len(columns))[:_SPREAD_OVER]
    if not len(tried):
        found[some[0]] = 1.0
        return found
    apart = ((columns[some][:, None, :] - tried[None]) ** 2).sum(axis=2)
    found[some] = apart.min(axis=1)
    return found
