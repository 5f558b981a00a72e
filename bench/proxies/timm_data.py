"""Data sets that timm's `create_dataset` knows by name, such as `torch/cifar10` or `hfds/uoft-cs/cifar10`.

Nothing is fetched unless that was asked for: without `download`, hub clients are told to stay offline, and
a data set that is not there is an error that says how to get it.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError, MissingExtra
from bench.proxies.decoding import Unreadable, decode
from bench.proxies.subset import Picture, SplitName

PREFIXES = {"torch": None, "hfds": "datasets"}
_SPLIT_NAMES: dict[SplitName, tuple[str, ...]] = {"train": ("train",), "val": ("validation", "val", "test")}
_OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimmSource:
    """A data set by its timm name, below `root`."""

    label: str
    name: str
    root: Path
    download: bool

    def class_names(self) -> tuple[str, ...]:
        dataset = self._dataset("train")
        names = getattr(dataset, "classes", None)
        if names is None:
            index = getattr(getattr(dataset, "reader", None), "class_to_idx", None) or {}
            names = sorted(index, key=lambda name: index[name])
        if not names:
            raise DataError(f"{self.label} does not name its classes; a data set for classification does; take another")
        return tuple(name if isinstance(name, str) else "/".join(map(str, name)) for name in names)

    def splits(self) -> tuple[SplitName, ...]:
        return ("train", "val")

    def stamp(self) -> str:
        """The root's time: what was fetched once is not expected to change."""
        return str(self.root.stat().st_mtime_ns) if self.root.is_dir() else "absent"

    def pictures(self, split: SplitName, labels: Sequence[int]) -> Iterator[Picture]:
        wanted = frozenset(labels)
        for row, label in enumerate(_targets(self._dataset(split))):
            if label in wanted:
                yield Picture(f"{self.name}/{split}#{row:09d}", label, 0)

    def read(self, names: Sequence[str], resolution: int) -> Iterator[NDArray[np.uint8] | Unreadable]:
        for name in names:
            place, _, row = name.rpartition("#")
            dataset = self._dataset("train" if place.endswith("/train") else "val")
            try:
                picture = dataset[int(row)][0]
            except (OSError, ValueError, SyntaxError) as error:
                yield Unreadable(f"{type(error).__name__}: {error}"[:200])
            else:
                yield decode(picture, resolution)

    def _dataset(self, split: SplitName) -> Any:
        return _create(self.name, self.root, split, self.download)


def find_timm(name: str, root: Path, *, label: str, download: bool) -> TimmSource:
    """The data set of that name.

    Raises:
        DataError: the name has another form, or the data set cannot be had without fetching it.
        MissingExtra: the package that holds it is not installed.
    """
    prefix, separator, rest = name.partition("/")
    if prefix.lower() not in PREFIXES or not separator or not rest:
        raise DataError(
            f"{name!r} is no data set that timm can index; known: torch/NAME and hfds/NAME; use folder: or "
            "parquet: for files"
        )
    package = PREFIXES[prefix.lower()]
    if package is not None:
        try:
            __import__(package)
        except ImportError as error:
            raise MissingExtra(
                f"{name!r} needs the package {package!r}, which is not installed; pip install {package}"
            ) from error
    return TimmSource(label=label, name=name, root=root, download=download)


@functools.lru_cache(maxsize=4)
def _create(name: str, root: Path, split: SplitName, download: bool) -> Any:
    from timm.data import create_dataset

    reason: BaseException | None = None
    if download:
        root.mkdir(parents=True, exist_ok=True)
    for split_name in _SPLIT_NAMES[split]:
        try:
            with _network(allowed=download):
                return create_dataset(name, root=str(root), split=split_name, is_training=False, download=download)
        except AssertionError as error:  # timm's answer to an unknown name
            raise DataError(
                f"timm knows no data set {name!r} ({error}); see timm.data.create_dataset; correct it"
            ) from error
        except (RuntimeError, OSError, ValueError) as error:
            reason = reason or error
    told = str(reason).splitlines()[0] if str(reason) else type(reason).__name__
    if download:
        raise DataError(
            f"{name!r} could not be fetched to {root} ({told}); the hub has to be in reach; try again, or "
            "copy the data set there"
        ) from reason
    raise DataError(
        f"{name!r} is not in {root} ({told}); nothing is fetched unless asked for; add --download, or copy it there"
    ) from reason


def _targets(dataset: Any) -> Sequence[int]:
    for attribute in ("targets", "_labels", "labels"):
        values = getattr(dataset, attribute, None)
        if values is not None:
            return [int(value) for value in values]
    reader = getattr(dataset, "reader", None)
    if reader is not None and hasattr(reader, "dataset"):
        return [int(value) for value in reader.dataset[reader.label_key]]
    samples = getattr(dataset, "imgs", None) or getattr(dataset, "samples", None)
    if samples is not None:
        return [int(label) for _, label in samples]
    return [int(dataset[index][1]) for index in range(len(dataset))]


@contextmanager
def _network(*, allowed: bool) -> Iterator[None]:
    """Tells the hub's clients to stay offline, whether they were imported before or not."""
    if allowed:
        yield
        return
    import huggingface_hub.constants as hub

    was, before = hub.HF_HUB_OFFLINE, {name: os.environ.get(name) for name in _OFFLINE}
    hub.HF_HUB_OFFLINE = True
    os.environ.update(dict.fromkeys(_OFFLINE, "1"))
    try:
        yield
    finally:
        hub.HF_HUB_OFFLINE = was
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
