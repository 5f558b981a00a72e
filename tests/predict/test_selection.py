from __future__ import annotations

import numpy as np
import pytest

from bench.errors import SpaceError
from bench.networks import cost_quantities
from bench.predict import LatencyModel, choose
from bench.predict.features import FEATURES, features
from bench.predict.selection import _shares
from bench.space import load_space

from .rooflines import drawn, latencies_ms

FASTVIT = load_space("fastvit")


@pytest.fixture(scope="module")
def chosen() -> tuple:
    return choose(FASTVIT, 40, costs=cost_quantities, pool=400)


def test_networks_are_distinct_and_obey_the_rules(chosen: tuple) -> None:
    assert len(chosen) == len(set(chosen)) == 40
    assert not [found for found in chosen if FASTVIT.broken_rules(found, cost_quantities)]


def test_reference_points_come_first(chosen: tuple) -> None:
    assert chosen[:7] == tuple(FASTVIT.reference_points.values())


def test_reference_points_that_break_a_rule_are_left_out() -> None:
    space = FASTVIT.with_rules(["macs_g <= 1.5"])
    found = choose(space, 10, costs=cost_quantities, pool=50)
    points = space.reference_points
    assert found[:2] == (points["fastvit_t8"], points["fastvit_t12"])
    assert not {points["fastvit_sa36"], points["fastvit_ma36"]} & set(found)
    assert all(cost_quantities(architecture)["macs_g"] <= 1.5 for architecture in found)


def test_fewer_than_the_reference_points_are_the_first_of_them() -> None:
    assert choose(FASTVIT, 3, costs=cost_quantities, pool=10) == tuple(FASTVIT.reference_points.values())[:3]


def test_same_seed_same_networks_and_another_gives_others() -> None:
    first, again, other = (choose(FASTVIT, 12, seed=seed, costs=cost_quantities, pool=60) for seed in (1, 1, 2))
    assert first == again
    assert set(first) != set(other)


def test_a_small_space_gives_all_that_it_has() -> None:
    smoke = load_space("smoke")
    found = choose(smoke, 1000, costs=cost_quantities)
    assert 0 < len(found) == len(set(found)) < 1000
    assert set(smoke.reference_points.values()) <= set(found)


def test_every_choice_that_costs_time_is_among_few(chosen: tuple) -> None:
    columns = features(chosen)
    has_none = [name == "norm_melements" for name in FEATURES]  # a FastViT has no layer norm
    assert ((columns > 0).sum(axis=0) >= 3).tolist() == [
        not absent for absent in has_none
    ]  # no price would be guessed from one network


def test_chosen_networks_tell_more_than_draws(chosen: tuple) -> None:
    rows = _shares(features([*chosen, *drawn(40)]))
    rows = rows[:, rows.any(axis=0)]
    tells = [np.linalg.slogdet(part.T @ part)[1] for part in (rows[:40], rows[40:])]
    assert tells[0] > tells[1]
    unseen = drawn(100, seed=1)
    model = LatencyModel.fit(chosen, latencies_ms(chosen, noise=0.02))
    assert np.median(np.abs(model.predict(unseen).ms / latencies_ms(unseen) - 1)) < 0.02


def test_none_to_choose_is_refused() -> None:
    with pytest.raises(SpaceError, match=r"0 networks to choose; at least 1 is needed; give how many"):
        choose(FASTVIT, 0, costs=cost_quantities)
