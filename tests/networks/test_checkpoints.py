from __future__ import annotations

import re
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from bench.errors import NetworkError
from bench.networks import build
from bench.networks.checkpoints import load_checkpoint, read_checkpoint
from bench.networks.fold import randomise
from bench.networks.models import TIMM_NAMES
from bench.study.models import reference_point

State = dict[str, torch.Tensor]


def _weights(name: str) -> State:
    """timm's weights of a published network, with statistics of a trained one."""
    network = timm.create_model(TIMM_NAMES[name])
    randomise(network, seed=2)
    return network.state_dict()


def _apple_fastvit(state: State, depths: tuple[int, ...], *, has_position: bool) -> State:
    """The names of github.com/apple/ml-fastvit: one flat list of stages, patch embeddings and position encodings."""
    places: dict[str, str] = {}
    flat = 0
    for stage in range(len(depths)):
        if stage:
            places[f"stages.{stage}.downsample.proj."] = f"network.{flat}.proj."
            flat += 1
        if has_position and stage == len(depths) - 1:
            places[f"stages.{stage}.pos_emb.pos_enc."] = f"network.{flat}.pe."
            flat += 1
        places[f"stages.{stage}.blocks."] = f"network.{flat}."
        flat += 1
    renamed = {}
    for original, value in state.items():
        name = original
        for prefix, other in places.items():
            if name.startswith(prefix):
                name = other + name.removeprefix(prefix)
        for ours, theirs in (
            ("stem.", "patch_embed."),
            ("conv_kxk", "rbr_conv"),
            ("conv_scale", "rbr_scale"),
            ("identity", "rbr_skip"),
            ("final_conv", "conv_exp"),
            ("large_conv", "lkb_origin"),
            ("mlp.", "convffn."),
            ("se.fc1", "se.reduce"),
            ("se.fc2", "se.expand"),
            ("head.fc.", "head."),
        ):
            name = name.replace(ours, theirs)
        renamed[re.sub(r"(layer_scale(_[12])?)\.gamma", r"\1", name)] = value
    return renamed


def _apple_mobileone(state: State) -> State:
    """The names of github.com/apple/ml-mobileone."""
    renamed = {}
    for original, value in state.items():
        name = re.sub(r"^stages\.(\d)\.", lambda found: f"stage{int(found[1]) + 1}.", original)
        for ours, theirs in (
            ("stem.", "stage0."),
            ("conv_kxk", "rbr_conv"),
            ("conv_scale", "rbr_scale"),
            ("identity", "rbr_skip"),
            ("attn.fc1", "se.reduce"),
            ("attn.fc2", "se.expand"),
            ("head.fc.", "linear."),
        ):
            name = name.replace(ours, theirs)
        renamed[name] = value
    return renamed


def _check_loaded(name: str, path: Path, expected: State) -> None:
    architecture = reference_point(name)
    network = build(architecture)
    load_checkpoint(network, path, family=architecture.family)
    found = network.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], value) for key, value in expected.items())


@pytest.mark.parametrize("name", ["fastvit_t8", "mobileone_s4", "efficientnet_b0", "convnext_t"])
def test_weights_in_the_naming_of_timm_load(name: str, tmp_path: Path) -> None:
    state = _weights(name)
    path = tmp_path / "weights.safetensors"
    save_file({key: value.contiguous() for key, value in state.items()}, path)
    _check_loaded(name, path, state)


@pytest.mark.parametrize(
    ("name", "depths", "has_position"),
    [("fastvit_t8", (2, 2, 4, 2), False), ("fastvit_sa12", (2, 2, 6, 2), True)],
)
def test_fastvit_weights_in_the_naming_of_apple_load(
    name: str, depths: tuple[int, ...], has_position: bool, tmp_path: Path
) -> None:
    state = _weights(name)
    theirs = _apple_fastvit(state, depths, has_position=has_position)
    assert not set(theirs) & {key for key in state if "stages" in key}
    # As their training script writes it: wrapped, with other plain data beside it.
    path = tmp_path / "checkpoint.pth.tar"
    torch.save({"epoch": 300, "arch": name, "state_dict": theirs}, path)
    _check_loaded(name, path, state)


def test_mobileone_weights_in_the_naming_of_apple_load(tmp_path: Path) -> None:
    state = _weights("mobileone_s4")  # the one with squeeze-excite
    path = tmp_path / "mobileone_s4_unfused.pth"
    torch.save(_apple_mobileone(state), path)
    _check_loaded("mobileone_s4", path, state)


def test_the_average_and_a_parallel_prefix_are_found(tmp_path: Path) -> None:
    state = _weights("mobileone_s1")
    path = tmp_path / "weights.pt"
    other = {key: torch.zeros_like(value) for key, value in state.items()}
    wrapped = {"state_dict": other, "state_dict_ema": {f"module.{key}": value for key, value in state.items()}}
    torch.save(wrapped, path)
    _check_loaded("mobileone_s1", path, state)


class _Harmful:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.target,)


def test_a_file_with_code_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    path, harmed = tmp_path / "weights.pth", tmp_path / "harmed"
    torch.save({"state_dict": {"stem": _Harmful(harmed)}}, path)
    with pytest.raises(NetworkError, match="holds more than tensors"):
        read_checkpoint(path)
    assert not harmed.exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_truncated_file_is_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"weights{suffix}"
    state = {"weight": torch.zeros(1000)}
    if suffix == ".pth":
        torch.save(state, path)
    else:
        save_file(state, path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(NetworkError, match=r"cannot be read .*; a whole file is needed; download it again"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"weights": [1, 2]}, "'weights' is no tensor; a state dict is needed"),
        ([torch.zeros(2)], "holds a list; a state dict is needed"),
        ({}, "holds a dict; a state dict is needed"),
    ],
)
def test_what_is_no_state_dict_is_refused(content: object, message: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    with pytest.raises(NetworkError, match=message):
        read_checkpoint(path)


def test_weights_of_another_network_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(_weights("mobileone_s1"), path)
    network = build(reference_point("mobileone_s2"))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(NetworkError, match=r"weights of another network \(.+ is \(.*\) and should be"):
        load_checkpoint(network, path, family="mobileone")
    with pytest.raises(NetworkError, match=r"weights of another network \(missing: .* and \d+ more; unknown: "):
        load_checkpoint(build(reference_point("fastvit_t8")), path, family="fastvit")
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_folded_weights_are_told_from_foreign_ones(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"patch_embed.0.reparam_conv.weight": torch.zeros(48, 3, 3, 3)}, path)
    with pytest.raises(NetworkError, match=r"holds folded weights \(patch_embed.0.reparam_conv.weight\)"):
        load_checkpoint(build(reference_point("fastvit_t8")), path, family="fastvit")


def test_a_missing_file_and_another_kind_of_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="there is no such file"):
        read_checkpoint(tmp_path / "weights.pth")
    with pytest.raises(NetworkError, match=r"weights in a \.onnx file; allowed: \.safetensors, \.pth"):
        read_checkpoint(tmp_path / "weights.onnx")
