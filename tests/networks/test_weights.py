from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.errors import NetworkError
from bench.networks import build
from bench.networks.fold import fold, randomise
from bench.networks.weights import AdaptsWeights, adapted, load_weights, replace_head, save_weights
from bench.space import Architecture

from .points import point, tiny


@pytest.mark.parametrize("form", ["train", "deploy"])
def test_weights_come_back_as_they_were(form: str, tmp_path: Path) -> None:
    network, other = build(tiny(), seed=1), build(tiny(), seed=2)
    randomise(network, seed=1)
    network = network.to(memory_format=torch.channels_last)
    if form == "deploy":
        network, other = fold(network), fold(other)
    load_weights(other, save_weights(network, tmp_path / "weights.safetensors"))
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]
    for name, tensor in network.state_dict().items():
        assert torch.equal(other.state_dict()[name], tensor), name


class Doubling(nn.Linear):
    """A network that takes the weights of half its size."""

    def adapt_weights(self, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return {name: torch.cat([tensor, tensor]) for name, tensor in weights.items()}


def test_a_network_that_adapts_weights_is_asked_to(tmp_path: Path) -> None:
    half, whole = nn.Linear(3, 2), Doubling(3, 4)
    load_weights(whole, save_weights(half, tmp_path / "half.safetensors"))
    assert torch.equal(whole.weight, torch.cat([half.weight, half.weight]))
    weights = half.state_dict()
    assert adapted(weights, half) is weights


@pytest.mark.parametrize("form", ["train", "deploy"])
def test_weights_of_a_cmt_load_at_another_resolution(form: str, tmp_path: Path) -> None:
    stages = [
        {"depth": 1, "width": 8, "mlp_ratio": 1, "head_dim": 8, "reduction": reduction} for reduction in (8, 4, 2, 1)
    ]
    architecture = Architecture.from_dict({"family": "cmt", "settings": {"stem_width": 8}, "stages": stages})
    source, target = (build(architecture, num_classes=2, seed=side, resolution=side) for side in (64, 96))
    if form == "deploy":
        source, target = fold(source), fold(target)
    assert isinstance(target, AdaptsWeights)
    load_weights(target, save_weights(source, tmp_path / "weights.safetensors"))
    for name, tensor in source.state_dict().items():
        assert torch.equal(target.state_dict()[name], tensor) != name.endswith("position_bias"), name
    assert target.eval()(torch.zeros(1, 3, 96, 96)).shape == (1, 2)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = save_weights(build(tiny()), tmp_path / "weights.safetensors")
    with pytest.raises(NetworkError, match=r"do not fit the network .* every name and shape has to match"):
        load_weights(build(point("t8")), path)


def test_unreadable_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(b"garbage")
    for name in ("broken", "absent"):
        with pytest.raises(NetworkError, match=f"{name}' cannot be read .* give one that bench has written"):
            load_weights(build(tiny()), tmp_path / name)


def test_a_new_head_is_seeded_and_changes_nothing_else() -> None:
    network = build(tiny(), num_classes=20)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    state = torch.random.get_rng_state()
    replace_head(network, 1000, seed=3)
    assert torch.equal(state, torch.random.get_rng_state())
    changed = {name for name, tensor in network.state_dict().items() if tensor.shape != before[name].shape}
    assert changed == {"head.fc.weight", "head.fc.bias"}
    assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 1000)
    again = build(tiny(), num_classes=20)
    replace_head(again, 1000, seed=3)
    assert torch.equal(again.get_parameter("head.fc.weight"), network.get_parameter("head.fc.weight"))


def test_a_head_without_classes_is_refused() -> None:
    with pytest.raises(NetworkError, match="num_classes is 0; at least 1"):
        replace_head(build(tiny()), 0, seed=0)
