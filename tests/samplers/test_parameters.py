from __future__ import annotations

import math
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, create_trial

from bench.samplers.parameters import Parameters, merged

KINDS: list[BaseDistribution] = [
    FloatDistribution(-1.0, 3.0),
    FloatDistribution(1e-5, 1.0, log=True),
    FloatDistribution(0.0, 1.0, step=0.25),
    IntDistribution(2, 9),
    IntDistribution(1, 1000, log=True),
    IntDistribution(4, 64, step=4),
    CategoricalDistribution(["a", "b", None, 3]),
]


def trial(params: dict[str, Any], distributions: dict[str, BaseDistribution]) -> FrozenTrial:
    return create_trial(value=0.0, params=params, distributions=distributions)


@given(st.sampled_from(KINDS), st.integers(0, 10_000))
def test_every_value_survives_being_a_point(kind: BaseDistribution, seed: int) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    value = study.ask({"x": kind}).params["x"]
    parameters = Parameters({"x": kind})
    point = parameters._points([trial({"x": value}, {"x": kind})])[0]
    found = parameters.params(point)["x"]
    assert type(found) is type(value)
    assert found == value or math.isclose(found, value, rel_tol=1e-6, abs_tol=1e-9)


def test_candidates_have_values_of_their_distributions_and_are_new() -> None:
    distributions = {str(i): kind for i, kind in enumerate(KINDS)}
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    tried = []
    for _ in range(20):
        asked = study.ask(distributions)
        study.tell(asked, 0.0)
    tried = study.get_trials()
    found = Parameters(distributions).candidates(np.random.default_rng(0), tried=tried, parents=tried[:3])
    assert len(found) > 1000
    for params in (found.params[i] for i in range(0, len(found), 7)):
        trial(dict(params), distributions)  # Optuna checks that every value is one of its distribution


def test_a_small_space_is_gone_through_whole_but_for_what_was_tried() -> None:
    distributions: dict[str, BaseDistribution] = {"a": CategoricalDistribution([5, 6, 7]), "b": IntDistribution(0, 3)}
    tried = [trial({"a": 6, "b": 2}, distributions)]
    found = Parameters(distributions).candidates(np.random.default_rng(0), tried=tried, parents=[])
    pairs = {(params["a"], params["b"]) for params in (found.params[i] for i in range(len(found)))}
    assert pairs == {(a, b) for a in (5, 6, 7) for b in range(4)} - {(6, 2)}


def test_what_a_trial_did_not_have_does_not_apply() -> None:
    distributions: dict[str, BaseDistribution] = {"a": CategoricalDistribution([5, 6]), "b": FloatDistribution(0, 3)}
    parameters = Parameters(distributions)
    point = parameters._points([trial({"a": 6}, {"a": distributions["a"]})])[0]
    assert parameters.params(point) == {"a": 6}


def test_the_space_is_what_any_trial_had_and_a_single_value_is_no_choice() -> None:
    first = trial({"a": 1, "c": 2}, {"a": IntDistribution(0, 5), "c": IntDistribution(2, 2)})
    second = trial({"b": 0.5}, {"b": FloatDistribution(0, 1)})
    third = trial({"a": 1}, {"a": IntDistribution(0, 9)})
    assert merged([first, second, third]) == {"a": IntDistribution(0, 9), "b": FloatDistribution(0, 1)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_of_an_older_range_has_a_place(kind: BaseDistribution) -> None:
    if isinstance(kind, CategoricalDistribution):
        return
    wider = Parameters({"x": IntDistribution(0, 3)})
    assert np.isfinite(wider._points([trial({"x": 7}, {"x": IntDistribution(0, 10)})])).all()
