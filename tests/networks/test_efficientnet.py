from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import nn

from bench.errors import NetworkError
from bench.networks import build, cost_quantities, costs
from bench.networks.export import prepare
from bench.networks.fold import fold, prove_fold, randomise
from bench.space import Architecture, count, draw, load_space

from .test_cost import counted

# Native resolution (Tan and Le 2019 and 2021); parameters in train form in millions and MACs in billions, counted with
# timm 1.0.31.
PUBLISHED = {
    "efficientnet_b0": (224, 5.29, 0.39),
    "efficientnet_b1": (240, 7.79, 0.69),
    "efficientnet_b2": (260, 9.11, 0.99),
    "efficientnet_b3": (300, 12.23, 1.83),
    "efficientnet_b4": (380, 19.34, 4.39),
    "efficientnet_b5": (456, 30.39, 10.27),
    "efficientnet_b6": (528, 43.04, 19.07),
    "efficientnetv2_s": (384, 21.46, 8.37),
}


def _point(name: str) -> Architecture:
    return load_space("efficientnet").reference_points[name]


def _architecture(stages: list[dict[str, Any]], **settings: Any) -> Architecture:
    stages = stages + [{"block": "none"}] * (7 - len(stages))
    return Architecture.from_dict({"family": "efficientnet", "settings": settings, "stages": stages})


def _tiny(**settings: Any) -> Architecture:
    """The smallest network that has every kind of block, each with a stride and each with a skip."""
    words = {"depth": 2, "width": 8, "stride": 2, "expansion": 2}
    blocks = ("convolution", "fused", "depthwise_separable", "inverted")
    stages = [{"block": block} | words for block in blocks]
    return _architecture(stages, stem_width=8, head_width=16, input_resolution=33, **settings)


def _drawn(seed: int) -> Architecture:
    """A small random architecture that uses every choice of the family."""
    pick = random.Random(seed)
    stages: list[dict[str, Any]] = [
        {
            "block": pick.choice(["depthwise_separable", "inverted", "fused", "convolution"]),
            "depth": pick.randint(1, 3),
            "width": pick.choice([8, 16, 24, 40]),
            "kernel": pick.choice([3, 5, 7, 9]),
            "stride": pick.randint(1, 2),
            "expansion": pick.randint(1, 5),
            "squeeze_excite": pick.choice([True, False]),
        }
        for _ in range(pick.randint(1, 7))
    ]
    return _architecture(
        stages,
        input_resolution=pick.choice([32, 33, 47, 65, 90]),
        stem_width=pick.choice([8, 16, 24]),
        head_width=pick.choice([8, 32, 56]),
        activation=pick.choice(["gelu", "relu", "silu", "hardswish"]),
    )


def _picture(batch: int, resolution: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, 3, resolution, resolution, dtype=torch.float64, generator=generator)


def _without_weights(architecture: Architecture) -> nn.Module:
    """The network on the device that computes nothing but shapes, which is all that counting needs."""
    with torch.device("meta"):
        return build(architecture)


def _assert_costs(architecture: Architecture, resolution: int | None = None) -> None:
    network = _without_weights(architecture)
    side = resolution or int(architecture.settings["input_resolution"])
    for form, module in (("train", network), ("deploy", fold(network))):
        expected = costs(architecture, form=form, resolution=resolution)
        with torch.device("meta"):
            assert counted(module, side) == (expected.params, expected.macs, expected.activations)


@pytest.mark.parametrize("name", PUBLISHED)
def test_reference_points_cost_what_timm_counts(name: str) -> None:
    architecture, (resolution, params_m, macs_g) = _point(name), PUBLISHED[name]
    assert architecture.settings["input_resolution"] == resolution
    found = costs(architecture, form="train")
    with torch.device("meta"):
        assert counted(timm.create_model(name), resolution) == (found.params, found.macs, found.activations)
    assert (round(found.params / 1e6, 2), round(found.macs / 1e9, 2)) == (params_m, macs_g)
    _assert_costs(architecture)


