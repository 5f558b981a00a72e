from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from timm.models.convnext import ConvNeXt
from torch import nn

from bench.errors import NetworkError
from bench.networks import build, costs
from bench.networks.export import prepare
from bench.networks.fold import fold, prove_fold, randomise
from bench.networks.models import TIMM_NAMES
from bench.space import Architecture, load_space
from bench.space.vocabulary import CONVNEXT

from .test_cost import counted

POINTS = load_space("convnext").reference_points

# Parameters in millions and multiply-adds in billions at 224 x 224, train form: timm 1.0.31; the paper's table 1
# rounds them to 29, 50 and 89 M, and to 4.5, 8.7 and 15.4 G.
_PUBLISHED = {"convnext_t": (28.59, 4.46), "convnext_s": (50.22, 8.68), "convnext_b": (88.59, 15.35)}

_DEPTHS, _WIDTHS, _KERNELS = (1, 2, 1, 1), (16, 24, 40, 40), (3, 5, 7, 9)


def _small(**settings: Any) -> Architecture:
    """A network that timm can build as well, with other kernels than the published ones."""
    stages = [
        {"depth": depth, "width": width, "kernel": kernel}
        for depth, width, kernel in zip(_DEPTHS, _WIDTHS, _KERNELS, strict=True)
    ]
    return Architecture.from_dict(
        {"family": "convnext", "settings": {"input_resolution": 64, **settings}, "stages": stages}
    )


def _drawn(seed: int) -> Architecture:
    pick = random.Random(seed)
    settings = {
        "input_resolution": pick.choice([32, 64, 96]),
        "activation": pick.choice(["gelu", "relu", "silu", "hardswish"]),
    }
    stages = [
        {
            "depth": pick.randint(1, 2),
            "width": pick.choice([8, 16, 24, 40, 64]),
            "kernel": pick.choice([3, 5, 7, 9]),
            "mlp_ratio": pick.choice([1.0, 2.7, 4.0]),
        }
        for _ in range(4)
    ]
    return Architecture.from_dict({"family": "convnext", "settings": settings, "stages": stages})


def _pair() -> tuple[nn.Module, nn.Module]:
    """Our small network and timm's with the same randomised weights, in float64."""
    network = build(_small(), num_classes=5).double()
    randomise(network, seed=1)
    reference = ConvNeXt(depths=_DEPTHS, dims=_WIDTHS, kernel_sizes=_KERNELS, num_classes=5).double()
    reference.load_state_dict(network.state_dict(), strict=True)
    return network, reference


def _pictures(batch: int, resolution: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, 3, resolution, resolution, dtype=torch.float64, generator=generator)


def test_the_published_networks_are_the_reference_points() -> None:
    assert set(POINTS) == set(_PUBLISHED)
    for name, published in _PUBLISHED.items():
        train = costs(POINTS[name], form="train")
        assert (round(train.params / 1e6, 2), round(train.macs / 1e9, 2)) == published, name


@pytest.mark.parametrize("name", POINTS)
def test_reference_points_are_timm_networks(name: str) -> None:
    """Cost, and name and shape of every weight."""
    # On the meta device nothing is computed.
    with torch.device("meta"):
        reference, network = timm.create_model(TIMM_NAMES[name]), build(POINTS[name])
        found = counted(reference, 224)
    expected = costs(POINTS[name], form="train")
    assert found == (expected.params, expected.macs, expected.activations)
    shapes = [{key: value.shape for key, value in module.state_dict().items()} for module in (network, reference)]
    assert shapes[0] == shapes[1]


def test_timm_weights_load_strictly_and_give_the_same_output() -> None:
    network = build(POINTS["convnext_t"]).double().eval()
    randomise(network, seed=1)
    reference = timm.create_model("convnext_tiny").double().eval()
    reference.load_state_dict(network.state_dict(), strict=True)
    network.load_state_dict(reference.state_dict(), strict=True)
    with torch.inference_mode():
        expected, found = reference(_pictures(1, 64)), network(_pictures(1, 64))
        folded = fold(network)(_pictures(1, 64))
    assert float((found - expected).norm() / expected.norm()) <= 1e-10
    assert float((folded - expected).norm() / expected.norm()) <= 1e-10


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_training_step_is_that_of_timm(memory_format: torch.memory_format) -> None:
    """Output and every gradient, in float64."""
    network, reference = _pair()
    network = network.to(memory_format=memory_format)
    pictures, labels = _pictures(3, 96), torch.tensor([1, 2, 3])
    logits = network(pictures.to(memory_format=memory_format))
    expected = reference(pictures)
    torch.testing.assert_close(logits, expected, rtol=1e-10, atol=1e-12)
    for outputs in (logits, expected):
        nn.functional.cross_entropy(outputs, labels).backward()
    gradients = {name: parameter.grad for name, parameter in reference.named_parameters()}
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name], rtol=1e-7, atol=1e-11, msg=name)


