"""Who is tried next: Optuna's samplers over a declarative space.

Optuna sees the space through `bench.space.compose`: one parameter a decision, an integer where the choices are
ordered. Three things stand between its samplers and a study. A proposal that breaks a rule or repeats a network is
turned down before it costs anything. Every question is asked of a new sampler whose seed follows from the study's
seed and the trial's number, so that a proposal depends on what has been told and on nothing else: a study taken up
again proposes what it would have proposed. And each trial is told once, with its accuracy at the first rung, which
every trial reaches: the sampler never compares two fidelities, and a stopped trial never counts as a full score. What
a trial scores at higher rungs is told as well, and used by `model`, which knows rungs apart (bench/samplers/chain.py).
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import optuna
from optuna.distributions import distribution_to_json, json_to_distribution
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from bench.errors import SpaceError
from bench.report.ladder import PREDICTED, STATIC
from bench.samplers import NUM_STARTS, ModelSampler, SpaceSource
from bench.space import (
    Architecture,
    Decision,
    NoneFound,
    Space,
    compose,
    count,
    cross_over,
    decisions,
    draw,
    every,
    mutate,
    nearest_row,
)
from bench.store import LATENCY
from bench.study.objectives import Objective

Costs = Callable[[Architecture], Mapping[str, float]]

# How often a sampler is asked again, and how often a new network is looked for after that.
_ASKS = 20
_MUTATIONS = 50
_DRAWS = 300
# Spaces up to this size are listed: drawing what is left of one takes longer the less is left.
_LISTED = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An architecture to try, who proposed it, and what the sampler needs to be rebuilt."""

    architecture: Architecture
    source: str
    state: Mapping[str, Any]


class SpaceExhausted(SpaceError):
    """No further architecture of the space obeys the rules."""


def _model(seed: int, budget: int, source: SpaceSource | None) -> BaseSampler:
    return ModelSampler(seed=seed, source=source, num_starts=_num_starts(budget))


