"""What holds of every proxy, on every family: its sign of life, and that it leaves no trace."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from bench.networks import build
from bench.networks.blocks import LayerScale
from bench.proxies.zero_cost import PROXIES, RESOLUTION, make_probe
from bench.proxies.zero_cost.lens import is_layer_scale, layers
from bench.space import Architecture

from .networks import SMALL, network_of


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("proxy", PROXIES)
def test_every_proxy_scores_every_family(proxy: str, name: str) -> None:
    assert math.isfinite(PROXIES[proxy](network_of(name), make_probe(0)))


@pytest.mark.parametrize("proxy", PROXIES)
def test_only_the_seed_decides(proxy: str) -> None:
    first, second = (PROXIES[proxy](network_of("fastvit", seed=3), make_probe(3)) for _ in range(2))
    other = PROXIES[proxy](network_of("fastvit", seed=4), make_probe(4))
    assert first == second
    assert first != other


def unlike_itself(network: nn.Module) -> None:
    """Every weight and statistic off its fresh value, some gradients, some frozen weights, mixed modes."""
    generator = torch.Generator().manual_seed(7)
    for value in network.state_dict(keep_vars=True).values():
        if value.is_floating_point():
            value.data.add_(0.1 * torch.rand(value.shape, generator=generator))
    for number, parameter in enumerate(network.parameters()):
        parameter.requires_grad_(number % 3 != 0)
        if number % 2:
            parameter.grad = torch.full_like(parameter, float(number))
    for number, module in enumerate(network.modules()):
        module.training = number % 2 == 0


@pytest.mark.parametrize("name", ["fastvit", "convnext", "cmt", "efficientnet"])
@pytest.mark.parametrize("proxy", PROXIES)
def test_the_network_is_left_as_it_was(proxy: str, name: str) -> None:
    network, probe = network_of(name), make_probe(0)
    unlike_itself(network)
    values = {key: value.clone() for key, value in network.state_dict().items()}
    storage = {key: value.data_ptr() for key, value in network.state_dict().items()}
    grads = {key: None if value.grad is None else value.grad.clone() for key, value in network.named_parameters()}
    frozen = {key: value.requires_grad for key, value in network.named_parameters()}
    modes = [module.training for module in network.modules()]
    images, random = probe.images.clone(), torch.get_rng_state()
    PROXIES[proxy](network, probe)
    assert all(torch.equal(value, values[key]) for key, value in network.state_dict().items())
    assert {key: value.data_ptr() for key, value in network.state_dict().items()} == storage
    for key, parameter in network.named_parameters():
        before = grads[key]
        assert parameter.requires_grad == frozen[key]
        assert (parameter.grad is None) == (before is None)
        assert before is None or (parameter.grad is not None and torch.equal(parameter.grad, before))
    assert [module.training for module in network.modules()] == modes
    for module in network.modules():
        assert not module._forward_pre_hooks
        assert not module._forward_hooks
        assert "forward" not in vars(module)
    assert torch.equal(probe.images, images)
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.parametrize("proxy", PROXIES)
def test_what_fails_leaves_no_trace_either(proxy: str) -> None:
    network, probe = network_of("fastvit"), make_probe(0)
    network.get_submodule("head").register_module("fc", nn.Linear(3, 8))
    before = [module.training for module in network.modules()]
    with pytest.raises(RuntimeError):
        PROXIES[proxy](network, probe)
    assert [module.training for module in network.modules()] == before
    assert not any(module._forward_pre_hooks or "forward" in vars(module) for module in network.modules())


@pytest.mark.parametrize("name", ["fastvit", "convnext"])
@pytest.mark.parametrize("proxy", PROXIES)
def test_layer_scales_do_not_count(proxy: str, name: str) -> None:
    network, probe = network_of(name), make_probe(0)
    before = PROXIES[proxy](network, probe)
    scales = [value for key, value in network.named_parameters() if is_layer_scale(key)]
    assert scales
    for value in scales:
        nn.init.constant_(value, 0.37)
    assert PROXIES[proxy](network, probe) == before


def test_layer_scales_are_found_by_name() -> None:
    network = network_of("fastvit")
    by_type = {f"{name}.gamma" for name, module in network.named_modules() if isinstance(module, LayerScale)}
    assert {name for name, _ in network.named_parameters() if is_layer_scale(name)} == by_type


def test_a_reparameterized_block_is_one_layer() -> None:
    one, three = layers(network_of("fastvit")), layers(network_of("fastvit_branches"))
    assert one == three
    assert one["stem.0"] == ("stem.0.conv_kxk.0.conv.weight", "stem.0.conv_scale.conv.weight")
    assert one["stages.1.downsample.proj.0"] == (
        "stages.1.downsample.proj.0.large_conv.conv.weight",
        "stages.1.downsample.proj.0.small_conv.conv.weight",
    )
    assert one["final_conv.se.fc1"] == ("final_conv.se.fc1.weight",)


def test_a_deeper_network_of_the_same_parts_has_more_of_all_that_count_depth() -> None:
    data = SMALL["fastvit"].to_dict()
    data["stages"][2]["depth"] = 6
    deep = build(Architecture.from_dict(data), num_classes=8, seed=0, resolution=RESOLUTION)
    for proxy in ("naswot", "synflow", "zico", "gradient_norm"):
        assert PROXIES[proxy](deep, make_probe(0)) > PROXIES[proxy](network_of("fastvit"), make_probe(0)), proxy
