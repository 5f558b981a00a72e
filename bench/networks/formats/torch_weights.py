"""The weights of a train form as safetensors, with the architecture in the file: data from which torch rebuilds it.

Never a pickle and never code, so a file from anywhere is safe to read. The train form is what is kept, because
training can go on from it and every deploy form follows from it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from bench.errors import ExportError
from bench.networks.cost import costs
from bench.networks.families import build
from bench.networks.fold import fold
from bench.networks.formats.agreement import agreement
from bench.networks.formats.exported import Made, Source
from bench.networks.weights import load_weights
from bench.space import Architecture
from bench.version import __version__

# One key holds all, because safetensors writes several in no fixed order.
_KEY = "bench"


def write(source: Source, path: Path) -> Made:
    """Writes one .safetensors file."""
    if source.architecture is None:
        raise ExportError(
            "format 'torch' without an architecture; weights are stored with what they belong to; pass architecture="
        )
    contents = {
        "architecture": source.architecture.to_dict(),
        "num_classes": source.expected.shape[-1],
        "resolution": source.picture.shape[-1],
        "version": __version__,
    }
    tensors = {name: value.detach().contiguous().cpu() for name, value in source.train.state_dict().items()}
    save_file(tensors, path, metadata={_KEY: json.dumps(contents, sort_keys=True)})
    error, cosine = agreement(load(path)(source.picture), source)
    return Made(
        exporter="safetensors",
        exporter_version=f"bench {__version__}, torch {torch.__version__}",
        versions={},
        operators={},
        error=error,
        cosine=cosine,
    )


def load(path: Path, *, fold_attention_norm: bool = True) -> nn.Module:
    """The network of a file that `write` has written, in deploy form.

    Raises:
        ExportError: the file is missing, unreadable, or has no architecture in it.
        NetworkError: its weights are not those of its architecture.
    """
    contents = _read(path)
    try:
        architecture = Architecture.from_dict(contents["architecture"])
        num_classes, resolution = int(contents["num_classes"]), int(contents["resolution"])
        needed = 4 * costs(architecture, form="train", num_classes=num_classes, resolution=resolution).params
    except (KeyError, TypeError, ValueError) as error:
        raise ExportError(
            f"{path} has no usable architecture in it ({type(error).__name__}: {error}); "
            "a file of `bench export --format torch` is needed; export the network again"
        ) from error
    # Said before it is built: a few bytes can ask for a network of any size.
    if needed > path.stat().st_size:
        raise ExportError(
            f"{path} has {path.stat().st_size} bytes; its architecture has {needed} bytes of weights; "
            "export the network again"
        )
    network = build(architecture, num_classes=num_classes, resolution=resolution)
    load_weights(network, path)
    return fold(network.eval(), fold_attention_norm=fold_attention_norm)


def _read(path: Path) -> Any:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise ExportError(
            f"{path} cannot be read ({error}); a safetensors file is needed; export the network again"
        ) from error
    try:
        return json.loads(metadata.get(_KEY, ""))
    except ValueError as error:
        raise ExportError(
            f"{path} has no architecture in it; a file of `bench export --format torch` is needed; "
            "export the network again"
        ) from error
