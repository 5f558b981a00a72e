from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import nn

from bench.errors import NetworkError
from bench.networks import build, costs
from bench.networks.export import prepare
from bench.networks.fold import fold, prove_fold, randomise
from bench.networks.mobileone.plan import squeeze_width
from bench.space import Architecture, load_space
from bench.space.vocabulary import MOBILEONE

from .test_cost import counted

POINTS = load_space("mobileone").reference_points

# Parameters of the train form and of the deploy form in millions, multiply-adds of the deploy form in billions, at
# 224 x 224: counted on timm 1.0.31; the paper (its table of models) and github.com/apple/ml-mobileone round further.
_PUBLISHED = {
    "mobileone_s0": (5.293, 2.079, 0.275),
    "mobileone_s1": (4.825, 4.765, 0.825),
    "mobileone_s2": (7.885, 7.808, 1.298),
    "mobileone_s3": (10.171, 10.078, 1.896),
    "mobileone_s4": (14.951, 14.838, 2.979),
}


def _tiny(**settings: Any) -> Architecture:
    """The smallest network that has every kind of block."""
    stages: list[dict[str, Any]] = [{"depth": 2, "width": width, "squeeze_excite": 0.5} for width in (8, 16, 16, 24)]
    settings = {"input_resolution": 64, "stem_width": 8, **settings}
    return Architecture.from_dict({"family": "mobileone", "settings": settings, "stages": stages})


def _drawn(seed: int) -> Architecture:
    pick = random.Random(seed)
    settings = {
        "input_resolution": pick.choice([32, 64, 96]),
        "stem_width": pick.choice([8, 12, 16]),
        "activation": pick.choice(["gelu", "relu", "silu", "hardswish"]),
        "train_branches": pick.randint(1, 3),
    }
    stages = [
        {
            "depth": pick.randint(1, 3),
            "width": pick.choice([8, 16, 24, 40, 64]),
            "kernel": pick.choice([3, 5, 7]),
            "squeeze_excite": pick.choice([0, 0.5, 1]),
        }
        for _ in range(4)
    ]
    return Architecture.from_dict({"family": "mobileone", "settings": settings, "stages": stages})


def _pair(name: str) -> tuple[nn.Module, nn.Module]:
    """Our network and timm's with the same randomised weights, in float64."""
    network = build(POINTS[name]).double()
    randomise(network, seed=1)
    reference = timm.create_model(name).double()
    reference.load_state_dict(network.state_dict(), strict=True)
    return network, reference


def _pictures(batch: int, resolution: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, 3, resolution, resolution, dtype=torch.float64, generator=generator)


def test_the_published_networks_are_the_reference_points() -> None:
    assert set(POINTS) == set(_PUBLISHED)
    for name, published in _PUBLISHED.items():
        train, deploy = costs(POINTS[name], form="train"), costs(POINTS[name])
        found = tuple(round(number, 3) for number in (train.params / 1e6, deploy.params / 1e6, deploy.macs / 1e9))
        assert found == published, name


@pytest.mark.parametrize("name", POINTS)
def test_reference_points_cost_what_torch_counts_in_timm(name: str) -> None:
    # On the meta device nothing is computed.
    with torch.device("meta"):
        found = counted(timm.create_model(name), 224)
    expected = costs(POINTS[name], form="train")
    assert found == (expected.params, expected.macs, expected.activations)


@pytest.mark.parametrize("name", POINTS)
def test_timm_weights_load_strictly_and_give_the_same_output(name: str) -> None:
    network, reference = _pair(name)
    network.load_state_dict(reference.state_dict(), strict=True)
    with torch.inference_mode():
        expected, found = reference.eval()(_pictures(1, 64)), network.eval()(_pictures(1, 64))
        folded = fold(network)(_pictures(1, 64))
    assert float((found - expected).norm() / expected.norm()) <= 1e-10
    assert float((folded - expected).norm() / expected.norm()) <= 1e-10


