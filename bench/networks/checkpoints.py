"""Published weights in the naming of those who published them, read as data and nothing else.

Read are safetensors, and PyTorch files with torch's `weights_only` reader, which builds tensors and plain containers
and refuses everything else, so that no file can run anything. Names are ours (which are timm's), or those of the
original repositories: github.com/apple/ml-fastvit, github.com/apple/ml-mobileone, github.com/facebookresearch/ConvNeXt.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from bench.errors import NetworkError

State = Mapping[str, Tensor]

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".tar")

# What wraps a state dict in published files; an average of the weights is what its authors evaluated.
_WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")
_FOLDED = ("reparam_conv", "lkb_reparam")
_NUM_NAMED = 3


def load_checkpoint(network: nn.Module, path: Path | str, *, family: str) -> None:
    """Fills `network` (train form) in place with the weights at `path`; every name and shape has to match.

    Raises:
        NetworkError: the file is missing, broken, holds something else than weights, or those of another network.
    """
    path = Path(path)
    load_published(network, read_checkpoint(path), family=family, source=str(path))


def load_published(network: nn.Module, state: State, *, family: str, source: str) -> None:
    """As `load_checkpoint`, for weights that were read before; `source` names them in messages."""
    if folded := next((name for name in state if any(part in name for part in _FOLDED)), None):
        raise NetworkError(
            f"{source} holds folded weights ({folded}); weights of the train form are needed, from which every deploy "
            "form follows; take the checkpoint that is not reparameterised"
        )
    try:
        renamed = _CONVERTERS.get(family, _same)(dict(state), network)
    except Exception as error:  # timm's converters fail in any way on weights of another network
        raise _foreign(source, f"{type(error).__name__}: {error}") from error
    own = network.state_dict()
    # A counter that no computation reads; files written by early versions of PyTorch do not have it.
    missing = [name for name in own if name not in renamed and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in renamed if name not in own]
    if missing or unexpected:
        raise _foreign(source, f"{_some('missing', missing)}{_some('unknown', unexpected)}")
    for name, value in renamed.items():
        if value.shape != own[name].shape:
            raise _foreign(source, f"{name} is {tuple(value.shape)} and should be {tuple(own[name].shape)}")
    network.load_state_dict(renamed, strict=False)


def read_checkpoint(path: Path) -> State:
    """The tensors of a file by name, as they stand in it.

    Raises:
        NetworkError: it is missing or broken, or holds anything else than weights.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise NetworkError(f"{path}: weights in a {path.suffix or 'nameless'} file; allowed: {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise NetworkError(f"{path}: there is no such file; weights as safetensors or .pth are needed; check the path")
    try:
        if path.suffix.lower() == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise NetworkError(
            f"{path} holds more than tensors ({_first_line(error)}); only weights are read, since anything else could "
            "run code; ask for safetensors, or save its state dict alone"
        ) from error
    except Exception as error:  # torch and safetensors raise what their archive readers raise
        raise NetworkError(
            f"{path} cannot be read ({type(error).__name__}: {_first_line(error)}); a whole file is needed; "
            "download it again"
        ) from error
    return _unwrapped(found, path)


def download_checkpoint(timm_name: str | None, name: str) -> tuple[State, str]:
    """The published weights of a network from timm's hub, and where they came from.

    Raises:
        NetworkError: timm has none, or the hub is out of reach.
    """
    if timm_name is None:
        raise NetworkError(f"timm has no weights of {name}; a file of them is needed; give --weights FILE")
    import timm

    try:
        network = timm.create_model(timm_name, pretrained=True)
    except Exception as error:  # of the hub, of the network below it, of the file system
        raise NetworkError(
            f"the weights of {timm_name} cannot be fetched from timm's hub ({_first_line(error)}); a connection or a "
            "filled cache is needed; fetch them elsewhere and give --weights FILE"
        ) from error
    return network.state_dict(), f"timm's weights {timm_name}.{network.pretrained_cfg.get('tag', '')}"


def _unwrapped(found: Any, path: Path) -> State:
    for wrapper in _WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(wrapper), Mapping):
            found = found[wrapper]
            break
    if not isinstance(found, Mapping) or not found:
        raise NetworkError(f"{path} holds a {type(found).__name__}; a state dict is needed: names and tensors")
    stranger = next((name for name, value in found.items() if not isinstance(value, Tensor)), None)
    if stranger is not None:
        raise NetworkError(f"{path}: {stranger!r} is no tensor; a state dict is needed: names and tensors")
    return {str(name).removeprefix("module."): value for name, value in found.items()}


def _same(state: State, network: nn.Module) -> State:  # noqa: ARG001  (one signature for all)
    return state


def _fastvit(state: State, network: nn.Module) -> State:
    from timm.models.fastvit import checkpoint_filter_fn

    renamed: State = checkpoint_filter_fn(state, network)
    return renamed


def _convnext(state: State, network: nn.Module) -> State:
    from timm.models.convnext import checkpoint_filter_fn

    renamed: State = checkpoint_filter_fn(state, network)
    return renamed


# Apple's names of MobileOne, in models of github.com/apple/ml-mobileone, and timm's.
_MOBILEONE = (
    (re.compile(r"^stage0\."), "stem."),
    (re.compile(r"^linear\."), "head.fc."),
    (re.compile(r"\brbr_conv\b"), "conv_kxk"),
    (re.compile(r"\brbr_scale\b"), "conv_scale"),
    (re.compile(r"\brbr_skip\b"), "identity"),
    (re.compile(r"\bse\.reduce\b"), "attn.fc1"),
    (re.compile(r"\bse\.expand\b"), "attn.fc2"),
)


def _mobileone(state: State, network: nn.Module) -> State:  # noqa: ARG001
    if "stage0.rbr_conv.0.conv.weight" not in state:
        return state
    renamed = {}
    for original, value in state.items():
        name = re.sub(r"^stage([1-4])\.", lambda found: f"stages.{int(found[1]) - 1}.", original)
        for pattern, replacement in _MOBILEONE:
            name = pattern.sub(replacement, name)
        renamed[name] = value
    return renamed


_CONVERTERS: dict[str, Callable[[State, nn.Module], State]] = {
    "fastvit": _fastvit,
    "convnext": _convnext,
    "mobileone": _mobileone,
}


def _foreign(source: str, what: str) -> NetworkError:
    return NetworkError(
        f"{source} holds weights of another network ({what[:200]}); every name and shape has to match; "
        "name the network that they belong to"
    )


def _some(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _NUM_NAMED} more" if len(names) > _NUM_NAMED else ""
    return f"{what}: {', '.join(names[:_NUM_NAMED])}{more}; "


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["no reason given"])[0][:160]
