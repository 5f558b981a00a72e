"""ImageNet (ILSVRC 2012) as it is handed out: train/<WNID>/*.JPEG and 50,000 validation pictures.

The validation pictures lie in folders by WNID, or flat as ILSVRC2012_val_00000001.JPEG with their classes
in one of these files, in the root, in the validation folder, or in a folder of the development kit:

    imagenet_2012_validation_synset_labels.txt    one WNID a line, in the order of the pictures
    LOC_val_solution.csv                          Kaggle's: picture, then "WNID x y x y ..."
    ILSVRC2012_validation_ground_truth.txt        the kit's: one ILSVRC2012_ID a line; its meta.mat, or a
                                                  synsets.txt in the order of the IDs, says what they are

The kit's IDs are not in the order of the WNIDs, which is why a sorted synsets.txt is refused beside them.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError
from bench.proxies.decoding import Unreadable
from bench.proxies.folders import class_folders, first_folder, folder_stamp, found, list_pictures, read_files
from bench.proxies.subset import Picture, SplitName

_PREFIXES = ("", "ILSVRC/Data/CLS-LOC/", "Data/CLS-LOC/", "CLS-LOC/")  # the others: Kaggle's archive
TRAIN_NAMES = tuple(prefix + name for prefix in _PREFIXES for name in ("train", "ILSVRC2012_img_train"))
VAL_NAMES = tuple(prefix + name for prefix in _PREFIXES for name in ("val", "validation", "ILSVRC2012_img_val"))
_TRUTH_FOLDERS = (".", "devkit", "devkit/data", "ILSVRC2012_devkit_t12", "ILSVRC2012_devkit_t12/data")
_SYNSET_LABELS = "imagenet_2012_validation_synset_labels.txt"
_KAGGLE = "LOC_val_solution.csv"
_GROUND_TRUTH = "ILSVRC2012_validation_ground_truth.txt"
_WNID = re.compile(r"n\d{8}")
_VAL_PICTURE = re.compile(r"ILSVRC2012_val_(\d{8})")
_IDS = 1000  # meta.mat also lists the inner nodes of the hierarchy, with higher IDs


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageNetSource:
    """The official layouts; classes are WNIDs."""

    label: str
    root: Path
    train: str
    val: str
    classes: tuple[str, ...]
    is_val_flat: bool

    def class_names(self) -> tuple[str, ...]:
        return self.classes

    def splits(self) -> tuple[SplitName, ...]:
        return ("train", "val")

    def stamp(self) -> str:
        """Names and times of the folders and of the truth file."""
        truth = _find_truth(self.root, self.val) if self.is_val_flat else None
        truth_time = truth.stat().st_mtime_ns if truth is not None else 0
        return f"{folder_stamp(self.root / self.train)}|{folder_stamp(self.root / self.val)}|{truth_time}"

    def pictures(self, split: SplitName, labels: Sequence[int]) -> Iterator[Picture]:
        if split == "val" and self.is_val_flat:
            yield from self._flat(frozenset(labels))
            return
        part = self.train if split == "train" else self.val
        for label in labels:
            yield from list_pictures(self.root, f"{part}/{self.classes[label]}", label)

    def read(self, names: Sequence[str], resolution: int) -> Iterator[NDArray[np.uint8] | Unreadable]:
        return read_files(self.root, names, resolution)

    def _flat(self, labels: frozenset[int]) -> Iterator[Picture]:
        wnids = read_truth(self.root, self.val)
        label_of = {name: label for label, name in enumerate(self.classes)}
        for picture in list_pictures(self.root, self.val, -1):
            match = _VAL_PICTURE.search(picture.name)
            if match is None:
                continue
            wnid = wnids.get(int(match[1]))
            if wnid is None:
                raise DataError(
                    f"{picture.name} has no class in the truth file of {self.label}, which has "
                    f"{len(wnids):,}; every "
                    "validation picture needs one; check that file and pictures belong together"
                )
            label = label_of.get(wnid, -1)
            if label in labels:
                yield picture._replace(label=label)


def looks_like_imagenet(root: Path) -> bool:
    """Whether there is a train folder in which some folder is named by a WNID, and a validation folder."""
    train = first_folder(root, TRAIN_NAMES)
    if train is None or first_folder(root, VAL_NAMES) is None:
        return False
    with os.scandir(root / train) as entries:
        return any(_WNID.fullmatch(entry.name) for entry in entries)


def find_imagenet(root: Path, *, label: str) -> ImageNetSource:
    """The pictures below `root`.

    Raises:
        DataError: a folder, WNIDs or the truth file are missing; the message says what was found.
    """
    train, val = first_folder(root, TRAIN_NAMES), first_folder(root, VAL_NAMES)
    if train is None or val is None:
        missing = "train" if train is None else "val"
        raise DataError(
            f"{label} has no {missing}/ folder: it holds {found(root)}; train/<WNID>/ and val/ are needed; "
            "name the folder that has them"
        )
    classes = tuple(name for name in class_folders(root / train, label=label) if _WNID.fullmatch(name))
    if len(classes) < 2:
        raise DataError(
            f"{label} has {len(classes)} classes named by WNID: {root / train} holds "
            f"{found(root / train)}; names such "
            "as n01440764 are needed; use folder: for other names"
        )
    is_val_flat = not any((root / val / name).is_dir() for name in classes)
    if is_val_flat:
        _require_truth(root, val, label)
    return ImageNetSource(label=label, root=root, train=train, val=val, classes=classes, is_val_flat=is_val_flat)


def read_truth(root: Path, val: str) -> Mapping[int, str]:
    """The WNID of each validation picture, by its number from 1.

    Raises:
        DataError: the file is malformed.
    """
    path = _require_truth(root, val, str(root))
    if path.name == _KAGGLE:
        return _read_kaggle(path)
    lines = path.read_text().split()
    if path.name == _GROUND_TRUTH:
        synsets = _read_synsets(path)
        unknown = next((line for line in lines if not line.isdigit() or int(line) not in synsets), None)
        if unknown is not None:
            raise DataError(f"{path} has the ID {unknown!r}; the list beside it has 1 to {max(synsets)}; repair either")
        return {number: synsets[int(line)] for number, line in enumerate(lines, start=1)}
    _check_wnids(path, lines)
    return dict(enumerate(lines, start=1))


def _read_kaggle(path: Path) -> Mapping[int, str]:
    wnids: dict[int, str] = {}
    with path.open(newline="") as file:
        for row in csv.reader(file):
            match = _VAL_PICTURE.fullmatch(row[0]) if len(row) == 2 else None
            if match is not None:
                wnids[int(match[1])] = row[1].split(" ", 1)[0]
    _check_wnids(path, list(wnids.values()))
    return wnids


def _check_wnids(path: Path, names: Sequence[str]) -> None:
    wrong = next((name for name in names if not _WNID.fullmatch(name)), None)
    if wrong is not None or not names:
        raise DataError(f"{path} holds {wrong!r}; a WNID such as n01440764 for each picture is allowed; repair it")


def _read_synsets(truth: Path) -> Mapping[int, str]:
    """WNIDs by ILSVRC2012_ID, from what lies beside the kit's ground truth."""
    meta, plain = truth.with_name("meta.mat"), truth.with_name("synsets.txt")
    if meta.is_file():
        from scipy.io import loadmat  # takes half a second

        synsets = loadmat(meta, squeeze_me=True)["synsets"]
        return {int(item["ILSVRC2012_ID"]): str(item["WNID"]) for item in synsets if int(item["ILSVRC2012_ID"]) <= _IDS}
    if not plain.is_file():
        raise DataError(
            f"{truth} holds IDs, and nothing beside it says which WNIDs they are; the kit's meta.mat or a "
            "synsets.txt "
            f"in the order of the IDs does; copy it there, or use {_SYNSET_LABELS}"
        )
    names = [line.split()[0] for line in plain.read_text().splitlines() if line.strip()]
    _check_wnids(plain, names)
    if names == sorted(names) and len(names) > 2:
        raise DataError(
            f"{plain} is in alphabetical order; the IDs of {truth.name} are not; copy the kit's meta.mat "
            "there, or use "
            f"{_SYNSET_LABELS}"
        )
    return dict(enumerate(names, start=1))


def _require_truth(root: Path, val: str, label: str) -> Path:
    path = _find_truth(root, val)
    if path is None:
        raise DataError(
            f"{label} has flat validation pictures in {val}/ and no file with their classes; known: "
            f"{_SYNSET_LABELS}, "
            f"{_KAGGLE}, {_GROUND_TRUTH}; copy one to {root}"
        )
    return path


def _find_truth(root: Path, val: str) -> Path | None:
    candidates = (
        root / folder / name for name in (_SYNSET_LABELS, _KAGGLE, _GROUND_TRUTH) for folder in (*_TRUTH_FOLDERS, val)
    )
    return next((path for path in candidates if path.is_file()), None)
