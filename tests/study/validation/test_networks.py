from __future__ import annotations

import numpy as np
import pytest

from bench.errors import SpaceError
from bench.networks.cost import cost_quantities
from bench.space import draw, load_space
from bench.study.validation.networks import spread_networks

FASTVIT = load_space("fastvit")
SMOKE = load_space("smoke")


def macs(architecture: object) -> float:
    return cost_quantities(architecture)["macs_g"]  # type: ignore[arg-type]


def test_networks_are_different_obey_the_rules_and_are_the_same_again() -> None:
    ruled = FASTVIT.with_rules(("macs_g <= 1.5",))
    found = spread_networks(ruled, 12, seed=3)
    assert len({network.id for network in found}) == 12
    assert not [network for network in found if ruled.broken_rules(network, cost_quantities)]
    assert found == spread_networks(ruled, 12, seed=3)
    assert found != spread_networks(ruled, 12, seed=4)


def test_they_lie_in_equal_parts_of_the_space_by_size() -> None:
    sizes = [macs(network) for network in spread_networks(FASTVIT, 10, seed=0)]
    assert sizes == sorted(sizes)
    random = np.random.default_rng(9)
    population = np.sort([macs(draw(FASTVIT, random, cost_quantities)) for _ in range(400)])
    places = np.searchsorted(population, sizes) / len(population)
    # The i-th comes from the i-th tenth; the bounds of both samples are uncertain by a few hundredths.
    assert np.all(np.abs(places - (np.arange(10) + 0.5) / 10) < 0.12)


def test_a_small_space_is_used_up_and_no_further() -> None:
    assert len({network.id for network in spread_networks(SMOKE, 56, seed=0)}) == 56
    with pytest.raises(SpaceError, match="56 different architectures of space 'smoke' obey the rules; 57 are wanted"):
        spread_networks(SMOKE, 57, seed=0)
