"""A declarative space as the sampler sees it: its decisions as axes, its networks each once, its rules obeyed.

Small spaces are listed: every network that obeys the rules, with what it is known to cost and the mean of the columns
of all points that are this network. (Where several descriptions are one network, as with a branch that leads nowhere,
their mean shows which choices matter to it: what does not matter is the same mix in every such network.) Of larger
spaces candidates are drawn and bred, and looked at whole only when they are to be proposed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.trial import FrozenTrial

from bench.pareto import Mask
from bench.samplers.axes import Axis, Candidates, Floats
from bench.samplers.breeding import looked_at
from bench.samplers.features import Encoder, Layout, known_columns
from bench.samplers.observations import EarlierTask
from bench.space import (
    Architecture,
    CostFunction,
    Decision,
    Space,
    SpaceUnion,
    all_decisions,
    at,
    compose,
    count,
    decide,
    decisions,
)

# Spaces of at most so many points are listed; it takes a fraction of a millisecond a point, once.
LISTED = 20_000
# Of a list, this many networks are looked at for each proposal: half are those most like this many of the best.
_LOOKED_AT, _MOST_NEARBY = 8_000, 30
# Candidates that are bred and drawn in a larger space.
_BRED, _DRAWN = 500, 100

Chosen = Mapping[str, int]
"""The index chosen in each decision, by name."""


def distribution_of(decision: Decision) -> BaseDistribution:
    """What Optuna calls a decision."""
    last = len(decision.choices) - 1
    return IntDistribution(0, last) if decision.is_ordered else CategoricalDistribution(tuple(range(last + 1)))


class SpaceSource:
    """The space of a search, with what is known of its trials beyond what Optuna is told.

    Args:
        space: with all rules.
        costs: what rules read; of a listed space also features, and the values of objectives known without trying.
        objectives: names in the order in which values are told; one that `costs` gives is exact if it is in `exact`.
        exact: names of objectives that need no trial.

    Attributes:
        refused: the rules that candidates broke which were looked at since somebody emptied this.
    """

    def __init__(self, space: Space, costs: CostFunction, *, objectives: Sequence[str], exact: Container[str]) -> None:
        self._space, self._costs = space, costs
        self._view = view_of(space)
        self._listing = listing_of(space, costs) if count(space) <= LISTED else None
        self._num_objectives = len(objectives)
        names = self._listing.known_names if self._listing else ()
        self._exact = {i: names.index(name) for i, name in enumerate(objectives) if name in names and name in exact}
        self._taken: dict[str, None] = {}
        self._is_tried: set[int] = set()
        self.refused: list[tuple[str, ...]] = []
        self._open: dict[int, tuple[int, ...]] = {}
        self._later: dict[int, dict[int, tuple[float, ...]]] = {}
        self._earlier: list[EarlierTask] = []

    @property
    def layout(self) -> Layout:
        layout = self._view.encoder.layout
        return layout.with_known(len(self._listing.known_names)) if self._listing else layout

    def took(self, number: int, architecture: Architecture) -> None:
        """Trial `number` of Optuna's tries an architecture, which is not proposed again."""
        self._is_tried.add(number)
        self._taken[architecture.id] = None

    def left_open(self, number: int, objectives: Sequence[int]) -> None:
        """What trial `number` was told in these objectives, by their numbers, stands for nothing: it was not tried."""
        self._open[number] = tuple(objectives)

    def scored(self, number: int, rung: int, values: Sequence[float]) -> None:
        """Values of trial `number` at a rung above the first."""
        self._later.setdefault(rung, {})[number] = tuple(values)

    def learn(self, architectures: Sequence[Architecture], values: Sequence[Sequence[float]]) -> None:
        """Takes in what another search found in this space; architectures outside of it are left out.

        Args:
            values: one an objective, NaN where there is none.
        """
        rows = [i for i, architecture in enumerate(architectures) if self._space.contains(architecture)]
        chosen = [decisions(self._space, architectures[i]) for i in rows]
        found = np.array([values[i] for i in rows], dtype=np.float64).reshape(len(rows), self._num_objectives)
        self._earlier.append(EarlierTask(columns=self._columns(chosen), values=found))

    def search_space(self) -> dict[str, BaseDistribution]:
        return dict(self._view.distributions)

    def columns(self, trials: Sequence[FrozenTrial]) -> Floats:
        return self._columns([trial.params for trial in trials])

    def exact(self, trials: Sequence[FrozenTrial]) -> dict[int, Floats]:
        if self._listing is None or not self._exact:
            return {}
        known = self._known(self._listing, [trial.params for trial in trials])
        return {objective: known[:, column] for objective, column in self._exact.items()}

    def candidates(
        self, random: np.random.Generator, *, tried: Sequence[FrozenTrial], parents: Sequence[FrozenTrial]
    ) -> Candidates:
        if self._listing is not None:
            return self._listed_candidates(self._listing, random, self._columns([each.params for each in parents]))
        known = {self._view.key(trial.params) for trial in tried}
        found: dict[tuple[int, ...], Chosen] = {}
        for i in range(_DRAWN + _BRED):
            chosen = self._view.draw(random) if i < _DRAWN else self._child([p.params for p in parents], random)
            key = self._view.key(chosen)
            if key not in known:
                found.setdefault(key, chosen)
        params = list(found.values())
        return Candidates(columns=self._columns(params), exact={}, params=params)

    def is_allowed(self, params: Mapping[str, Any]) -> bool:
        if self._listing is not None:
            return True
        architecture = self._composed(params)
        if architecture.id in self._taken:
            return False
        broken = self._space.broken_rules(architecture, self._costs)
        if broken:
            self.refused.append(broken)
        return not broken

    def later_scores(self, trials: Sequence[FrozenTrial]) -> Floats:
        nothing = (np.nan,) * self._num_objectives
        found = [[scores.get(trial.number, nothing) for trial in trials] for _, scores in sorted(self._later.items())]
        return np.array(found, dtype=np.float64).reshape(len(found), len(trials), self._num_objectives)

    def is_open(self, trials: Sequence[FrozenTrial]) -> Mask:
        found = np.zeros((len(trials), self._num_objectives), dtype=bool)
        for row, trial in enumerate(trials):
            found[row, list(self._open.get(trial.number, ()))] = True
        return found

    def earlier_tasks(self) -> tuple[EarlierTask, ...]:
        return tuple(self._earlier)

    def is_of_search(self, trial: FrozenTrial) -> bool:
        return trial.number in self._is_tried

    def _columns(self, chosen: Sequence[Chosen]) -> Floats:
        listing = self._listing
        if listing is None:
            return self._view.columns(chosen)
        rows = [listing.rows.get(self._view.key(each), -1) for each in chosen]
        found = listing.columns[rows]
        outside = [i for i, row in enumerate(rows) if row < 0]  # a reference point that breaks a rule
        if outside:
            others = [chosen[i] for i in outside]
            found[outside] = np.hstack([self._view.columns(others), listing.scaled(self._known(listing, others))])
        return found

    def _known(self, listing: Listing, chosen: Sequence[Chosen]) -> Floats:
        rows = [listing.rows.get(self._view.key(each), -1) for each in chosen]
        found = [
            listing.known[row] if row >= 0 else listing.costs_of(self._composed(each), self._costs)
            for row, each in zip(rows, chosen, strict=True)
        ]
        return np.array(found, dtype=np.float64).reshape(len(chosen), len(listing.known_names))

    def _composed(self, chosen: Chosen) -> Architecture:
        return compose(self._space, lambda decision: int(chosen[decision.name]))

    def _listed_candidates(self, listing: Listing, random: np.random.Generator, parents: Floats) -> Candidates:
        rows = np.array([i for i, name in enumerate(listing.ids) if name not in self._taken], dtype=np.int64)
        rows = rows[looked_at(random, listing.columns[rows], parents[:_MOST_NEARBY], _LOOKED_AT)]
        return Candidates(
            columns=listing.columns[rows],
            exact={objective: listing.known[rows, column] for objective, column in self._exact.items()},
            params=[listing.chosen[i] for i in rows],
        )

    def _child(self, parents: Sequence[Chosen], random: np.random.Generator) -> Chosen:
        """A mutation of one of the parents, the first ones more often, half of them after a cross with another."""
        if not parents:
            return self._view.draw(random)
        first, second = (parents[int(len(parents) * random.random() ** 2)] for _ in range(2))
        return self._view.child(first, second if random.random() < 0.5 else first, random)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Decisions of a space as axes: one an axis for each gene, whatever contexts its choices depend on.

    Attributes:
        gene_of: the axis of each decision, and where on it each of its choices lies.
    """

    space: Space
    names: tuple[str, ...]
    distributions: Mapping[str, BaseDistribution]
    encoder: Encoder
    gene_of: Mapping[str, tuple[int, tuple[float, ...]]]

    def key(self, chosen: Chosen) -> tuple[int, ...]:
        """What tells points apart, -1 where a decision does not arise."""
        return tuple(int(chosen.get(name, -1)) for name in self.names)

    def columns(self, chosen: Sequence[Chosen]) -> Floats:
        points = np.full((len(chosen), len(self.encoder.axes)), np.nan)
        for row, each in enumerate(chosen):
            for name, index in each.items():
                axis, places = self.gene_of[name]
                points[row, axis] = places[index]
        return self.encoder(points)

    def draw(self, random: np.random.Generator) -> dict[str, int]:
        """Uniform in each decision."""
        return decide(self.space, lambda decision: int(random.integers(len(decision.choices))))

    def child(self, first: Chosen, second: Chosen, random: np.random.Generator) -> dict[str, int]:
        """Each decision from one of two parents, then one at least changed, any other with probability 1 / number."""
        forced = tuple(first)[int(random.integers(len(first)))] if first else ""
        places = [
            {self.gene_of[name][0]: self.gene_of[name][1][index] for name, index in parent.items()}
            for parent in (first, second)
        ]
        luck = iter(random.random((len(self.names), 3)).tolist())

        def choose(decision: Decision) -> int:
            side, change, other = next(luck)
            mine, theirs = places if side < 0.5 else places[::-1]
            axis, options = self.gene_of[decision.name]
            wanted = mine.get(axis, theirs.get(axis))
            num = len(options)
            if wanted is None:
                return int(other * num)
            distances = [abs(option - wanted) for option in options]
            nearest = distances.index(min(distances))
            if distances[nearest] > 0.0 and not decision.is_ordered:
                return int(other * num)
            if decision.name == forced or change * max(len(first), 1) < 1.0:
                return (nearest + 1 + int(other * (num - 1))) % num
            return nearest

        return decide(self.space, choose)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Listing:
    """Every network of a space that obeys its rules, in the order of the first point that it is.

    Attributes:
        ids: of the networks.
        columns: features, shape (n, c): the mean over the points that are the network, then the known columns, scaled.
        chosen: the decisions of its first point.
        rows: the network of every point.
        known_names: what its costs are called.
        known: they, shape (n, k).
        scaled: known values as features.
    """

    ids: tuple[str, ...]
    columns: Floats
    chosen: tuple[Chosen, ...]
    rows: Mapping[tuple[int, ...], int]
    known_names: tuple[str, ...]
    known: Floats
    scaled: Callable[[Floats], Floats] = field(repr=False)

    def costs_of(self, architecture: Architecture, costs: CostFunction) -> list[float]:
        found = costs(architecture)
        return [float(found[name]) for name in self.known_names]


@functools.lru_cache(maxsize=8)
def view_of(space: Space) -> View:
    """The decisions of a space as axes."""
    found = all_decisions(space)
    genes = _genes(space)
    by_gene: dict[str, list[Decision]] = {}
    for decision in found:
        name = decision.name if decision.name in genes else decision.name.partition("[")[0]
        by_gene.setdefault(name, []).append(decision)
    axes: list[Axis] = []
    gene_of: dict[str, tuple[int, tuple[float, ...]]] = {}
    for i, (name, group) in enumerate(by_gene.items()):
        is_ordered = all(decision.is_ordered for decision in group)
        values = list(dict.fromkeys(choice for decision in group for choice in decision.choices))
        if is_ordered and all(isinstance(value, int | float) for value in values):
            values.sort(key=float)
        axes.append(Axis(name=name, values=tuple(values), is_ordered=is_ordered))
        scale = max(1, len(values) - 1) if is_ordered else 1
        for decision in group:
            gene_of[decision.name] = (i, tuple(values.index(choice) / scale for choice in decision.choices))
    return View(
        space,
        tuple(decision.name for decision in found),
        {decision.name: distribution_of(decision) for decision in found},
        Encoder(tuple(axes)),
        gene_of,
    )


@functools.lru_cache(maxsize=8)
def listing_of(space: Space, costs: CostFunction) -> Listing:
    """The networks of a small space."""
    view = view_of(space)
    members: dict[str, list[Chosen]] = {}
    architectures: dict[str, Architecture] = {}
    for index in range(count(space)):
        architecture = at(space, index)
        if architecture.id in members or not space.broken_rules(architecture, costs):
            members.setdefault(architecture.id, []).append(decisions(space, architecture))
            architectures.setdefault(architecture.id, architecture)
    figures = [costs(architecture) for architecture in architectures.values()]
    names = tuple(figures[0]) if figures else ()
    known = np.array([[float(each[name]) for name in names] for each in figures]).reshape(len(figures), len(names))
    every = view.columns([chosen for group in members.values() for chosen in group])
    ends = np.cumsum([len(group) for group in members.values()])
    means = np.array([part.mean(axis=0) for part in np.split(every, ends[:-1])]) if members else every
    scaled = known_columns(known) if members else (lambda rows: rows)
    return Listing(
        ids=tuple(members),
        columns=np.hstack([means, scaled(known)]),
        chosen=tuple(group[0] for group in members.values()),
        rows={view.key(chosen): row for row, group in enumerate(members.values()) for chosen in group},
        known_names=names,
        known=known,
        scaled=scaled,
    )


def _genes(space: Space) -> set[str]:
    if isinstance(space, SpaceUnion):
        return {f"{part.name}: {name}" for part in space.parts for name in _genes(part)}
    return {step.gene.name for step in space.tree}
