"""A class-balanced, seeded part of a data set, written down picture by picture.

Classes are drawn over all class names, pictures over the names within their class, each in the order of a
keyed hash of the name. So the draw is the same on every machine and with every numpy, a picture's place
does not depend on its neighbours, and a smaller subset of the same seed is part of a larger one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError
from bench.proxies.decoding import Unreadable

T = TypeVar("T")
SplitName = Literal["train", "val"]
SPLITS: tuple[SplitName, SplitName] = ("train", "val")
VAL_SHARE = 0.1  # of each class, where a data set comes without a validation part
# Pictures over all classes where no number is given: enough for a short training and to score it, so that a whole
# ImageNet is not packed by accident.
ENOUGH: Mapping[SplitName, int] = {"train": 10_000, "val": 1_000}

# Raised when the same list would be packed into other bytes: decoding, resizing, file layout.
PACKING_VERSION = 1


class Picture(NamedTuple):
    """One picture: its name in the data set, its class, and the size of the file that holds it (0: none)."""

    name: str
    label: int
    num_bytes: int


class Source(Protocol):
    """A data set that can list and decode its pictures. Sources are pickled to the decoding processes."""

    @property
    def label(self) -> str:
        """What a reader calls the data set, such as `folder:cifar10`."""

    def class_names(self) -> tuple[str, ...]:
        """All classes; labels index this tuple."""

    def splits(self) -> tuple[SplitName, ...]:
        """`("train", "val")`, or `("train",)` where the validation part has to be split off."""

    def stamp(self) -> str:
        """Changes when pictures are added or removed; cheap, because it is asked for on every opening."""

    def pictures(self, split: SplitName, labels: Sequence[int]) -> Iterable[Picture]:
        """The pictures of those classes, in any order."""

    def read(self, names: Sequence[str], resolution: int) -> Iterator[NDArray[np.uint8] | Unreadable]:
        """One uint8 array (resolution, resolution, 3), or the reason why there is none, for each name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subset:
    """The drawn pictures; labels index `classes`, and each split is in the order of its names."""

    classes: tuple[str, ...]
    train: tuple[Picture, ...]
    val: tuple[Picture, ...]

    def hash(self, resolution: int) -> str:
        """Content address of what is packed from this list: list, classes, resolution, packing version."""
        content = (PACKING_VERSION, resolution, self.classes, self.train, self.val)
        return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()[:32]


def draw_subset(
    source: Source,
    *,
    seed: int,
    num_classes: int | None,
    train_per_class: int | None,
    val_per_class: int | None,
) -> Subset:
    """Draws classes, then pictures of each; `None` takes all classes, and pictures up to `ENOUGH` in all.

    Raises:
        DataError: the data set has fewer classes, or a class fewer pictures, than asked for.
    """
    names = source.class_names()
    if len(names) < 2:
        raise DataError(f"{source.label} has {len(names)} classes; at least 2 are needed; name another folder")
    if num_classes is not None and not 2 <= num_classes <= len(names):
        raise DataError(
            f"{num_classes} classes asked of {source.label}; it has {len(names)}; ask for 2 to {len(names)}"
        )
    chosen = sorted(_shuffled(range(len(names)), key=lambda label: names[label], seed=seed)[:num_classes])
    splits = _by_class(source, chosen, seed)
    picked: dict[SplitName, tuple[Picture, ...]] = {}
    for split, count in zip(SPLITS, (train_per_class, val_per_class), strict=True):
        pictures: list[Picture] = []
        for new_label, label in enumerate(chosen):
            found = splits[split][label]
            _check_count(source.label, split, names[label], len(found), count)
            most = -(-ENOUGH[split] // len(chosen)) if count is None else count
            kept = _shuffled(found, key=lambda picture: picture.name, seed=seed)[:most]
            pictures += (picture._replace(label=new_label) for picture in kept)
        picked[split] = tuple(sorted(pictures))
    return Subset(classes=tuple(names[label] for label in chosen), train=picked["train"], val=picked["val"])


def _by_class(source: Source, labels: Sequence[int], seed: int) -> dict[SplitName, dict[int, list[Picture]]]:
    splits: dict[SplitName, dict[int, list[Picture]]] = {}
    for split in source.splits():
        splits[split] = {label: [] for label in labels}
        for picture in source.pictures(split, labels):
            splits[split][picture.label].append(picture)
    if "val" in splits:
        return splits
    splits["val"] = {}
    for label, pictures in splits["train"].items():
        order = _shuffled(pictures, key=lambda picture: picture.name, seed=seed, purpose="split")
        num_val = max(1, round(VAL_SHARE * len(order))) if len(order) > 1 else 0
        splits["val"][label], splits["train"][label] = order[:num_val], order[num_val:]
    return splits


def _check_count(source: str, split: str, name: str, found: int, asked: int | None) -> None:
    if asked is not None and asked < 1:
        raise DataError(f"{asked} {split} pictures a class asked for; at least 1; raise it or leave it out for all")
    if found == 0:
        raise DataError(
            f"class {name!r} of {source} has no {split} pictures; every class needs some; add them or remove the class"
        )
    if asked is not None and found < asked:
        raise DataError(
            f"{asked} {split} pictures a class asked of {source}; class {name!r} has {found}; ask for {found} or fewer"
        )


def _shuffled(items: Iterable[T], *, key: Callable[[T], str], seed: int, purpose: str = "draw") -> list[T]:
    salt = f"{purpose} {seed}".encode()

    def rank(item: T) -> bytes:
        name = key(item).encode("utf-8", "surrogateescape")
        return hashlib.blake2b(name, key=salt, digest_size=16).digest()

    return sorted(items, key=rank)
