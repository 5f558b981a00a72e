"""Every network of a space is a part of the shared weights, and the parts of one tensor mean the same in each."""

from __future__ import annotations

from functools import cache
from math import prod

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bench.errors import NetworkError
from bench.networks import build
from bench.networks.cost import cost_quantities
from bench.proxies.supernet.extremes import corners, largest, smallest
from bench.proxies.supernet.layout import Axis, Layout, layouts, part
from bench.proxies.supernet.weights import SharedWeights, skeleton
from bench.space import Architecture, Space, all_decisions, at, compose, count, decisions, draw, load_space

from .made import ODD, SMOKE


@cache
def shared(space: Space) -> SharedWeights:
    return SharedWeights.fresh(space, num_classes=3)


def parts(space: Space, architecture: Architecture) -> dict[str, Tensor]:
    return shared(space).parts(layouts(skeleton(architecture, num_classes=3)))


def changed(architecture: Architecture, stage: int, **words: object) -> Architecture:
    plain = architecture.to_dict()
    stages = [dict(each) for each in architecture.stages]
    stages[stage] |= words
    return Architecture.from_dict({**plain, "stages": stages})


@settings(max_examples=15)
@given(index=st.integers(0, count(ODD) - 1))
def test_every_network_of_a_space_finds_each_of_its_parameters(index: int) -> None:
    architecture = at(ODD, index)
    network = skeleton(architecture, num_classes=3)
    found = parts(ODD, architecture)
    assert {name: value.shape for name, value in found.items()} == {
        name: value.shape for name, value in network.named_parameters()
    }


@pytest.mark.soak
@settings(max_examples=60)
@given(index=st.integers(0, count(load_space("fastvit")) - 1))
def test_so_does_every_network_of_the_shipped_space(index: int) -> None:
    space = load_space("fastvit")
    architecture = at(space, index)
    network = skeleton(architecture, num_classes=3)
    assert all(value.shape == network.get_parameter(name).shape for name, value in parts(space, architecture).items())


@pytest.mark.parametrize("space", [SMOKE, ODD], ids=["smoke", "odd"])
def test_the_fresh_weights_of_the_largest_network_are_those_that_it_has_alone(space: Space) -> None:
    architecture = next(corners(space))
    alone = build(architecture, num_classes=3, seed=0).state_dict()
    taken = shared(space).network(architecture).state_dict()
    assert alone.keys() == taken.keys()
    assert all(torch.equal(alone[name], taken[name]) for name in alone)


def test_a_network_computes_what_it_computes_alone() -> None:
    architecture = draw(ODD, np.random.default_rng(3), cost_quantities)
    pictures = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    alone = shared(ODD).network(architecture).train()
    with torch.no_grad():
        # Not bit for bit: slices are summed in another order.
        torch.testing.assert_close(shared(ODD).run(architecture, pictures), alone(pictures))
    running = [value for name, value in alone.named_buffers() if name.endswith("running_mean")]
    assert any(value.any() for value in running)


@settings(max_examples=10)
@given(seed=st.integers(0, 10_000))
def test_gradients_reach_the_parts_that_were_used_and_nothing_else(seed: int) -> None:
    architecture = draw(ODD, np.random.default_rng(seed), cost_quantities)
    weights = shared(ODD)
    used = parts(ODD, architecture)
    sum(value.sum() for value in used.values()).backward()  # type: ignore[union-attr]
    lying = {layout.key: layout for layout in layouts(skeleton(architecture, num_classes=3)).values()}
    for key in weights.covering:
        gradient = weights.shared(key).grad
        if key not in lying:
            assert gradient is None
        else:
            assert gradient is not None
            assert gradient.sum() == prod(lying[key].shape)
            assert set(gradient.unique().tolist()) <= {0.0, 1.0}
            assert part(gradient, weights.covering[key], lying[key]).all()
    weights.zero_grad(set_to_none=True)


def test_a_smaller_network_is_a_part_of_a_larger_one_in_the_same_memory() -> None:
    large = next(corners(ODD))
    small = changed(large, 0, depth=1, width=8, mlp_ratio=1, mixer_kernel=3)
    ours, theirs = parts(ODD, small), parts(ODD, large)
    assert {name for name in ours if name.startswith("stages.")} < set(theirs)
    for name in ("stages.0.blocks.0.mlp.fc1.weight", "stages.0.blocks.0.token_mixer.mixer.conv_kxk.0.conv.weight"):
        assert ours[name].untyped_storage().data_ptr() == theirs[name].untyped_storage().data_ptr()
    assert torch.equal(ours["stages.0.blocks.0.mlp.fc1.weight"], theirs["stages.0.blocks.0.mlp.fc1.weight"][:8, :8])
    kernel = "stages.0.blocks.0.token_mixer.mixer.conv_kxk.0.conv.weight"
    assert torch.equal(ours[kernel], theirs[kernel][:8, :, 1:4, 1:4])


