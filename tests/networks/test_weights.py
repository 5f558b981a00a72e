from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.errors import NetworkError
from bench.networks import build
from bench.networks.fold import fold, randomise
from bench.networks.weights import load_weights, replace_head, save_weights

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
