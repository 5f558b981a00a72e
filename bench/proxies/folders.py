"""ImageFolder-style directories: a folder per class, under train/ and val/ or all at the top.

Class folders may have folders inside (as in Tiny ImageNet); all pictures below a class folder are of that
class.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError
from bench.proxies.contents import read_file
from bench.proxies.decoding import Unreadable, decode
from bench.proxies.subset import SPLITS, Picture, SplitName

SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".avif"))
TRAIN_NAMES = ("train", "training")
VAL_NAMES = ("val", "validation", "valid", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSource:
    """Class folders. `parts` maps each split to its folder below `root`; a flat layout has "train" at "."."""

    label: str
    root: Path
    parts: Mapping[SplitName, str]
    classes: tuple[str, ...]

    def class_names(self) -> tuple[str, ...]:
        return self.classes

    def splits(self) -> tuple[SplitName, ...]:
        return tuple(split for split in SPLITS if split in self.parts)

    def stamp(self) -> str:
        """Times of the class folders: a file added, removed or renamed directly in one changes it."""
        return "|".join(folder_stamp(self.root / part) for part in self.parts.values())

    def pictures(self, split: SplitName, labels: Sequence[int]) -> Iterator[Picture]:
        for label in labels:
            yield from list_pictures(self.root, f"{self.parts[split]}/{self.classes[label]}", label)

    def read(self, names: Sequence[str], resolution: int) -> Iterator[NDArray[np.uint8] | Unreadable]:
        return read_files(self.root, names, resolution)


def find_folders(root: Path, *, label: str) -> FolderSource:
    """The class folders below `root`.

    Raises:
        DataError: there are none; the message says what was found.
    """
    train = first_folder(root, TRAIN_NAMES)
    if train is None:
        return FolderSource(label=label, root=root, parts={"train": "."}, classes=class_folders(root, label=label))
    parts: dict[SplitName, str] = {"train": train}
    val = first_folder(root, VAL_NAMES)
    if val is not None:
        parts["val"] = val
    return FolderSource(label=label, root=root, parts=parts, classes=class_folders(root / train, label=label))


def class_folders(folder: Path, *, label: str) -> tuple[str, ...]:
    """Names of the class folders in `folder`, sorted.

    Raises:
        DataError: fewer than two; the message says what is there instead.
    """
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    if len(names) < 2:
        raise DataError(
            f"{label} has no classes: {folder} holds {found(folder)}; a folder per class is needed, under "
            "train/ and "
            "val/ or directly; name another folder"
        )
    return tuple(names)


def first_folder(root: Path, names: Iterable[str]) -> str | None:
    """The first of `names` that is a folder below `root`."""
    return next((name for name in names if (root / name).is_dir()), None)


def list_pictures(root: Path, folder: str, label: int) -> Iterator[Picture]:
    """Every picture below `folder`, named relative to `root`; a missing folder has none."""
    try:
        with os.scandir(root / folder) as entries:
            for entry in entries:
                name = entry.name if folder == "." else f"{folder.removeprefix('./')}/{entry.name}"
                if entry.name.startswith("."):  # also the ._NAME.jpg files that macOS leaves in archives
                    continue
                if os.path.splitext(entry.name)[1].lower() in SUFFIXES:  # noqa: PTH122 - a million times
                    yield Picture(name, label, entry.stat().st_size if entry.is_file() else 0)
                elif entry.is_dir():
                    yield from list_pictures(root, name, label)
    except (FileNotFoundError, NotADirectoryError):
        return


def read_files(root: Path, names: Sequence[str], resolution: int) -> Iterator[NDArray[np.uint8] | Unreadable]:
    """Decodes files named relative to `root`."""
    for name in names:
        content = read_file(root / name)
        yield content if isinstance(content, Unreadable) else decode(content, resolution)


def folder_stamp(folder: Path) -> str:
    """Names and change times of `folder` and the folders in it."""
    with os.scandir(folder) as entries:
        children = sorted((entry.name, entry.stat().st_mtime_ns) for entry in entries if entry.is_dir())
    return f"{folder.stat().st_mtime_ns} {children}"


def found(folder: Path) -> str:
    """What is in a folder, in words, for error messages."""
    if not folder.is_dir():
        return "nothing (it is not a folder)"
    entries = sorted(folder.iterdir())
    num_folders = sum(entry.is_dir() for entry in entries)
    names = ", ".join(entry.name + "/" * entry.is_dir() for entry in entries[:3])
    more = ", ..." if len(entries) > 3 else ""
    return f"{num_folders} folders and {len(entries) - num_folders} files" + (f" ({names}{more})" if names else "")