def _num_starts(budget: int) -> int:
    return min(NUM_STARTS, max(4, budget // 4))


def _tpe(seed: int, budget: int, source: SpaceSource | None) -> BaseSampler:  # noqa: ARG001  (one signature for all)
    # Multivariate with a constant liar: far ahead of Optuna's multi-objective default, the independent TPE, on
    # NAS-Bench-201 and NAS-Bench-Macro. `group` lets it keep to that on conditional spaces.
    return TPESampler(
        seed=seed,
        multivariate=True,
        group=True,
        constant_liar=True,
        n_startup_trials=_num_starts(budget),
    )


class _Nsga2(NSGAIISampler):
    """NSGA-II whose parents follow from what has been told alone.

    Optuna's remembers the parents of a generation, and gives them in another order the first time: a study taken up
    again would propose something else.
    """

    def get_parent_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        if generation == 0:
            return []
        return sorted(self.select_parent(study, generation), key=lambda trial: trial.number)


def _nsga2(seed: int, budget: int, source: SpaceSource | None) -> BaseSampler:  # noqa: ARG001
    return _Nsga2(seed=seed, population_size=min(50, max(8, budget // 4)))


def _random(seed: int, budget: int, source: SpaceSource | None) -> BaseSampler:  # noqa: ARG001
    return RandomSampler(seed=seed)


SAMPLERS: dict[str, Callable[[int, int, SpaceSource | None], BaseSampler]] = {
    "model": _model,
    "tpe": _tpe,
    "nsga2": _nsga2,
    "random": _random,
}
"""Samplers by name, of a seed, the study's budget, and for `model` the space with what is known of it."""


class Proposer:
    """Proposals for one study, in order of trial number.

    Args:
        space: with all rules of the study.
        objectives: in the order in which values are told.
        sampler: a key of `SAMPLERS`.
        seed: of the study.
        budget: trials of the study; it sets the population and start-up sizes.
        costs: exact costs of an architecture, for the rules.
    """

    def __init__(
        self,
        space: Space,
        objectives: Sequence[Objective],
        *,
        sampler: str,
        seed: int,
        budget: int,
        costs: Costs,
    ) -> None:
        self._space, self._sampler, self._seed, self._budget, self._costs = (
            space,
            sampler,
            seed,
            budget,
            costs,
        )
        self._seen: dict[str, Architecture] = {}
        self._asked: dict[int, int] = {}
        self._all: tuple[Architecture, ...] | None = None
        self._source = _source(space, objectives, costs) if sampler == "model" else None
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna = optuna.create_study(
            directions=["maximize" if objective.maximise else "minimize" for objective in objectives]
        )

    def propose(self, number: int) -> Proposal:
        """A network that obeys the rules and was not proposed before.

        Raises:
            SpaceExhausted: after many tries there is none.
        """
        refused: list[tuple[str, ...]] = [] if self._source is None else self._source.refused
        refused.clear()
        found = self._proposed(number, refused)
        return replace(found, state={**found.state, "turned_down": _turned_down(refused)}) if refused else found

    def _proposed(self, number: int, refused: list[tuple[str, ...]]) -> Proposal:
        """The proposal; rules that candidates broke on the way are added to `refused`."""
        for attempt in range(_ASKS):
            self._optuna.sampler = self._new_sampler(number, attempt)
            trial, architecture = self._ask()
            broken = self._space.broken_rules(architecture, self._costs)
            if architecture.id not in self._seen and not broken:
                return self._accept(number, trial, architecture, f"sampler:{self._sampler}")
            if broken:
                refused.append(broken)
            self._optuna.tell(trial, state=TrialState.FAIL)
            random = np.random.default_rng([self._seed, number, attempt])
            row = nearest_row(self._space, architecture, random, other_than=self._seen)
            if row is not None:
                return self.propose_given(number, row, f"sampler:{self._sampler}")
        architecture, source = self._look_elsewhere(np.random.default_rng([self._seed, number]))
        return self.propose_given(number, architecture, source)

    def propose_given(self, number: int, architecture: Architecture, source: str) -> Proposal:
        """The proposal that is `architecture`, such as a reference point."""
        self._optuna.enqueue_trial(_parameters(self._space, architecture))
        self._optuna.sampler = self._new_sampler(number, 0)
        trial, composed = self._ask()
        if composed != architecture:  # the space encodes another network under these decisions
            raise SpaceError(f"architecture {architecture.id} is not in space {self._space.name!r}; check the space")
        if isinstance(self._optuna.sampler, NSGAIISampler):
            # A given network has parents' rights too; Optuna counts only what it has drawn itself.
            self._optuna.sampler.get_trial_generation(self._optuna, self._trial(trial.number))
        return self._accept(number, trial, architecture, source)

    def tell(
        self,
        number: int,
        values: Sequence[float] | None,
        *,
        rung: int = 0,
        constraints: Mapping[str, float] | None = None,
    ) -> None:
        """The values of a trial at a rung, or None when it failed; those of the first come first.

        Args:
            values: NaN where one is not known, which only a trial that breaks a constraint may leave so: it is judged
                by its constraints alone.
            constraints: with the values of the first rung: by name, 0 or less where one is met.
        """
        if rung == 0 and constraints:
            trial = Trial(self._optuna, self._trial(self._asked[number])._trial_id)
            for name, value in constraints.items():
                trial.set_constraint(name, value)
        if rung > 0 and values is not None:
            if self._source is not None:
                self._source.scored(self._asked[number], rung, values)
        elif values is None:
            self._optuna.tell(self._asked[number], state=TrialState.FAIL)
        else:
            self._optuna.tell(self._asked[number], self._filled(self._asked[number], values))

    def restore(
        self,
        number: int,
        architecture: Architecture,
        state: Mapping[str, Any],
        values: Sequence[float] | None,
        *,
        constraints: Mapping[str, float] | None = None,
    ) -> None:
        """Takes in a trial of an earlier run, in order of number; `values` None leaves it untold."""
        asked = len(self._optuna.get_trials(deepcopy=False))
        trial = create_trial(
            state=TrialState.RUNNING if values is None else TrialState.COMPLETE,
            values=None if values is None else self._filled(asked, values),
            params=dict(state["params"]),
            distributions={
                name: json_to_distribution(json.dumps(text)) for name, text in state["distributions"].items()
            },
            system_attrs=dict(state["system_attrs"]),
            constraints=None if constraints is None else dict(constraints),
        )
        self._note(number, asked, architecture)
        self._optuna.add_trial(trial)

    def learn(self, architectures: Sequence[Architecture], values: Sequence[Sequence[float]]) -> None:
        """Takes in what another search of the same space found, on another device or with other pictures.

        Only `model` makes use of it, and the less the less alike the two turn out to be. Each call is a search of its
        own; what is most like this one comes last.

        Args:
            values: one an objective, NaN where it has no such value.
        """
        if self._source is not None:
            self._source.learn(architectures, values)

    def _filled(self, asked: int, values: Sequence[float]) -> list[float]:
        """Values as Optuna takes them: numbers. `model` is told which of them stand for nothing."""
        unknown = [i for i, value in enumerate(values) if np.isnan(value)]
        if unknown and self._source is not None:
            self._source.left_open(asked, unknown)
        return [0.0 if np.isnan(value) else float(value) for value in values]

    def _ask(self) -> tuple[Trial, Architecture]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            trial = self._optuna.ask()
            return trial, compose(self._space, lambda decision: _suggest(trial, decision))

    def _accept(self, number: int, trial: Trial, architecture: Architecture, source: str) -> Proposal:
        self._note(number, trial.number, architecture)
        return Proposal(
            architecture=architecture,
            source=source,
            state=_state(self._trial(trial.number)),
        )

    def _note(self, number: int, asked: int, architecture: Architecture) -> None:
        """Trial `number` of the study is trial `asked` of Optuna's."""
        self._seen[architecture.id] = architecture
        self._asked[number] = asked
        if self._source is not None:
            self._source.took(asked, architecture)

    def _trial(self, number: int) -> FrozenTrial:
        # Not `trials`, which copies all of them.
        return self._optuna.get_trials(deepcopy=False)[number]

    def _new_sampler(self, number: int, attempt: int) -> BaseSampler:
        seed = int(np.random.SeedSequence([self._seed, number, attempt]).generate_state(1)[0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return SAMPLERS[self._sampler](seed, self._budget, self._source)

    def _look_elsewhere(self, random: np.random.Generator) -> tuple[Architecture, str]:
        """A sampler that only repeats itself gets a relative of what is known, or a fresh draw."""
        known = list(self._seen.values())
        is_listed = count(self._space) <= _LISTED
        new = [found for found in self._whole_space() if found.id not in self._seen] if is_listed else []
        if is_listed and not new:
            raise SpaceExhausted(
                f"all {len(known)} architectures of space {self._space.name!r} under these rules are tried: it is used "
                "up; lower --budget or loosen a rule"
            )
        for _ in range(_MUTATIONS if known and self._sampler != "random" else 0):
            child = self._child(known, random)
            if child is not None and child.id not in self._seen:
                return child, "mutation"
        if is_listed:
            return new[int(random.integers(len(new)))], "draw"
        for _ in range(_DRAWS):
            try:
                architecture = draw(self._space, random, self._costs)
            except NoneFound as error:
                raise SpaceExhausted(str(error)) from error
            if architecture.id not in self._seen:
                return architecture, "draw"
        raise SpaceExhausted(
            f"space {self._space.name!r} gave no new architecture in {_DRAWS} draws after {len(known)}; "
            "the space under these rules is (almost) used up; lower --budget or loosen a rule"
        )

    def _whole_space(self) -> tuple[Architecture, ...]:
        """Every valid architecture of a small space; found once."""
        if self._all is None:
            self._all = tuple(every(self._space, self._costs))
        return self._all

    def _child(self, known: Sequence[Architecture], random: np.random.Generator) -> Architecture | None:
        """A mutation or a cross of what is known; None where the rules leave no room for one."""
        first, second = (known[int(random.integers(len(known)))] for _ in range(2))
        try:
            if random.random() < 0.5:
                return mutate(self._space, first, random, self._costs)
            return cross_over(self._space, first, second, random, self._costs)
        except NoneFound:
            return None


def _turned_down(refused: Iterable[Sequence[str]]) -> dict[str, int]:
    """How many candidates each rung of the ladder turned down: the cheaper one, where they broke rules of both."""
    found: dict[str, int] = {}
    for rules in refused:
        rung = PREDICTED if all(LATENCY in rule for rule in rules) else STATIC
        found[rung] = found.get(rung, 0) + 1
    return found


def _source(space: Space, objectives: Sequence[Objective], costs: Costs) -> SpaceSource:
    exact = {objective.name for objective in objectives if not objective.is_measured}
    return SpaceSource(space, costs, objectives=[objective.name for objective in objectives], exact=exact)


def reference_points(space: Space, costs: Costs) -> tuple[dict[str, Architecture], dict[str, tuple[str, ...]]]:
    """Reference points that can be tried, and the reasons of those that cannot."""
    tried: dict[str, Architecture] = {}
    left_out: dict[str, tuple[str, ...]] = {}
    for name, architecture in space.reference_points.items():
        reasons = (*space.outside(architecture), *space.broken_rules(architecture, costs))
        if reasons:
            left_out[name] = reasons
        elif architecture not in tried.values():
            tried[name] = architecture
    return tried, left_out


def _suggest(trial: Trial, decision: Decision) -> int:
    last = len(decision.choices) - 1
    if decision.is_ordered:
        return trial.suggest_int(decision.name, 0, last)
    return int(trial.suggest_categorical(decision.name, tuple(range(last + 1))))


def _parameters(space: Space, architecture: Architecture) -> dict[str, int]:
    return dict(decisions(space, architecture))


def _state(trial: FrozenTrial) -> dict[str, Any]:
    return {
        "params": dict(trial.params),
        "distributions": {name: json.loads(distribution_to_json(kind)) for name, kind in trial.distributions.items()},
        "system_attrs": {
            # What an enqueued trial was fixed to is in its parameters already.
            name: value
            for name, value in trial.system_attrs.items()
            if name != "fixed_params"
        },
    }


def told_values(figures: Iterable[float]) -> tuple[float, ...] | None:
    """Values as they are told: None when one is not a number."""
    found = tuple(figures)
    return found if np.isfinite(found).all() else None
