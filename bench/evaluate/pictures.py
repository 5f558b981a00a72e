"""Pictures to evaluate on: a whole benchmark in one fixed order, labelled with outputs of the network.

Listing is left to the readers of `bench.proxies`. What differs is the decoding, which follows the network's own
preprocessing, and that a training part is not needed: a validation folder alone will do.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Protocol

from bench.errors import DataError
from bench.evaluate.preprocessing import Preprocessing, decode
from bench.proxies.contents import Content, read_cell, read_file
from bench.proxies.decoding import Decoded, Unreadable
from bench.proxies.folders import class_folders, first_folder, found, list_pictures
from bench.proxies.imagenet import VAL_NAMES, ImageNetSource
from bench.proxies.parquet import ParquetSource, list_tables, open_table, table_layout
from bench.proxies.subset import Picture

_FLAT_PICTURE = "ILSVRC2012_val_"
_VAL_WORDS = frozenset(("val", "validation", "valid", "dev", "eval"))
_OTHER_WORDS = frozenset(("train", "training", "test", "testing"))


class Contents(Protocol):
    """Encoded pictures by name; pickled to the decoding processes."""

    def read(self, names: Sequence[str]) -> Iterator[Content]:
        """The bytes of each picture, or the reason why there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """What is evaluated.

    Attributes:
        label: what a reader calls it, such as `imagenet:val`.
        pictures: in the order of their names; labels index `outputs`.
        outputs: of the network among which its answer is taken, as for benchmarks with 200 of the 1,000 classes.
        num_classes: outputs that the network has to have.
        contents: of the files.
    """

    label: str
    pictures: tuple[Picture, ...]
    outputs: tuple[int, ...]
    num_classes: int
    contents: Contents

    def hash(self) -> str:
        """Content address of the list: names, labels, sizes, outputs; not of the pixels, nor of the folder's place."""
        content = (self.label.partition(":")[0], self.num_classes, self.outputs, self.pictures)
        return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReader:
    """Decodes pictures as one network wants them; what `bench.proxies.decoding` hands to its processes."""

    contents: Contents
    preprocessing: Preprocessing

    def read(self, names: Sequence[str], resolution: int) -> Iterator[Decoded]:
        assert resolution == self.preprocessing.resolution
        for content in self.contents.read(names):
            yield content if isinstance(content, Unreadable) else decode(content, self.preprocessing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Pictures that are files, named relative to `root`."""

    root: Path

    def read(self, names: Sequence[str]) -> Iterator[Content]:
        return (read_file(self.root / name) for name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Pictures in Parquet or Arrow files, named by file and row."""

    source: ParquetSource

    def read(self, names: Sequence[str]) -> Iterator[Content]:
        root, column = self.source.root, table_layout(self.source.root, self.source.files["val"]).image
        for file, group in groupby(names, key=lambda name: name.rpartition("#")[0]):
            rows = [int(name.rpartition("#")[2]) for name in group]
            for cell in open_table(root / file).cells(rows, column):
                yield read_cell(cell, (root / file).parent)


def imagenet_classes() -> tuple[str, ...]:
    """The 1,000 WNIDs of ImageNet (ILSVRC 2012), sorted: the outputs of every published network, in their order."""
    from timm.data import ImageNetInfo  # takes seconds

    return tuple(ImageNetInfo().label_names())


def find_validation(root: Path, classes: Sequence[str]) -> Pictures:
    """The ImageNet validation set below `root`: class folders, the flat official layout, or Parquet files.

    Args:
        root: holds val/ (or validation/), or is that folder.
        classes: what the outputs of the network are called, in their order; class folders have these names.

    Raises:
        DataError: there is none, or its classes are not the network's; the message says what was found.
    """
    root = root.expanduser().resolve()
    label = f"imagenet:{root.name}"
    folder = (first_folder(root, VAL_NAMES) if root.is_dir() else None) or "."
    if any((root / folder / name).is_dir() for name in classes):
        return pictures_in_folders(root, classes, label=label, folder=folder)
    if _is_flat(root / folder):
        source = ImageNetSource(
            label=label, root=root, train=folder, val=folder, classes=tuple(classes), is_val_flat=True
        )
        return _pictures(source.pictures("val", range(len(classes))), classes, label=label, contents=Files(root=root))
    tables = _validation_tables(root)
    if tables:
        return _pictures_in_tables(root, tables, classes, label=label)
    raise DataError(
        f"{label} has no validation pictures: {root / folder} holds {found(root / folder)}; folders named as the "
        f"network's classes (such as {classes[0]}), flat {_FLAT_PICTURE}*.JPEG or Parquet files are known, in val/ or "
        "directly; name another folder"
    )


def pictures_in_folders(
    root: Path, classes: Sequence[str], *, label: str, folder: str = ".", only_present: bool = False
) -> Pictures:
    """The pictures in `root/folder`, which has a folder for each of some or all classes.

    Args:
        classes: as in `find_validation`.
        only_present: answers are taken among the classes that have a folder, not among all.

    Raises:
        DataError: there are no folders, one is not a class of the network, or they hold no pictures.
    """
    names = present_classes(root / folder, classes, label=label)
    index = {name: number for number, name in enumerate(classes)}
    outputs = sorted(index[name] for name in names) if only_present else range(len(classes))
    label_of = {output: number for number, output in enumerate(outputs)}
    pictures = (picture for name in names for picture in list_pictures(root, f"{folder}/{name}", label_of[index[name]]))
    return _pictures(pictures, classes, label=label, contents=Files(root=root), outputs=outputs)


def present_classes(folder: Path, classes: Sequence[str], *, label: str) -> tuple[str, ...]:
    """Those of `classes` that have a folder in `folder`, sorted; no picture is looked for.

    Raises:
        DataError: there are no folders, or one is not a class of the network.
    """
    names, known = class_folders(_folder(folder), label=label), frozenset(classes)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise DataError(
            f"{len(unknown)} of {len(names)} class folders of {label} are no classes of the network, such as "
            f"{unknown[0]!r}; names such as {classes[0]!r} are allowed; rename them, or name another folder"
        )
    return names


def _pictures_in_tables(root: Path, tables: tuple[str, ...], classes: Sequence[str], *, label: str) -> Pictures:
    source = ParquetSource(label=label, root=root, files={"val": tables})
    output_of = _outputs(source.class_names(), classes, label, is_text=table_layout(root, tables).is_text)
    pictures = (
        picture._replace(label=output_of[picture.label]) for picture in source.pictures("val", range(len(output_of)))
    )
    return _pictures(pictures, classes, label=label, contents=Tables(source=source))


def _outputs(names: Sequence[str], classes: Sequence[str], label: str, *, is_text: bool) -> Sequence[int]:
    """The network's output of each label of a table: by name, or by number where there are as many as outputs.

    Tables on hubs call ImageNet's classes "tench, Tinca tinca" and so on, numbered in the order of the WNIDs. Fewer
    numbers say nothing: those of a part of ImageNet begin at 0 again.
    """
    index = {name: number for number, name in enumerate(classes)}
    if all(name in index for name in names):
        return [index[name] for name in names]
    if not is_text and len(names) == len(classes):
        return range(len(names))
    raise DataError(
        f"{label} has {len(names)} classes such as {names[0]!r}; names such as {classes[0]!r} are allowed, or numbers "
        f"of all {len(classes):,} classes of the network; give the table's labels names, or name another folder"
    )


def _pictures(
    pictures: Iterable[Picture],
    classes: Sequence[str],
    *,
    label: str,
    contents: Contents,
    outputs: Sequence[int] | None = None,
) -> Pictures:
    ordered = tuple(sorted(pictures))
    if not ordered:
        raise DataError(f"{label} has no pictures in its classes; at least one is needed; name another folder")
    return Pictures(
        label=label,
        pictures=ordered,
        outputs=tuple(range(len(classes)) if outputs is None else outputs),
        num_classes=len(classes),
        contents=contents,
    )


def _folder(path: Path) -> Path:
    if not path.is_dir():
        state = "a file" if path.exists() else "not there"
        raise DataError(f"{str(path)!r} is {state}; a folder of pictures is needed; correct the path")
    return path


def _is_flat(folder: Path) -> bool:
    with os.scandir(_folder(folder)) as entries:
        return any(entry.name.startswith(_FLAT_PICTURE) for entry in entries)


def _validation_tables(root: Path) -> tuple[str, ...]:
    """Those with validation in their names; otherwise those that say nothing, and at last those for tests."""
    words: Mapping[str, frozenset[str]] = {
        name: frozenset(re.split(r"[^a-z]+", name.lower())) for name in list_tables(root)
    }
    named = tuple(name for name in words if words[name] & _VAL_WORDS)
    plain = tuple(name for name in words if not words[name] & _OTHER_WORDS)
    return named or plain or tuple(name for name in words if not words[name] & {"train", "training"})
