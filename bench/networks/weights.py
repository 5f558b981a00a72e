"""Weights of a network: saved, loaded, and given a new classifier.

safetensors, never pickles: a weights file is data and runs nothing when it is read.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from safetensors import SafetensorError
from safetensors.torch import load, load_file, save_file
from torch import Tensor, nn

from bench.errors import NetworkError


@runtime_checkable
class AdaptsWeights(Protocol):
    """A network of which some weights belong to one resolution, such as CMT's position bias."""

    def adapt_weights(self, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The state dict of the same network at any resolution as one that fits this one."""


def adapted(weights: Mapping[str, Tensor], network: nn.Module) -> Mapping[str, Tensor]:
    """The state dict `weights` as it is loaded into `network`: adapted to its resolution where it has one."""
    return network.adapt_weights(weights) if isinstance(network, AdaptsWeights) else weights


def save_weights(network: nn.Module, path: Path | str) -> Path:
    """Write the weights and statistics of `network` to `path` (safetensors), whole or not at all."""
    path = Path(path)
    tensors = {name: tensor.detach().contiguous().cpu() for name, tensor in network.state_dict().items()}
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".partial")
    os.close(handle)
    try:
        save_file(tensors, partial)
        Path(partial).replace(path)
    finally:
        Path(partial).unlink(missing_ok=True)
    return path


def load_weights(network: nn.Module, path: Path | str, *, content: bytes | None = None) -> None:
    """Fill `network` in place with the weights at `path`; every name and shape has to match.

    Weights that belong to one resolution are adapted to that of `network` (see `AdaptsWeights`).

    Args:
        content: of the file, where it was read before; `path` then only names it.

    Raises:
        NetworkError: the file is missing or unreadable, or belongs to another architecture or form.
    """
    try:
        weights = load_file(path) if content is None else load(content)
        network.load_state_dict(adapted(weights, network), strict=True)
    except (FileNotFoundError, SafetensorError) as error:
        raise NetworkError(
            f"weights {str(path)!r} cannot be read ({str(error).splitlines()[0]}); "
            "a safetensors file is allowed; give one that bench has written"
        ) from error
    except RuntimeError as error:
        first = next((line.strip() for line in str(error).splitlines()[1:]), str(error))
        raise NetworkError(
            f"weights {str(path)!r} do not fit the network ({first[:160]}); "
            "every name and shape has to match; build the architecture, form and classes that they belong to"
        ) from error


def replace_head(network: nn.Module, num_classes: int, *, seed: int) -> None:
    """Give `network` a freshly initialised classifier of `num_classes` in place; all other weights stay."""
    # In every family the classifier is the last linear layer.
    name, old = [(name, module) for name, module in network.named_modules() if isinstance(module, nn.Linear)][-1]
    if num_classes < 1:
        raise NetworkError(f"num_classes is {num_classes}; at least 1 is allowed; give the number of classes")
    # On the meta device nothing is drawn: torch's random state is left alone.
    new = nn.Linear(old.in_features, num_classes, device="meta").to_empty(device="cpu")
    nn.init.trunc_normal_(new.weight, std=0.02, generator=torch.Generator().manual_seed(seed))
    nn.init.zeros_(new.bias)
    parent, _, last = name.rpartition(".")
    network.get_submodule(parent).register_module(last, new.to(old.weight))
