from __future__ import annotations

import copy
import random
from collections import Counter
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.errors import NetworkError, SpaceError
from bench.networks import build, cost_quantities, costs
from bench.networks.cmt.folding import NormBeforePadding
from bench.networks.cmt.positions import resize_position_bias
from bench.networks.export import prepare
from bench.networks.fold import fold, fold_proven, prove_fold, randomise
from bench.networks.kernels import affine
from bench.networks.weights import replace_head
from bench.space import Architecture, load_space

from .cmt_functional import cmt
from .test_cost import counted

POINTS = load_space("cmt").reference_points

# Counted on the authors' code (github.com/ggjy/CMT.pytorch, cmt.py @ 07e72b7d) at the resolution each was trained for:
# parameters, MACs in billions there and at 224, and how many layer norms, batch norms, convolutions and linear layers.
# The paper prints 25.1 M parameters for S; its code has these.
PUBLISHED = {
    "cmt_ti": (160, 9_492_426, 0.639, 1.291, (36, 66, 86, 65)),
    "cmt_xs": (192, 15_247_208, 1.547, 2.138, (46, 85, 110, 85)),
    "cmt_s": (224, 26_256_160, 4.032, 4.032, (54, 101, 130, 101)),
    "cmt_b": (256, 45_715_076, 9.317, 7.051, (68, 128, 164, 129)),
}

_ACTIVATIONS = {"gelu": F.gelu, "relu": F.relu, "silu": F.silu, "hardswish": F.hardswish}


def _tiny(**settings: Any) -> Architecture:
    stages = [
        {"depth": 1, "width": width, "mlp_ratio": 2, "head_dim": 8, "reduction": reduction}
        for width, reduction in ((8, 8), (16, 4), (24, 2), (32, 1))
    ]
    known = {"input_resolution": 64, "stem_width": 8, "head_width": 40, **settings}
    return Architecture.from_dict({"family": "cmt", "settings": known, "stages": stages})


def _drawn(seed: int) -> Architecture:
    """A small random architecture that uses every choice of the family."""
    pick = random.Random(seed)
    settings = {
        "input_resolution": pick.choice([64, 96]),
        "stem_width": pick.choice([8, 12]),
        "activation": pick.choice(list(_ACTIVATIONS)),
        "head_width": pick.choice([24, 40]),
    }
    stages = [
        {
            "depth": pick.randint(1, 2),
            "width": pick.choice([16, 32, 48]),
            "mlp_ratio": pick.choice([1.0, 2.5, 3.0]),
            "head_dim": pick.choice([8, 16]),
            "reduction": pick.choice(allowed),
            "local_kernel": pick.choice([3, 5]),
            "ffn_kernel": pick.choice([3, 5, 7]),
        }
        for allowed in ((1, 2, 4, 8), (1, 2, 4), (1, 2), (1,))
    ]
    return Architecture.from_dict({"family": "cmt", "settings": settings, "stages": stages})


def _randomised(architecture: Architecture, *, resolution: int | None = None, seed: int = 0) -> nn.Module:
    network = build(architecture, num_classes=7, seed=seed, resolution=resolution).double()
    randomise(network, seed=seed)
    return network


