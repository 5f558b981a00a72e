from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from bench.proxies.zero_cost import make_probe
from bench.proxies.zero_cost.synflow import synflow

from .networks import network_of, plain


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.GELU(), nn.SiLU()])
def test_each_layer_of_a_chain_has_the_whole_flow(activation: nn.Module) -> None:
    network = plain(activation)
    with torch.no_grad():
        network[4].bias.zero_()
        after = network[0].weight.double().abs().sum(dim=(1, 2, 3))  # of a picture of ones, at each position alike
        flow = float((network[4].weight.double().abs() @ after).sum())
    # The sum over the weights of a layer conserves the flow; this chain has two.
    assert synflow(network, make_probe(0)) == pytest.approx(math.log(2 * flow), rel=1e-12)


@pytest.mark.parametrize("name", ["fastvit", "efficientnet", "convnext"])
def test_signs_do_not_count(name: str) -> None:
    network = network_of(name)
    before = synflow(network, make_probe(0))
    with torch.no_grad():
        for number, value in enumerate(network.parameters()):
            if value.ndim > 1 and number % 2:
                value.neg_()
    assert synflow(network, make_probe(0)) == before


def test_pictures_and_statistics_do_not_count() -> None:
    network = network_of("fastvit")
    before = synflow(network, make_probe(0))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.running_mean, 3.0)  # type: ignore[arg-type]
            nn.init.constant_(module.running_var, 9.0)  # type: ignore[arg-type]
    assert synflow(network, make_probe(5)) == before


def test_equal_branches_are_worth_what_one_is() -> None:
    one, three = (network_of(name) for name in ("fastvit", "fastvit_branches"))
    with torch.no_grad():
        weights = dict(one.named_parameters())
        for name, value in three.named_parameters():
            first = (
                name
                if name in weights
                else name.replace("conv_kxk.1", "conv_kxk.0").replace("conv_kxk.2", "conv_kxk.0")
            )
            value.copy_(weights[first])
    # Each of three has a third of the flow of its kind, and one of them counts.
    assert synflow(three, make_probe(0)) == pytest.approx(synflow(one, make_probe(0)), abs=0.7)


def test_attention_of_any_size_has_a_finite_flow() -> None:
    network = network_of("fastvit")
    with torch.no_grad():
        for name, value in network.named_parameters():
            if name.endswith("qkv.weight"):
                value.mul_(1e6)
    assert math.isfinite(synflow(network, make_probe(0)))


def test_weights_of_the_same_precision_are_left_alone_too() -> None:
    network = network_of("fastvit").double()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert synflow(network, make_probe(0)) == pytest.approx(synflow(network_of("fastvit"), make_probe(0)))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_network_of_forty_blocks_does_not_overflow() -> None:
    from bench.networks import build
    from bench.space import load_space

    network = build(load_space("fastvit").reference_points["fastvit_ma36"], num_classes=8, resolution=64)
    assert 100 < synflow(network, make_probe(0)) < 700
