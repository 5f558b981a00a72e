from __future__ import annotations

import pickle
import warnings
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from bench.errors import NetworkError
from bench.networks import build
from bench.networks.checkpoints import download_checkpoint, load_checkpoint, load_published, read_checkpoint
from bench.networks.cmt.positions import resize_position_bias
from bench.networks.fold import randomise
from bench.networks.models import TIMM_NAMES, TIMM_WEIGHTS
from bench.space import Architecture
from bench.study.models import reference_point

from .published_names import State, apple_fastvit, apple_mobileone, authors_cmt, facebook_convnext


def _weights(name: str) -> State:
    """timm's weights of a published network, with statistics of a trained one."""
    network = timm.create_model(TIMM_NAMES[name])
    randomise(network, seed=2)
    return network.state_dict()


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
    theirs = apple_fastvit(state, depths, has_position=has_position)
    assert not set(theirs) & {key for key in state if "stages" in key}
    # As their training script writes it: wrapped, with other plain data beside it.
    path = tmp_path / "checkpoint.pth.tar"
    torch.save({"epoch": 300, "arch": name, "state_dict": theirs}, path)
    _check_loaded(name, path, state)


def test_mobileone_weights_in_the_naming_of_apple_load(tmp_path: Path) -> None:
    state = _weights("mobileone_s4")  # the one with squeeze-excite
    path = tmp_path / "mobileone_s4_unfused.pth"
    torch.save(apple_mobileone(state), path)
    _check_loaded("mobileone_s4", path, state)


def test_convnext_weights_in_the_naming_of_facebook_load(tmp_path: Path) -> None:
    state = _weights("convnext_t")
    path = tmp_path / "convnext_tiny_1k_224_ema.pth"
    torch.save({"model": facebook_convnext(state)}, path)
    _check_loaded("convnext_t", path, state)


def _tiny_cmt() -> Architecture:
    stages = [
        {"depth": 1, "width": width, "mlp_ratio": 2, "head_dim": 8, "reduction": reduction}
        for width, reduction in ((8, 8), (16, 4), (24, 2), (32, 1))
    ]
    settings = {"input_resolution": 64, "stem_width": 8, "head_width": 40}
    return Architecture.from_dict({"family": "cmt", "settings": settings, "stages": stages})


def test_cmt_weights_of_its_authors_load_at_every_resolution(tmp_path: Path) -> None:
    """In their names, beside what their training script keeps; an average that was not made is None there."""
    trained = build(_tiny_cmt(), seed=1)
    randomise(trained, seed=1)
    path = tmp_path / "cmt.pth"
    torch.save({"model": authors_cmt(trained.state_dict()), "model_ema": None, "epoch": 300}, path)
    for resolution in (64, 96):
        network = build(_tiny_cmt(), resolution=resolution)
        load_checkpoint(network, path, family="cmt")
        expected = resize_position_bias(trained.state_dict(), network)
        assert all(torch.equal(value, expected[name]) for name, value in network.state_dict().items())


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


class _Plain:
    """What a training script may keep beside its weights; harmless, and nothing that a stranger can know."""


def _message(path: Path) -> str:
    with pytest.raises(NetworkError) as caught:
        read_checkpoint(path)
    return str(caught.value)


def test_a_file_with_code_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    path, harmed = tmp_path / "weights.pth", tmp_path / "harmed"
    torch.save({"state_dict": {"stem": _Harmful(harmed)}}, path)
    assert _message(path) == (
        f"{path} holds getattr, which is code; tensors in plain containers are allowed, since anything "
        "else could run when it is read; ask for safetensors, or save its state dict alone"
    )
    assert not harmed.exists()


def test_the_class_that_was_refused_is_named(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"state_dict": {"weight": torch.zeros(2)}, "args": _Plain()}, path)
    assert _message(path) == (
        f"{path} holds {__name__}._Plain, which is code; tensors in plain containers are allowed, since anything "
        "else could run when it is read; ask for safetensors, or save its state dict alone"
    )


def test_a_torchscript_program_is_code(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is no longer meant to be written
        torch.jit.script(torch.nn.Linear(2, 2)).save(path)
    assert f"{path} holds a TorchScript program, which is code; " in _message(path)


@pytest.mark.parametrize("name", ["weights.pth", "weights.pth.tar", "weights.safetensors"])
@pytest.mark.parametrize(
    ("content", "begin"),
    [
        (b"<!DOCTYPE html><html>not found</html>", "it begins with '<!DOCTYPE html><'"),
        (b"version https://git-lfs.github.com/spec/v1", "it begins with 'version https://'"),
        (b"", "it is empty"),
    ],
)
def test_a_foreign_file_is_told_as_such(name: str, content: bytes, begin: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert _message(path) == (
        f"{path} is no weights file ({begin}); safetensors or a file of torch.save is needed; download it again"
    )


def test_a_pickle_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps({"weight": [1.0]}, protocol=4))
    found = _message(path)
    assert found.startswith(f"{path} cannot be read as data (")
    assert found.endswith(
        "); safetensors or a file of torch.save is needed; download it again, or save its state dict so"
    )
    assert "trust" not in found


def test_a_file_is_read_as_what_it_is_whatever_its_name(tmp_path: Path) -> None:
    save_file({"weight": torch.ones(2)}, tmp_path / "weights.pth")
    torch.save({"weight": torch.ones(2)}, tmp_path / "weights.safetensors")
    for name in ("weights.pth", "weights.safetensors"):
        assert torch.equal(read_checkpoint(tmp_path / name)["weight"], torch.ones(2))


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
    with pytest.raises(NetworkError, match=r"is a \.onnx file; weights in \.safetensors, \.pth, .* are allowed; name"):
        read_checkpoint(tmp_path / "weights.onnx")


def test_position_biases_of_another_network_are_refused_as_such() -> None:
    state = dict(build(_tiny_cmt()).state_dict())
    for wrong in (torch.zeros(3), torch.zeros(2, 16, 4)):
        with pytest.raises(NetworkError, match="x holds weights of another network"):
            load_published(
                build(_tiny_cmt(), resolution=96), {**state, "stages.0.position_bias": wrong}, family="cmt", source="x"
            )


@pytest.mark.parametrize("name", TIMM_WEIGHTS)
def test_weights_of_the_hub_are_named_whole(name: str) -> None:
    """timm knows each, and of EfficientNets none with PyTorch's padding."""
    from timm.models import get_pretrained_cfg

    found = get_pretrained_cfg(TIMM_WEIGHTS[name], allow_unregistered=False)
    assert found.tag == TIMM_WEIGHTS[name].partition(".")[2]
    assert found.has_weights
    assert TIMM_WEIGHTS[name].removeprefix("tf_").partition(".")[0] == TIMM_NAMES[name]
    assert TIMM_WEIGHTS[name].startswith("tf_") == name.startswith("efficientnet")


def test_weights_that_the_hub_does_not_have_are_one_line() -> None:
    message = r"the weights fastvit_t8\.none cannot be fetched from timm's hub \("
    with pytest.raises(NetworkError, match=message) as caught:
        download_checkpoint("fastvit_t8.none")
    assert "\n" not in str(caught.value)