@pytest.mark.parametrize(
    ("name", "memory_format"), [("mobileone_s0", torch.contiguous_format), ("mobileone_s4", torch.channels_last)]
)
def test_a_training_step_is_that_of_timm(name: str, memory_format: torch.memory_format) -> None:
    """Every gradient and every running statistic, in float64."""
    network, reference = _pair(name)
    network = network.to(memory_format=memory_format)
    pictures, labels = _pictures(3, 64), torch.tensor([1, 2, 3])
    for module, seen in ((reference, pictures), (network, pictures.to(memory_format=memory_format))):
        nn.functional.cross_entropy(module.train()(seen), labels).backward()
    gradients = {key: parameter.grad for key, parameter in reference.named_parameters()}
    for key, parameter in network.named_parameters():
        theirs = gradients[key]
        assert parameter.grad is not None
        assert theirs is not None
        # Where the exact gradient is zero (a factor in front of a batch norm), both are rounding alone.
        scale = float(theirs.abs().max()) + 1
        torch.testing.assert_close(parameter.grad / scale, theirs / scale, rtol=1e-7, atol=1e-10, msg=key)
    for key, buffer in network.named_buffers():
        torch.testing.assert_close(buffer, reference.state_dict()[key], rtol=1e-9, atol=1e-11, msg=key)


def test_fresh_activations_keep_their_size() -> None:
    network = build(POINTS["mobileone_s0"]).eval()
    with torch.inference_mode():
        assert float(network.stages(network.stem(_pictures(1, 64).float())).std()) < 1e6


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
    assert not [module for module in once.modules() if isinstance(module, nn.BatchNorm2d)]


@pytest.mark.parametrize("seed", range(6))
def test_random_architectures_train_in_channels_last(seed: int) -> None:
    architecture = _drawn(seed)
    network = build(architecture, num_classes=5).to(memory_format=torch.channels_last)
    pictures = _pictures(4, int(architecture.settings["input_resolution"])).float()
    nn.functional.cross_entropy(network(pictures.to(memory_format=torch.channels_last)), torch.arange(4)).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_no_convolution_of_one_pixel_has_a_stride() -> None:
    # The backward pass of such a one corrupts the heap in channels_last on the CPU.
    convs = [module for module in build(_tiny()).modules() if isinstance(module, nn.Conv2d)]
    assert {conv.stride for conv in convs if conv.kernel_size == (1, 1)} == {(1, 1)}


def test_the_last_blocks_of_a_stage_have_squeeze_excite() -> None:
    names = [name for name, _ in build(POINTS["mobileone_s4"]).named_modules() if name.endswith("attn.fc1")]
    last = [f"stages.2.{block}.attn.fc1" for block in range(10, 20)]
    assert names == [*last, "stages.3.0.attn.fc1", "stages.3.1.attn.fc1"]


def test_squeezed_widths_are_those_of_timm() -> None:
    for width in (8, 24, 192, 448, 896, 2048):
        assert squeeze_width(width) == timm.layers.SEModule(width).fc1.out_channels


def test_every_word_changes_the_network() -> None:
    def seen(architecture: Architecture) -> tuple[object, ...]:
        return str(build(architecture)), costs(architecture, form="train")

    plain = _tiny()
    settings = {"input_resolution": 32, "stem_width": 16, "activation": "silu", "train_branches": 2}
    stage = {"depth": 3, "width": 32, "kernel": 5, "squeeze_excite": 1}
    assert [*settings, *stage] == [word.name for word in (*MOBILEONE.settings, *MOBILEONE.stage)]
    for word, value in settings.items():
        assert seen(_tiny(**{word: value})) != seen(plain), word
    for word, value in stage.items():
        stages = tuple({**said, word: value} for said in plain.stages)
        assert seen(replace(plain, stages=stages)) != seen(plain), word


@pytest.mark.parametrize("activation", ["relu", "hardswish"])
def test_a_small_network_can_be_exported(activation: str, tmp_path: Path) -> None:
    architecture = _tiny(activation=activation, train_branches=2)
    prepared = prepare(architecture, tmp_path / "network.onnx", seed=0, num_classes=10)
    assert prepared.artifact.error <= 1e-5
    assert prepared.fold_error <= 1e-10
    assert prepared.costs == costs(architecture, num_classes=10)
    # The stem, 2 x 2 in each stage, and two in each of the 4 x 2 squeeze-excites.
    assert prepared.artifact.operators["Conv"] == 1 + 16 + 16
    assert "BatchNormalization" not in prepared.artifact.operators


def test_resolution_off_the_grid_is_refused() -> None:
    with pytest.raises(NetworkError, match="resolution is 100; multiples of 32 are allowed; use 96"):
        costs(_tiny(), resolution=100)
