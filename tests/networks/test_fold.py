from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from command import ROOT
from torch import nn

from bench.errors import FoldError
from bench.networks import build
from bench.networks.blocks import LayerScale
from bench.networks.fastvit.folding import NormedAttention
from bench.networks.fold import fold, fold_proven, prove_fold, randomise

from .points import POINTS, drawn, point, tiny


def _norms(network: nn.Module) -> list[nn.Module]:
    return [m for m in network.modules() if isinstance(m, nn.BatchNorm2d | LayerScale | nn.Dropout)]


@pytest.mark.parametrize("name", POINTS)
def test_fold_of_published_points_is_exact(name: str) -> None:
    assert prove_fold(build(point(name)), resolution=32) <= 1e-10


@pytest.mark.parametrize("seed", range(12))
def test_fold_of_random_architectures_is_exact(seed: int) -> None:
    assert prove_fold(build(drawn(seed)), resolution=96, seed=seed, fold_attention_norm=seed % 2 == 0) <= 1e-10


def test_fold_holds_for_square_pictures_of_several_sizes_and_a_batch() -> None:
    network = build(tiny()).double().eval()
    randomise(network, seed=3)
    folded = fold(network)
    for shape in ((2, 3, 32, 32), (3, 3, 128, 128), (1, 3, 64, 96)):
        pictures = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        torch.testing.assert_close(folded(pictures), network(pictures), rtol=1e-10, atol=1e-10)


def test_nothing_that_can_be_folded_is_left() -> None:
    network = build(point("sa12"))
    assert _norms(fold(network)) == []
    kept = fold(network, fold_attention_norm=False)
    assert len(_norms(kept)) == 2
    assert all(isinstance(m.norm, nn.BatchNorm2d) for m in kept.modules() if isinstance(m, NormedAttention))


def test_fold_leaves_its_input_and_the_random_state_alone() -> None:
    network = build(tiny())
    randomise(network, seed=0)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    state = torch.random.get_rng_state()
    fold(network)
    prove_fold(network)
    assert torch.equal(state, torch.random.get_rng_state())
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert list(before) == list(network.state_dict())
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("keeps_norm", [False, True])
def test_folding_twice_is_folding_once(keeps_norm: bool) -> None:
    network = build(tiny())
    randomise(network, seed=0)
    once = fold(network, fold_attention_norm=not keeps_norm)
    twice = fold(once, fold_attention_norm=not keeps_norm)
    assert str(once) == str(twice)
    assert all(torch.equal(a, b) for a, b in zip(once.parameters(), twice.parameters(), strict=True))


def test_a_kept_norm_can_be_folded_later() -> None:
    network = build(tiny()).double()
    randomise(network, seed=0)
    later = fold(fold(network, fold_attention_norm=False))
    picture = torch.randn(1, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(later(picture), fold(network)(picture), rtol=1e-12, atol=1e-12)
    assert _norms(later) == []


def test_dropout_is_gone() -> None:
    assert _norms(fold(nn.Sequential(nn.Conv2d(3, 4, 1), nn.Dropout(0.5)))) == []


def test_a_norm_without_a_rule_is_refused() -> None:
    with pytest.raises(FoldError, match="BatchNorm2d '1' cannot be folded; a deploy form has none but"):
        fold(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)))


# In a process where nothing has loaded any rules: a layer scale of ConvNeXt is a bare parameter, which would stay.
_UNLOADED = """
import sys
from bench.networks.convnext.network import build
from bench.networks.fold import fold
from bench.space import Architecture

stages = [{"depth": 1, "width": 16} for _ in range(4)]
tiny = Architecture.from_dict({"family": "convnext", "settings": {"input_resolution": 64}, "stages": stages})
assert "bench.networks.convnext.folding" not in sys.modules
folded = fold(build(tiny, num_classes=5, resolution=64))
print([name for name, _ in folded.named_parameters() if "gamma" in name or ".norm." in name])
"""


def test_rules_of_a_family_are_loaded_by_folding() -> None:
    found = subprocess.run([sys.executable, "-c", _UNLOADED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_wrong_deploy_form_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.networks.fastvit.folding.scale_output", lambda *_: None)
    with pytest.raises(FoldError, match=r"differs from its train form by \S+ \(relative, float64\); at most 1e-10"):
        prove_fold(build(tiny()))


def test_a_network_that_gives_nan_is_refused() -> None:
    network = build(tiny())
    with torch.no_grad():
        network.get_parameter("head.fc.bias").fill_(torch.nan)
    with pytest.raises(FoldError, match="by nan"):
        fold_proven(network)


def test_random_statistics_depend_on_the_seed_alone() -> None:
    states = []
    for seed in (1, 1, 2):
        network = build(tiny())
        randomise(network, seed=seed)
        states.append(torch.cat([tensor.flatten().double() for tensor in network.state_dict().values()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])