def test_heads_stay_heads() -> None:
    wide = changed(next(corners(ODD)), 2, mixer="attention", width=48, head_dim=8, position="none")
    narrow = changed(wide, 2, width=16)
    name = "stages.2.blocks.0.token_mixer.qkv.weight"
    ours, theirs = (parts(ODD, each)[name] for each in (narrow, wide))
    assert torch.equal(ours.view(3, 2, 8, 16), theirs.view(3, 6, 8, 48)[:, :2, :, :16])
    name = "stages.2.blocks.0.token_mixer.proj.weight"
    ours, theirs = (parts(ODD, each)[name] for each in (narrow, wide))
    assert torch.equal(ours.view(16, 2, 8), theirs.view(48, 6, 8)[:16, :2])


def test_copies_of_a_channel_stay_copies_of_that_channel() -> None:
    twice = changed(changed(next(corners(ODD)), 0, width=8), 1, width=16)
    thrice = changed(twice, 1, width=24)
    once = changed(twice, 1, width=8)
    filters = "stages.1.downsample.proj.0.large_conv.conv.weight"
    mixed = "stages.1.downsample.proj.1.conv_kxk.0.conv.weight"
    of_2, of_3, of_1 = (parts(ODD, each) for each in (twice, thrice, once))
    assert torch.equal(of_2[filters].view(8, 2, 7, 7), of_3[filters].view(8, 3, 7, 7)[:, :2])
    assert torch.equal(of_1[filters].view(8, 7, 7), of_3[filters].view(8, 3, 7, 7)[:, 0])
    assert torch.equal(of_2[mixed].view(16, 8, 2), of_3[mixed].view(24, 8, 3)[:16, :, :2])
    # The identity joins other channels where there are other copies of each.
    keys = {
        layouts(skeleton(each, num_classes=3))["stages.1.downsample.proj.1.identity.weight"].key
        for each in (once, twice, thrice)
    }
    assert len(keys) == 3


def test_mixers_have_weights_of_their_own_and_share_what_stands_beside_them() -> None:
    points = [
        changed(next(corners(ODD)), 2, mixer=mixer, head_dim=16, position="none", mixer_kernel=3)
        for mixer in ("repmixer", "pooling", "attention")
    ]
    found = [layouts(skeleton(point, num_classes=3)) for point in points]
    assert len({each["stages.2.blocks.0.mlp.fc1.weight"].key for each in found}) == 3
    assert len({each["stages.2.downsample.proj.0.large_conv.conv.weight"].key for each in found}) == 1


def test_activations_share_all() -> None:
    point = next(corners(ODD)).to_dict()
    first, second = (
        Architecture.from_dict({**point, "settings": {**point["settings"], "activation": word}})  # type: ignore[dict-item]
        for word in ("gelu", "relu")
    )
    assert layouts(skeleton(first, num_classes=3)) == layouts(skeleton(second, num_classes=3))


def test_what_is_larger_than_the_shared_weights_is_refused() -> None:
    wider = changed(next(corners(ODD)), 0, width=16)
    with pytest.raises(NetworkError, match="needs 16 where the supernet has 12; the networks of its space are allowed"):
        parts(ODD, wider)
    deeper = changed(next(corners(ODD)), 0, depth=3)
    with pytest.raises(NetworkError, match=r"has no weights stages\.0\.repmixer\.2\."):
        parts(ODD, deeper)


def test_other_families_are_refused() -> None:
    with pytest.raises(NetworkError, match="space 'mobileone' is not of the family fastvit"):
        SharedWeights.fresh(load_space("mobileone"), num_classes=3)
    with pytest.raises(NetworkError, match="weights of a Linear cannot be shared"):
        layouts(nn.Linear(2, 2))


def test_values_that_do_not_fit_are_refused() -> None:
    layout = {"head": Layout(key="head", dimensions=((Axis(2),),))}
    for values in ({}, {"head": torch.zeros(3)}):
        with pytest.raises(NetworkError, match=r"should be \(2,\); the file is damaged"):
            SharedWeights(layout, values, num_classes=2)


@pytest.mark.parametrize("space", [SMOKE, ODD], ids=["smoke", "odd"])
def test_the_ends_are_valid_and_no_single_number_goes_beyond_them(space: Space) -> None:
    high, low = largest(space), smallest(space)
    assert cost_quantities(high)["macs_g"] > cost_quantities(low)["macs_g"]
    by_name = {decision.name: decision for decision in all_decisions(space)}
    for architecture, sign in ((high, 1), (low, -1)):
        assert not space.broken_rules(architecture, cost_quantities)
        chosen = decisions(space, architecture)
        for name, index in chosen.items():
            values = by_name[name].choices
            if any(isinstance(value, bool | str) for value in values):
                continue
            further = [i for i, value in enumerate(values) if sign * (float(value) - float(values[index])) > 0]
            if further:
                nearest = min(further, key=lambda other: abs(float(values[other]) - float(values[index])))
                found = compose(space, lambda decision: {**chosen, name: nearest}.get(decision.name, 0))  # noqa: B023
                assert space.broken_rules(found, cost_quantities), (name, values[index], values[nearest])
