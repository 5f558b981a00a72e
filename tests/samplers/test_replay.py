"""A replay of a made table: a change that costs the sampler hypervolume fails here, in seconds.

The table has what real ones have: interactions, networks that learn nothing, costs that multiply, and luck. The bounds
leave about twice the spread between seeds of what the sampler reaches.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
import pytest
from made_table import MadeTable
from optuna.samplers import BaseSampler, TPESampler

from bench.samplers import ModelSampler
from bench.samplers.model import Model

optuna.logging.set_verbosity(optuna.logging.ERROR)
SEEDS, BUDGET = range(3), 50


@pytest.fixture(scope="module")
def table() -> MadeTable:
    return MadeTable()


@pytest.fixture(scope="module")
def usual(table: MadeTable) -> float:
    return mean_share(table, model)


def mean_share(
    table: MadeTable, sampler: Callable[[int], BaseSampler], *, is_wide: bool = False, **options: Any
) -> float:
    found = [table.share(table.search(sampler(seed), BUDGET, **options), is_wide=is_wide) for seed in SEEDS]
    return float(np.mean(found))


def model(seed: int) -> BaseSampler:
    return ModelSampler(seed=seed)


def tpe(seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)


def test_it_is_far_ahead_of_tpe(table: MadeTable, usual: float) -> None:
    assert usual >= 0.89
    assert usual >= mean_share(table, tpe) + 0.05


def test_it_does_not_forget_small_networks(table: MadeTable) -> None:
    assert mean_share(table, model, is_wide=True) >= mean_share(table, tpe, is_wide=True)


def test_four_in_flight_and_noise_cost_little(table: MadeTable, usual: float) -> None:
    assert mean_share(table, model, in_flight=4) >= usual - 0.04
    assert mean_share(table, model, noise=0.05) >= mean_share(table, tpe, noise=0.05) + 0.03


def test_a_model_that_knows_nothing_is_seen(table: MadeTable, usual: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bounds above would notice: without what the model says, most of the lead is gone."""
    random = np.random.default_rng(0)
    monkeypatch.setattr(Model, "gain", lambda _, candidates: random.random(len(candidates)))
    damaged = mean_share(table, model)
    assert damaged < min(usual - 0.05, 0.89)