def test_fresh_weights_are_drawn_as_timm_draws_them() -> None:
    theirs = timm.create_model("convnext_tiny").state_dict()
    for key, tensor in build(POINTS["convnext_t"]).state_dict().items():
        if tensor.numel() > 10_000:
            # Not the standard deviation: timm's draws hold a 2.0, a hundred times that, about once in 10^7.
            assert float(tensor.abs().median() / theirs[key].abs().median()) == pytest.approx(1, abs=0.05), key
        elif tensor.ndim == 1:
            torch.testing.assert_close(tensor, theirs[key], msg=key)


@pytest.mark.parametrize("seed", range(8))
def test_random_architectures_cost_what_torch_counts(seed: int) -> None:
    architecture = _drawn(seed)
    resolution = int(architecture.settings["input_resolution"])
    network = build(architecture, num_classes=7)
    for form, module in (("train", network), ("deploy", fold(network))):
        expected = costs(architecture, form=form, num_classes=7)
        assert counted(module, resolution) == (expected.params, expected.macs, expected.activations)


@pytest.mark.parametrize("seed", range(8))
def test_fold_is_exact_and_folding_twice_is_folding_once(seed: int) -> None:
    network = build(_drawn(seed))
    assert prove_fold(network, seed=seed) <= 1e-10
    randomise(network, seed=seed)
    once = fold(network)
    twice = fold(once)
    assert str(once) == str(twice)
    assert all(torch.equal(a, b) for a, b in zip(once.parameters(), twice.parameters(), strict=True))


def test_only_the_norm_of_the_stem_keeps_scale_and_shift() -> None:
    names = [name for name, _ in fold(build(_small())).named_parameters()]
    assert [name for name in names if "norm" in name or "gamma" in name] == []
    assert not [name for name in names if "downsample.0" in name]
    assert [name for name in names if name.startswith("stem.1")] == ["stem.1.weight", "stem.1.bias"]


def test_a_folded_network_computes_the_same_in_channels_last() -> None:
    network = _pair()[0].eval()
    folded = fold(network).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        expected = network(_pictures(2, 96))
        found = folded(_pictures(2, 96).to(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_random_architectures_train_in_channels_last(seed: int) -> None:
    architecture = _drawn(seed)
    network = build(architecture, num_classes=5).to(memory_format=torch.channels_last)
    pictures = _pictures(4, int(architecture.settings["input_resolution"])).float()
    nn.functional.cross_entropy(network(pictures.to(memory_format=torch.channels_last)), torch.arange(4)).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_every_word_changes_the_network() -> None:
    def seen(architecture: Architecture) -> tuple[object, ...]:
        return str(build(architecture)), costs(architecture)

    plain = _small()
    settings = {"input_resolution": 32, "activation": "silu"}
    stage = {"depth": 3, "width": 32, "kernel": 11, "mlp_ratio": 3}
    assert [*settings, *stage] == [word.name for word in (*CONVNEXT.settings, *CONVNEXT.stage)]
    for word, value in settings.items():
        assert seen(_small(**{word: value})) != seen(plain), word
    for word, value in stage.items():
        stages = tuple({**said, word: value} for said in plain.stages)
        assert seen(replace(plain, stages=stages)) != seen(plain), word


def test_a_small_network_can_be_exported(tmp_path: Path) -> None:
    prepared = prepare(_small(), tmp_path / "network.onnx", seed=0, num_classes=10)
    operators = prepared.artifact.operators
    assert prepared.artifact.error <= 1e-5
    assert prepared.fold_error <= 1e-10
    assert prepared.costs == costs(_small(), num_classes=10)
    # The stem, three downsamplings, five blocks, the head.
    assert operators["LayerNormalization"] == 1 + 3 + 5 + 1
    assert operators["Conv"] == 1 + 3 + 5
    assert operators["Gelu"] == 5
    assert "Mul" not in operators


def test_resolution_off_the_grid_is_refused() -> None:
    with pytest.raises(NetworkError, match="resolution is 100; multiples of 32 are allowed; use 96"):
        costs(_small(), resolution=100)