def _pictures(batch: int, side: int) -> Tensor:
    return torch.randn(batch, 3, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def _expected(
    architecture: Architecture, weights: dict[str, Tensor], pictures: Tensor, *, is_training: bool = False
) -> Tensor:
    """What the second, independent statement of the network computes."""
    return cmt(
        weights,
        pictures,
        depths=[int(stage["depth"]) for stage in architecture.stages],
        heads=[int(stage["width"]) // int(stage["head_dim"]) for stage in architecture.stages],
        reductions=[int(stage["reduction"]) for stage in architecture.stages],
        activation=_ACTIVATIONS[str(architecture.settings["activation"])],
        is_training=is_training,
    )


def _error(found: Tensor, expected: Tensor) -> float:
    return float((found.detach() - expected.detach()).norm() / expected.detach().norm())


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_points_have_the_published_size(name: str) -> None:
    side, params, macs_g, macs_g_at_224, _ = PUBLISHED[name]
    native, at_224 = costs(POINTS[name], form="train"), costs(POINTS[name], form="train", resolution=224)
    assert POINTS[name].settings["input_resolution"] == side
    assert native.params == params
    assert (round(native.macs / 1e9, 3), round(at_224.macs / 1e9, 3)) == (macs_g, macs_g_at_224)
    assert costs(POINTS[name]).macs == native.macs


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_points_have_the_published_layers(name: str) -> None:
    side, *_, layers = PUBLISHED[name]
    with torch.device("meta"):
        network = build(POINTS[name])
        expected = costs(POINTS[name], form="train")
        assert counted(network, side) == (expected.params, expected.macs, expected.activations)
    kinds = (nn.LayerNorm, nn.BatchNorm2d, nn.Conv2d, nn.Linear)
    assert tuple(sum(isinstance(m, kind) for m in network.modules()) for kind in kinds) == layers


def test_position_bias_belongs_to_the_resolution() -> None:
    assert costs(POINTS["cmt_ti"], form="train", resolution=224).params == 9_705_546
    with torch.device("meta"):
        shapes = [tuple(stage.position_bias.shape) for stage in build(POINTS["cmt_ti"]).stages]
        assert sum(p.numel() for p in build(POINTS["cmt_ti"], resolution=224).parameters()) == 9_705_546
    assert shapes == [(1, 1600, 25), (2, 400, 25), (4, 100, 25), (8, 25, 25)]


def test_published_points_are_in_the_space() -> None:
    space = load_space("cmt")
    assert set(space.reference_points) == set(PUBLISHED)
    for point in space.reference_points.values():
        assert space.outside(point) == ()
        assert space.broken_rules(point, cost_quantities) == ()


@pytest.mark.parametrize("name", ["cmt_ti", "cmt_xs"])
def test_published_points_compute_what_is_published(name: str) -> None:
    network = _randomised(POINTS[name], resolution=64)
    pictures = _pictures(2, 64)
    expected = _expected(POINTS[name], network.state_dict(), pictures)
    with torch.inference_mode():
        assert _error(network.eval()(pictures), expected) <= 1e-10
        assert _error(fold(network)(pictures), expected) <= 1e-10


@pytest.mark.soak
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_points_compute_what_is_published_at_their_own_size(name: str) -> None:
    network, pictures = _randomised(POINTS[name]), _pictures(1, PUBLISHED[name][0])
    expected = _expected(POINTS[name], network.state_dict(), pictures)
    with torch.inference_mode():
        assert _error(network.eval()(pictures), expected) <= 1e-10
        assert _error(fold(network)(pictures), expected) <= 1e-10


@pytest.mark.parametrize("seed", range(6))
def test_random_architectures_compute_what_the_definition_says(seed: int) -> None:
    architecture = _drawn(seed)
    side = int(architecture.settings["input_resolution"])
    network = _randomised(architecture, seed=seed)
    expected = _expected(architecture, network.state_dict(), _pictures(2, side))
    with torch.inference_mode():
        assert _error(network.eval()(_pictures(2, side)), expected) <= 1e-10
        assert _error(fold(network)(_pictures(2, side)), expected) <= 1e-10


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("seed", range(3))
def test_a_training_step_is_that_of_the_definition(seed: int, memory_format: torch.memory_format) -> None:
    """Output and every gradient, in float64."""
    architecture = _drawn(seed)
    network = _randomised(architecture, resolution=64, seed=seed).to(memory_format=memory_format)
    pictures, labels = _pictures(3, 64), torch.tensor([1, 2, 3])
    weights = {
        name: tensor.detach().clone().requires_grad_(tensor.is_floating_point())
        for name, tensor in network.state_dict().items()
    }
    expected = _expected(architecture, weights, pictures, is_training=True)
    F.cross_entropy(expected, labels).backward()
    found = network.train()(pictures.to(memory_format=memory_format))
    F.cross_entropy(found, labels).backward()
    assert _error(found, expected) <= 1e-10
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(parameter.grad, weights[name].grad, rtol=1e-7, atol=1e-10, msg=name)


@pytest.mark.parametrize("seed", range(6))
def test_random_architectures_cost_what_torch_counts(seed: int) -> None:
    architecture = _drawn(seed)
    network = build(architecture, num_classes=7)
    side = int(architecture.settings["input_resolution"])
    for form, module in (("train", network), ("deploy", fold(network))):
        expected = costs(architecture, form=form, num_classes=7)
        assert counted(module, side) == (expected.params, expected.macs, expected.activations)
    smaller = costs(architecture, num_classes=7, resolution=64)
    folded = fold(build(architecture, num_classes=7, resolution=64))
    assert counted(folded, 64) == (smaller.params, smaller.macs, smaller.activations)


@pytest.mark.parametrize("seed", range(6))
def test_fold_is_exact_and_idempotent(seed: int) -> None:
    network = build(_drawn(seed), num_classes=7)
    assert prove_fold(network, seed=seed) <= 1e-10
    once = fold(network)
    twice = fold(once)
    assert str(once) == str(twice)
    assert all(torch.equal(a, b) for a, b in zip(once.parameters(), twice.parameters(), strict=True))


def test_the_choice_about_the_norm_before_qkv_changes_nothing() -> None:
    folded, kept = (fold(build(_tiny()), fold_attention_norm=choice) for choice in (True, False))
    assert str(folded) == str(kept)
    assert costs(_tiny()) == costs(_tiny(), fold_attention_norm=False)


def test_only_norms_before_a_padded_convolution_stay() -> None:
    folded = fold(build(_tiny()))
    norms = {name for name, module in folded.named_modules() if isinstance(module, nn.BatchNorm2d)}
    assert norms == {"stem.0.norm", "stem.1.norm", *(f"stages.{i}.blocks.0.ffn.1.norm" for i in range(4))}
    affine_norms = {
        name
        for name, module in folded.named_modules()
        if isinstance(module, nn.LayerNorm) and module.elementwise_affine
    }
    assert affine_norms == {f"stages.{i}.patch_embed.1" for i in range(4)}


def test_a_norm_before_a_padded_convolution_folds_everywhere_but_at_borders() -> None:
    stem = fold(_randomised(_tiny())).stem
    kept, behind = stem[0], stem[1].conv
    assert isinstance(kept, NormBeforePadding)
    scale, shift = affine(kept.norm)
    wrong = copy.deepcopy(behind)
    wrong.weight.copy_(behind.weight * scale.view(1, -1, 1, 1))
    wrong.bias.copy_(behind.bias + (behind.weight * shift.view(1, -1, 1, 1)).sum((1, 2, 3)))
    activated = kept.act(kept.conv(_pictures(1, 64)))
    difference = (wrong(activated) - behind(kept.norm(activated))).abs()
    assert float(difference[..., 1:-1, 1:-1].max()) <= 1e-12
    assert float(difference.max()) >= 1e-2


def test_projections_of_the_same_tokens_are_one() -> None:
    folded = fold(build(_tiny()))
    layers = Counter(type(module).__name__ for module in folded.modules())
    # Three blocks reduce keys and values (q, then k and v), one does not; each projects once more; the classifier.
    assert layers["Linear"] == 3 * 2 + 1 + 4 + 1
    assert folded.stages[3].blocks[0].attention.from_tokens.weight.shape == (96, 32)


def test_a_picture_of_another_size_is_refused() -> None:
    network = build(_tiny())
    assert network.fixed_resolution == 64
    assert build(_tiny(), resolution=96).fixed_resolution == 96
    message = "the picture is 96 x 96; this network's position bias allows 64 x 64 alone; build it for the size"
    for module in (network.eval(), fold(network)):
        with pytest.raises(NetworkError, match=message):
            module(torch.zeros(1, 3, 96, 96))


def test_a_reduction_that_does_not_divide_its_stage_is_refused() -> None:
    stages = [dict(stage) for stage in _tiny().stages]
    stages[1]["reduction"] = 8
    architecture = Architecture.from_dict(
        {"family": "cmt", "settings": {"input_resolution": 224, "stem_width": 8}, "stages": stages}
    )
    message = r"stage2.reduction is 8 where the feature map is 28 x 28 \(resolution 224\); allowed: 1, 2, 4; change"
    for ask in (costs, build):
        with pytest.raises(NetworkError, match=message):
            ask(architecture)
    assert costs(architecture, resolution=64).params


def test_a_reduction_that_is_no_power_of_two_is_refused() -> None:
    stages = [dict(stage) for stage in _tiny().stages]
    stages[0]["reduction"] = 7
    with pytest.raises(SpaceError, match=r"stage1.reduction is 7; allowed: one of 1, 2, 4, 8; change it"):
        Architecture.from_dict({"family": "cmt", "settings": {"stem_width": 8}, "stages": stages})


def test_a_resolution_off_the_grid_is_refused() -> None:
    with pytest.raises(NetworkError, match="resolution is 100; multiples of 32 are allowed; use 96"):
        build(_tiny(), resolution=100)


def test_fresh_weights_are_drawn_as_the_authors_draw_them() -> None:
    network = build(POINTS["cmt_ti"])
    block = network.stages[2].blocks[0]
    assert float(block.attention.q.weight.detach().std()) == pytest.approx(0.02, rel=0.02)
    assert float(block.ffn.expand.conv.weight.detach().std()) == pytest.approx((2 / 662) ** 0.5, rel=0.02)
    assert float(block.ffn.local.conv.weight.detach().std()) == pytest.approx((2 / (9 * 662)) ** 0.5, rel=0.05)
    assert float(network.stages[0].position_bias.detach().std()) == pytest.approx(1, rel=0.02)
    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert all(not layer.bias.any() for layer in layers)


def test_the_classifier_can_be_replaced() -> None:
    network = build(_tiny(), num_classes=7)
    assert [name for name, module in network.named_modules() if isinstance(module, nn.Linear)][-1] == "head.fc"
    replace_head(network, 3, seed=0)
    assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 3)


def test_an_export_computes_the_same(tmp_path: Path) -> None:
    prepared = prepare(_tiny(), tmp_path / "network.onnx", seed=0, num_classes=7)
    assert prepared.artifact.error <= 1e-5
    assert prepared.costs == costs(_tiny(), num_classes=7)
    operators = prepared.artifact.operators
    assert (operators["BatchNormalization"], operators["LayerNormalization"], operators["Gelu"]) == (6, 12, 11)
    (output,) = onnx.load(prepared.artifact.path).graph.output
    assert [size.dim_value for size in output.type.tensor_type.shape.dim] == [1, 7]


def test_position_biases_of_the_same_size_stay_as_they_are() -> None:
    weights = build(_tiny(), seed=1).state_dict()
    resized = resize_position_bias(weights, build(_tiny()))
    assert list(resized) == list(weights)
    assert all(torch.equal(resized[name], tensor) for name, tensor in weights.items())


@pytest.mark.parametrize("form", ["train", "deploy"])
@pytest.mark.parametrize(("before", "after"), [(64, 96), (96, 64)])
def test_weights_of_one_resolution_load_at_another(form: str, before: int, after: int) -> None:
    source, target = (_randomised(_tiny(), resolution=side, seed=side) for side in (before, after))
    if form == "deploy":
        source, target = fold(source), fold(target)
    weights = source.state_dict()
    resized = resize_position_bias(weights, target)
    target.load_state_dict(resized, strict=True)
    assert target.eval()(_pictures(1, after)).isfinite().all()
    changed = {name for name, tensor in weights.items() if resized[name] is not tensor}
    assert changed == {f"stages.{i}.position_bias" for i in range(4)}


def test_a_constant_bias_stays_constant() -> None:
    source, target = build(_tiny(), resolution=64), build(_tiny(), resolution=128)
    name = "stages.1.position_bias"
    with torch.no_grad():
        source.get_parameter(name)[0].fill_(3)
        source.get_parameter(name)[1].fill_(-2)
    resized = resize_position_bias(source.state_dict(), target)[name]
    assert resized.shape == (2, 256, 16)
    torch.testing.assert_close(resized, torch.tensor([3.0, -2.0]).view(2, 1, 1).expand_as(resized))


def test_a_bias_that_grows_along_one_axis_still_grows_along_that_axis() -> None:
    """Height and width, queries and keys are not mixed up; a cubic kernel keeps a straight line away from borders."""
    source, target = build(_tiny(), resolution=128), build(_tiny(), resolution=256)
    name = "stages.0.position_bias"
    for axis in range(4):
        shape = [1] * 4
        shape[axis] = (32, 32, 4, 4)[axis]
        line = torch.arange(float(shape[axis])).view(shape).expand(32, 32, 4, 4)
        weights = source.state_dict() | {name: line.reshape(1, 1024, 16)}
        resized = resize_position_bias(weights, target)[name].view(64, 64, 8, 8).movedim(axis, 0)
        along = resized.flatten(1)
        torch.testing.assert_close(along, along[:, :1].expand_as(along))
        steps = along[:, 0].diff()
        assert (steps > 0).all()
        middle = len(steps) // 2
        # The kernel of torch (a = -0.75) keeps a line nearly, not exactly.
        assert float(steps[middle]) == pytest.approx(0.5, abs=0.1)


def test_the_proof_takes_the_only_resolution_that_a_network_has() -> None:
    assert fold_proven(_randomised(_tiny(), resolution=96).eval())[1] <= 1e-10
