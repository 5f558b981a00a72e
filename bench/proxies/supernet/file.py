"""The file of a supernet: what it is, its averaged weights and, until it is finished, all that its training needs.

It is written whole beside itself and renamed, so that whatever ends a training leaves the file of its last checkpoint.
Reading it builds tensors, numbers and texts and nothing else (torch's `weights_only`).
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.errors import NetworkError
from bench.proxies.cache import PackedData
from bench.proxies.supernet.layout import Axis, Layout
from bench.proxies.supernet.settings import SupernetSettings
from bench.proxies.supernet.weights import SharedWeights
from bench.space import Space

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Supernet:
    """A supernet that was trained, or is being trained.

    Attributes:
        settings: of it.
        space: of the settings, parsed.
        weights: the moving average.
        data: `PackedData.description` of the pictures that it was trained on.
        images_seen: in its training.
        digest: SHA-256 of the weights.
        training: what goes on from here (`Training.state`, without the average); None where it is finished.
    """

    settings: SupernetSettings
    space: Space
    weights: SharedWeights
    data: Mapping[str, Any]
    images_seen: int
    digest: str
    training: Mapping[str, Any] | None

    def opened(self, cache: Path, *, download: bool = False) -> PackedData:
        """The pictures that it was trained on.

        Raises:
            DataError: they cannot be read.
            NetworkError: they are others now.
        """
        found = self.settings.pictures.open(resolution=self.settings.resolution, cache=cache, download=download)
        if found.hash != self.data["data_hash"]:
            raise NetworkError(
                f"the pictures of {found.name} have changed since the supernet was trained (hash {found.hash}, then "
                f"{self.data['data_hash']}); its scores need the same; bring them back, or train it again"
            )
        return found


def write_supernet(
    path: Path, settings: SupernetSettings, weights: SharedWeights, state: Mapping[str, Any], data: PackedData
) -> None:
    """Writes the file, atomically.

    Args:
        weights: whose layouts are written.
        state: `Training.state`; of a finished training only what scores need is kept.
    """
    average = {key: state["average"][name].cpu() for key, name in weights.names().items()}
    is_finished = state["images_seen"] >= settings.training.images
    about = {
        "settings": settings.to_dict(),
        "classes": weights.num_classes,
        "data": data.description(),
        "images_seen": state["images_seen"],
        "digest": _digest(average),
        "layouts": {
            key: [[[axis.size, axis.is_centred] for axis in dimension] for dimension in layout.dimensions]
            for key, layout in weights.covering.items()
        },
    }
    content = {
        "supernet": FORMAT,
        "about": json.dumps(about),
        "average": average,
        "training": None if is_finished else {name: value for name, value in state.items() if name != "average"},
    }
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_supernet(path: Path) -> Supernet:
    """The supernet at `path`; weights are mapped into memory, and read where they are used.

    Raises:
        NetworkError: there is none, or the file is broken or something else.
    """
    content = _loaded(path)
    try:
        about = json.loads(content["about"])
        settings = SupernetSettings.from_dict(about["settings"])
        layouts = {
            key: Layout(key=key, dimensions=tuple(tuple(Axis(*axis) for axis in dimension) for dimension in dimensions))
            for key, dimensions in about["layouts"].items()
        }
        weights = SharedWeights(layouts, content["average"], num_classes=int(about["classes"]))
        return Supernet(
            settings=settings,
            space=settings.space,
            weights=weights,
            data=about["data"],
            images_seen=int(about["images_seen"]),
            digest=str(about["digest"]),
            training=content["training"],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, NetworkError):
            raise
        raise _broken(path, f"{type(error).__name__}: {error}") from error


def _loaded(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise NetworkError(f"{path}: there is no such file; bench supernet train writes one; check the path")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError, OSError, KeyError) as error:
        raise _broken(path, (str(error).splitlines() or [type(error).__name__])[0]) from error
    if not isinstance(found, dict) or found.get("supernet") != FORMAT:
        raise _broken(path, "it holds something else, or one of another release")
    return found


def _broken(path: Path, reason: str) -> NetworkError:
    return NetworkError(
        f"{path} is no supernet of this release ({reason[:160]}); a file of bench supernet train is needed; name one, "
        "or train it"
    )


def _digest(average: Mapping[str, Tensor]) -> str:
    found = hashlib.sha256()
    for key, value in sorted(average.items()):
        found.update(key.encode())
        found.update(value.contiguous().numpy().tobytes())
    return found.hexdigest()
