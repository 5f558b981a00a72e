"""Published weights, read as data and nothing else.

Read are safetensors, and PyTorch files with torch's `weights_only` reader, which builds tensors and plain containers
and refuses everything else, so that no file can run anything. Which of the two a file is, its first bytes say. Names
are ours (which are timm's) or those of the original repositories, see `naming.py`.

A file holds numbers and names, not what was computed with them. EfficientNets from TensorFlow (`tf_efficientnet_*`)
have the names and shapes of those without, and pad otherwise: whoever loads them has to know, and to change the
network (`bench.networks.efficientnet.tensorflow`).
"""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from bench.errors import NetworkError
from bench.networks.naming import State, our_names
from bench.networks.weights import adapted

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".tar")

# What wraps a state dict in published files; an average of the weights is what its authors evaluated.
_WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")
_FOLDED = ("reparam_conv", "lkb_reparam")
_NUM_NAMED = 3

# The part of the message of torch's reader that names what it refused to build or to call.
_REFUSED = re.compile(
    r"GLOBAL (\S+) (?:was not an allowed|whose module)|unrecognized function (<[^>]*>)"
    r"|`add_safe_globals`,? but got (<class '[^']*'>)"
)


def load_checkpoint(network: nn.Module, path: Path | str, *, family: str) -> None:
    """Fills `network` (train form) in place with the weights at `path`; every name and shape has to match.

    A position bias, which belongs to a resolution, is resized to that of `network`.

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
        renamed = adapted(our_names(dict(state), network, family=family), network)
    except Exception as error:  # converters fail in any way on weights of another network
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
        raise NetworkError(
            f"{path} is a {path.suffix or 'nameless'} file; weights in {', '.join(SUFFIXES)} are allowed; name a file "
            "of these"
        )
    if not path.is_file():
        raise NetworkError(f"{path}: there is no such file; weights as safetensors or .pth are needed; check the path")
    kind = _kind(path)
    try:
        if kind == "safetensors":
            return load_file(path)
        found = _load(path)
    except pickle.UnpicklingError as error:
        raise _refused(path, error) from error
    except Exception as error:  # torch and safetensors raise what their archive readers raise
        if "TorchScript" in str(error):
            raise _code(path, "a TorchScript program") from error
        raise NetworkError(
            f"{path} cannot be read ({type(error).__name__}: {_first_line(error)}); a whole file is needed; "
            "download it again"
        ) from error
    return _unwrapped(found, path)


def download_checkpoint(weights: str) -> State:
    """Weights from timm's hub by their name there, such as `fastvit_t8.apple_in1k`.

    Raises:
        NetworkError: timm has none of that name, or the hub is out of reach.
    """
    import timm

    try:
        state: State = timm.create_model(weights, pretrained=True).state_dict()
    except Exception as error:  # of the hub, of the network below it, of the file system
        raise NetworkError(
            f"the weights {weights} cannot be fetched from timm's hub ({_first_line(error)}); a connection or a "
            "filled cache is needed; fetch them elsewhere and give --weights FILE"
        ) from error
    return state


def _kind(path: Path) -> Literal["safetensors", "torch"]:
    """What the first bytes say: the length of a JSON header (safetensors), a zip or a pickle (torch)."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise NetworkError(
            f"{path} cannot be read ({error.strerror}); a file of weights is needed; check its permissions"
        ) from error
    if head[4:9] == b"\0\0\0\0{":
        return "safetensors"
    if head.startswith((b"PK\x03\x04", b"\x80")):
        return "torch"
    begin = f"it begins with {head.decode('ascii', 'replace')!a}" if head else "it is empty"
    raise NetworkError(
        f"{path} is no weights file ({begin}); safetensors or a file of torch.save is needed; download it again"
    )


def _load(path: Path) -> Any:
    # Opened here: of a path, torch reads the suffix. Its warnings are about what it refuses anyhow.
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.load(file, map_location="cpu", weights_only=True)


def _refused(path: Path, error: pickle.UnpicklingError) -> NetworkError:
    """What torch's reader would not build; its own message advises to let it."""
    found = _REFUSED.search(str(error))
    if found is not None:
        return _code(path, next(name for name in found.groups() if name is not None))
    reason = str(error).rpartition("WeightsUnpickler error:")[2].strip().partition("\n")[0][:160]
    return NetworkError(
        f"{path} cannot be read as data ({reason or 'no reason given'}); safetensors or a file of torch.save is "
        "needed; download it again, or save its state dict so"
    )


def _code(path: Path, what: str) -> NetworkError:
    return NetworkError(
        f"{path} holds {what}, which is code; tensors in plain containers are allowed, since anything else could run "
        "when it is read; ask for safetensors, or save its state dict alone"
    )


def _unwrapped(found: Any, path: Path) -> State:
    for wrapper in _WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(wrapper), Mapping):
            found = found[wrapper]
            break
    if not isinstance(found, Mapping) or not found:
        raise NetworkError(
            f"{path} holds a {type(found).__name__}; a state dict is needed: names and tensors; save it so"
        )
    stranger = next((name for name, value in found.items() if not isinstance(value, Tensor)), None)
    if stranger is not None:
        raise NetworkError(
            f"{path}: {stranger!r} is no tensor; a state dict is needed: names and tensors; save it alone"
        )
    return {str(name).removeprefix("module."): value for name, value in found.items()}


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
