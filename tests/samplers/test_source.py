from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.trial import FrozenTrial, create_trial

from bench.networks.cost import cost_quantities
from bench.samplers.source import SpaceSource, distribution_of, view_of
from bench.space import (
    Architecture,
    Space,
    all_decisions,
    at,
    compose,
    count,
    decisions,
    draw,
    every,
    load_space,
    unite,
)

OBJECTIVES = ("accuracy", "latency_ms", "params_m")


def source_of(space: Space) -> SpaceSource:
    return SpaceSource(space, cost_quantities, objectives=OBJECTIVES, exact={"params_m"})


def trial_of(space: Space, architecture: Architecture) -> FrozenTrial:
    params = decisions(space, architecture)
    distributions = {d.name: distribution_of(d) for d in all_decisions(space) if d.name in params}
    return create_trial(values=[0.5, 1.0, 2.0], params=dict(params), distributions=distributions)


def composed(space: Space, params: Mapping[str, Any]) -> Architecture:
    return compose(space, lambda decision: params[decision.name])


def test_a_small_space_is_listed_each_network_once_with_its_costs() -> None:
    space = load_space("smoke").with_rules(["macs_g <= 0.001"])
    found = source_of(space).candidates(np.random.default_rng(0), tried=[], parents=[])
    architectures = [composed(space, found.params[i]) for i in range(len(found))]
    assert {a.id for a in architectures} == {a.id for a in every(space, cost_quantities)}
    assert len({a.id for a in architectures}) == len(architectures)
    assert found.exact[2] == pytest.approx([cost_quantities(a)["params_m"] for a in architectures])
    assert set(found.exact) == {2}


def test_what_was_taken_is_no_candidate_again() -> None:
    space = load_space("smoke")
    source = source_of(space)
    taken = at(space, count(space) - 1)
    before = len(source.candidates(np.random.default_rng(0), tried=[], parents=[]))
    source.took(0, next(every(space, cost_quantities)))
    found = source.candidates(np.random.default_rng(0), tried=[], parents=[])
    assert len(found) == before - 1
    assert taken.id != composed(space, found.params[0]).id


def test_a_trial_has_the_columns_of_its_network() -> None:
    space = load_space("smoke")
    source = source_of(space)
    found = source.candidates(np.random.default_rng(0), tried=[], parents=[])
    trials = [trial_of(space, composed(space, found.params[i])) for i in (0, 5, 9)]
    assert (source.columns(trials) == found.columns[[0, 5, 9]]).all()
    assert source.exact(trials)[2] == pytest.approx(found.exact[2][[0, 5, 9]])
    assert source.columns([]).shape == (0, found.columns.shape[1])


def test_a_trial_against_the_rules_has_columns_too() -> None:
    space = load_space("smoke").with_rules(["macs_g <= 0.001"])
    free = load_space("smoke")
    point = next(a for a in every(free, cost_quantities) if space.broken_rules(a, cost_quantities))
    ruled, unruled = source_of(space), source_of(free)
    width = len(view_of(space).encoder.layout.groups)
    assert ruled.columns([trial_of(space, point)])[:, :width] == pytest.approx(
        unruled.columns([trial_of(free, point)])[:, :width]
    )
    assert ruled.exact([trial_of(space, point)])[2][0] == pytest.approx(cost_quantities(point)["params_m"])


@pytest.mark.parametrize("name", ["fastvit", "efficientnet", "both"])
def test_candidates_of_a_large_space_are_its_own_and_new(name: str) -> None:
    space = unite([load_space("fastvit"), load_space("mobileone")]) if name == "both" else load_space(name)
    source, random = source_of(space), np.random.default_rng(1)
    trials = [trial_of(space, draw(space, random, cost_quantities)) for _ in range(8)]
    found = source.candidates(random, tried=trials, parents=trials[:3])
    assert len(found) > 400
    known = {tuple(sorted(trial.params.items())) for trial in trials}
    for params in (found.params[i] for i in range(0, len(found), 25)):
        assert space.contains(composed(space, params))
        assert tuple(sorted(params.items())) not in known
    assert found.columns.shape[1] == len(source.layout.groups)
    assert len(source.layout.is_axis) == source.layout.groups.max() + 1


def test_children_are_near_their_parents() -> None:
    space, random = load_space("fastvit"), np.random.default_rng(2)
    view = view_of(space)
    parent = decisions(space, draw(space, random, cost_quantities))
    apart = []
    for _ in range(200):
        child = view.child(parent, parent, random)
        apart.append(sum(parent.get(name) != index for name, index in child.items()))
    assert min(apart) >= 1
    assert np.mean(apart) < 5


def test_a_gene_is_one_axis_whatever_its_context() -> None:
    view = view_of(load_space("fastvit"))
    contexts = [name for name in view.names if name.startswith("stage3.width")]
    assert len(contexts) == 2
    assert len({view.gene_of[name][0] for name in contexts}) == 1
    axis = view.encoder.axes[view.gene_of[contexts[0]][0]]
    assert list(axis.values) == sorted(axis.values)


def test_rules_and_repeats_are_refused_when_a_candidate_is_looked_at() -> None:
    space = load_space("fastvit").with_rules(["macs_g <= 0.6"])
    source, random = source_of(space), np.random.default_rng(3)
    allowed = decisions(space, draw(space, random, cost_quantities))
    assert source.is_allowed(allowed)
    source.took(0, composed(space, allowed))
    assert not source.is_allowed(allowed)
    large = load_space("fastvit").reference_points["fastvit_t8"]
    assert not source.is_allowed(decisions(space, large))


def test_later_scores_stand_by_rung() -> None:
    space = load_space("smoke")
    source = source_of(space)
    trials = [trial_of(space, a) for a, _ in zip(every(space, cost_quantities), range(3), strict=False)]
    for number, trial in enumerate(trials):
        trial.number = number
    assert source.later_scores(trials).shape == (0, 3, 3)
    source.scored(2, 2, (0.9, 1.0, 2.0))
    source.scored(1, 1, (0.7, 1.0, 2.0))
    scores = source.later_scores(trials)
    assert scores.shape == (2, 3, 3)
    assert scores[0, 1, 0] == 0.7
    assert scores[1, 2, 0] == 0.9
    assert np.isnan(scores[:, 0]).all()


def test_an_earlier_search_is_learned_from_where_it_lies_in_the_space() -> None:
    space = load_space("smoke")
    source = source_of(space)
    inside = next(every(space, cost_quantities))
    outside = load_space("fastvit").reference_points["fastvit_t8"]
    source.learn([inside, outside], [(0.5, np.nan, 1.0), (0.9, 1.0, 1.0)])
    (task,) = source.earlier_tasks()
    assert task.columns == pytest.approx(source.columns([trial_of(space, inside)]))
    assert task.values[0, 0] == 0.5
    assert np.isnan(task.values[0, 1])


def test_decisions_in_order_are_integers_to_optuna() -> None:
    kinds = {d.name: distribution_of(d) for d in all_decisions(load_space("smoke"))}
    assert isinstance(kinds["stage1.width"], IntDistribution)
    assert isinstance(kinds["stage4.mixer"], CategoricalDistribution)