@pytest.mark.parametrize("name", PUBLISHED)
def test_reference_points_are_the_networks_of_timm(name: str) -> None:
    """Layer by layer: shapes, strides, padding, constants of norms, activations; and the names of all weights."""
    with torch.device("meta"):
        network, reference = build(_point(name)), timm.create_model(name)
    assert str(network) == str(reference)
    shapes = [{key: value.shape for key, value in module.state_dict().items()} for module in (network, reference)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("name", ["efficientnet_b0", "efficientnetv2_s"])
def test_timm_weights_load_strictly_and_give_the_same_output(name: str) -> None:
    reference = timm.create_model(name).double().eval()
    randomise(reference, seed=1)
    network = build(_point(name)).double().eval()
    network.load_state_dict(reference.state_dict(), strict=True)
    with torch.inference_mode():
        expected = reference(_picture(2, 65))
        for form in (network, fold(network)):
            assert float((form(_picture(2, 65)) - expected).norm() / expected.norm()) <= 1e-10


@pytest.mark.parametrize("seed", range(12))
def test_random_architectures_cost_what_torch_counts(seed: int) -> None:
    _assert_costs(_drawn(seed))


@pytest.mark.parametrize("resolution", [1, 63, 64, 224])
def test_costs_are_exact_at_other_resolutions(resolution: int) -> None:
    _assert_costs(_point("efficientnet_b0"), resolution)


@pytest.mark.parametrize("seed", range(12))
def test_fold_of_random_architectures_is_exact(seed: int) -> None:
    network = build(_drawn(seed), num_classes=7)
    assert prove_fold(network, resolution=int(_drawn(seed).settings["input_resolution"]), seed=seed) <= 1e-10


def test_nothing_that_can_be_folded_is_left_and_folding_twice_is_folding_once() -> None:
    network = build(_tiny())
    randomise(network, seed=0)
    once = fold(network)
    twice = fold(once)
    assert not [module for module in once.modules() if isinstance(module, nn.BatchNorm2d)]
    assert str(once) == str(twice)
    assert all(torch.equal(a, b) for a, b in zip(once.parameters(), twice.parameters(), strict=True))


def test_the_classifier_is_the_last_linear_layer() -> None:
    for network in (build(_tiny(), num_classes=5), fold(build(_tiny(), num_classes=5))):
        last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
        assert last is network.get_submodule("classifier")
        assert last.out_features == 5


@pytest.mark.parametrize("activation", ["gelu", "relu", "silu", "hardswish"])
def test_a_training_step_gives_every_parameter_a_gradient(activation: str) -> None:
    network = build(_tiny(activation=activation), num_classes=5).to(memory_format=torch.channels_last)
    pictures = _picture(4, 45).float().to(memory_format=torch.channels_last)
    loss = nn.functional.cross_entropy(network(pictures), torch.tensor([0, 1, 2, 3]))
    loss.backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in network.parameters())


@pytest.mark.parametrize("activation", ["gelu", "relu", "silu", "hardswish"])
def test_an_artifact_computes_what_torch_computes(activation: str, tmp_path: Path) -> None:
    prepared = prepare(_tiny(activation=activation), tmp_path / "network.onnx", seed=0, num_classes=10)
    assert prepared.artifact.error <= 1e-5
    assert prepared.fold_error <= 1e-10
    assert "BatchNormalization" not in prepared.artifact.operators
    # The stem, each of four blocks twice (1 + 2 + 2 + 3 convolutions), four times squeeze-excite, the head.
    assert prepared.artifact.operators["Conv"] == 1 + 2 * 8 + 4 * 2 + 1


@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("block", "fused"),
        ("depth", 2),
        ("width", 24),
        ("kernel", 5),
        ("stride", 2),
        ("expansion", 3),
        ("squeeze_excite", False),
    ],
)
def test_every_word_of_a_stage_changes_the_costs(word: str, other: object) -> None:
    stage: dict[str, Any] = {"block": "inverted", "depth": 1, "width": 16, "kernel": 3, "stride": 1, "expansion": 2}
    plain, changed = _architecture([stage]), _architecture([stage | {word: other}])
    assert costs(changed) != costs(plain)
    assert changed.id != plain.id


def test_peak_is_the_largest_input_and_output_of_a_layer() -> None:
    # The first depthwise convolution with a stride: 96 channels, 112 to 56 pixels.
    assert costs(_point("efficientnet_b0")).peak_activations == 96 * (112**2 + 56**2)


def test_a_stage_that_is_left_out_says_nothing_else() -> None:
    stages: list[dict[str, Any]] = [{"block": "convolution", "depth": 1, "width": 8, "stride": 2}] * 3
    plain = _architecture(stages)
    said = _architecture([*stages, {"block": "none", "depth": 3, "width": 16, "stride": 2, "expansion": 6}])
    assert said.id == plain.id
    assert dict(said.stages[3]) == {"block": "none"}
    assert len(build(plain).get_submodule("blocks")) == 3  # type: ignore[arg-type]


def test_only_the_last_stages_can_be_left_out() -> None:
    there, absent = {"block": "convolution", "depth": 1, "width": 8, "stride": 2}, {"block": "none"}
    with pytest.raises(NetworkError, match=r"stage2.block is none and stage4.block is convolution; only the last"):
        costs(_architecture([there, absent, absent, there]))
    with pytest.raises(NetworkError, match="block is none in every stage; at least stage1 has to be there; give it"):
        build(_architecture([]))


def test_a_resolution_without_pixels_is_refused() -> None:
    with pytest.raises(NetworkError, match="resolution is 0; at least 1 is allowed; give the side"):
        costs(_tiny(), resolution=0)


def test_the_space_holds_the_published_networks_and_draws_such_as_can_be_built() -> None:
    space = load_space("efficientnet")
    assert set(space.reference_points) == set(PUBLISHED)
    for point in space.reference_points.values():
        assert space.outside(point) == ()
        assert space.broken_rules(point, cost_quantities) == ()
    assert count(space) > 10**9
    assert sum(len(step.rows) for step in space.tree) < 300
    for seed in range(3):
        _assert_costs(draw(space, np.random.default_rng(seed), cost_quantities))


def test_operators_need_no_torch() -> None:
    code = "import sys, bench.networks.efficientnet.operators; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
