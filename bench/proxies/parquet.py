"""Parquet and Arrow files in the Hugging Face image layout: a struct {bytes, path} or plain bytes, and a
label.

Splits are read from file or folder names (train-00000-of-00002.parquet, validation/0000.parquet), class
names from the ClassLabel in the schema's metadata. A picture is named by file and row, so neighbours in a
file stay neighbours when they are packed and each row group is read about once.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError
from bench.proxies.contents import read_cell
from bench.proxies.decoding import Unreadable, decode
from bench.proxies.folders import found
from bench.proxies.subset import SPLITS, Picture, SplitName

_SUFFIXES = (".parquet", ".arrow")
_SPLIT_WORDS: tuple[tuple[SplitName, frozenset[str]], ...] = (
    ("train", frozenset(("train", "training"))),
    ("val", frozenset(("val", "validation", "valid", "dev", "eval"))),
)
_TEST_WORDS = frozenset(("test", "testing"))  # serves as validation where there is nothing better
_IMAGE_NAMES = ("image", "img", "images", "picture", "jpg", "png")
_LABEL_NAMES = ("label", "labels", "fine_label", "target", "class", "cls")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetSource:
    """Parquet or Arrow files of one data set, by split."""

    label: str
    root: Path
    files: Mapping[SplitName, tuple[str, ...]]

    def class_names(self) -> tuple[str, ...]:
        return table_layout(self.root, self._all_files()).classes

    def splits(self) -> tuple[SplitName, ...]:
        return tuple(split for split in SPLITS if split in self.files)

    def stamp(self) -> str:
        stats = [(name, (self.root / name).stat()) for name in self._all_files()]
        return str([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats])

    def pictures(self, split: SplitName, labels: Sequence[int]) -> Iterator[Picture]:
        layout = table_layout(self.root, self._all_files())
        wanted = frozenset(labels)
        for file in self.files[split]:
            size = (self.root / file).stat().st_size
            for row, label in enumerate(layout.labels(self.root / file)):
                if label in wanted:
                    yield Picture(f"{file}#{row:09d}", label, size)

    def read(self, names: Sequence[str], resolution: int) -> Iterator[NDArray[np.uint8] | Unreadable]:
        column = table_layout(self.root, self._all_files()).image
        for file, group in groupby(names, key=lambda name: name.rpartition("#")[0]):
            rows = [int(name.rpartition("#")[2]) for name in group]
            for cell in open_table(self.root / file).cells(rows, column):
                content = read_cell(cell, (self.root / file).parent)
                yield content if isinstance(content, Unreadable) else decode(content, resolution)

    def _all_files(self) -> tuple[str, ...]:
        return tuple(file for split in self.splits() for file in self.files[split])


def list_tables(root: Path) -> tuple[str, ...]:
    """Parquet and Arrow files up to two folders below `root`, without the caches that `datasets` leaves."""
    paths = [path for pattern in ("*", "*/*", "*/*/*") for path in root.glob(pattern) if path.suffix in _SUFFIXES]
    return tuple(sorted(str(path.relative_to(root)) for path in paths if not path.name.startswith(("cache-", "."))))


def find_parquet(root: Path, *, label: str) -> ParquetSource:
    """The tables below `root` by split.

    Raises:
        DataError: there are none, or none for training; the message says what was found.
    """
    tables = list_tables(root)
    if not tables:
        raise DataError(
            f"{label} has no Parquet or Arrow files: {root} holds {found(root)}; files such as "
            "train-00000-of-00001.parquet are needed; name the folder that has them"
        )
    files: dict[SplitName, tuple[str, ...]] = {}
    for split, words in _SPLIT_WORDS:
        files[split] = tuple(name for name in tables if _words(name) & words)
    if not files["val"]:
        files["val"] = tuple(name for name in tables if _words(name) & _TEST_WORDS and name not in files["train"])
    if not files["train"] and not files["val"]:
        files["train"] = tables
    if not files["train"]:
        raise DataError(
            f"{label} has no training files: {root} holds {len(tables)} tables such as {tables[0]}; "
            "'train' has to stand "
            "in the name of file or folder; rename them"
        )
    return ParquetSource(label=label, root=root, files={split: names for split, names in files.items() if names})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Which columns hold picture and label, and what the labels are called."""

    image: str
    label: str
    classes: tuple[str, ...]
    is_text: bool

    def labels(self, path: Path) -> Iterator[int]:
        values = open_table(path).column(self.label)
        if self.is_text:
            index = {name: number for number, name in enumerate(self.classes)}
            return (index[value] for value in values)
        return (-1 if value is None else int(value) for value in values)


@functools.lru_cache(maxsize=8)
def table_layout(root: Path, files: tuple[str, ...]) -> _Layout:
    import pyarrow as pa

    schema = open_table(root / files[0]).schema
    features = _features(schema.metadata)
    images = [n for n in schema.names if features.get(n, {}).get("_type") == "Image" or _is_image(schema.field(n).type)]
    is_label = (pa.types.is_integer, pa.types.is_string, pa.types.is_large_string)
    labels = [n for n in schema.names if features.get(n, {}).get("_type") == "ClassLabel"] or [
        n for n in schema.names if n in _LABEL_NAMES and any(check(schema.field(n).type) for check in is_label)
    ]
    if not images or not labels:
        missing = "pictures" if not images else "labels"
        raise DataError(
            f"{root / files[0]} has no column of {missing}; its columns are {', '.join(schema.names)}; a "
            "struct of bytes "
            f"and path and an integer or ClassLabel named {', '.join(_LABEL_NAMES[:3])} are needed; rename "
            "the columns"
        )
    image, label = _preferred(images, _IMAGE_NAMES), _preferred(labels, _LABEL_NAMES)
    is_text = not pa.types.is_integer(schema.field(label).type)
    names = features.get(label, {}).get("names")
    if names is None:
        values = {value for file in files for value in open_table(root / file).column(label) if value is not None}
        names = sorted(values) if is_text else range(1 + max(values, default=-1))
    return _Layout(image=image, label=label, classes=tuple(str(name) for name in names), is_text=is_text)


def _features(metadata: Mapping[bytes, bytes] | None) -> Mapping[str, Any]:
    """The columns as `datasets` describes them; `names` is a list, or a mapping in older files."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError):
        return {}
    for feature in features.values():
        if isinstance(feature, dict) and isinstance(feature.get("names"), dict):
            feature["names"] = [feature["names"][key] for key in sorted(feature["names"], key=int)]
    return {name: feature for name, feature in features.items() if isinstance(feature, dict)}


def _is_image(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return "bytes" in {kind.field(index).name for index in range(kind.num_fields)}
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _preferred(names: Sequence[str], order: Sequence[str]) -> str:
    return min(names, key=lambda name: order.index(name) if name in order else len(order))


def _words(name: str) -> frozenset[str]:
    return frozenset(re.split(r"[^a-z]+", name.lower()))


class _Table:
    """One Parquet or Arrow file, read by row group; the last one used is kept."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            if path.suffix == ".parquet":
                self._file = pq.ParquetFile(path, memory_map=True)
                counts = [self._file.metadata.row_group(i).num_rows for i in range(self._file.num_row_groups)]
                self.schema = self._file.schema_arrow
            else:
                self._file, self._table = None, _read_arrow(path)
                counts, self.schema = [self._table.num_rows], self._table.schema
        except (pa.ArrowInvalid, OSError) as error:
            reason = str(error).splitlines()[0]
            raise DataError(
                f"cannot read {path} ({reason}); a whole Parquet or Arrow file is needed; fetch it again"
            ) from error
        self._starts = np.cumsum([0, *counts])
        self._kept: tuple[int, Any] = (-1, None)

    def column(self, name: str) -> list[Any]:
        if self._file is None:
            return list(self._table.column(name).to_pylist())
        return list(self._file.read(columns=[name]).column(name).to_pylist())

    def cells(self, rows: Sequence[int], column: str) -> Iterator[Any]:
        for row in rows:
            group = int(np.searchsorted(self._starts, row, side="right")) - 1
            if self._kept[0] != group:
                table = self._table if self._file is None else self._file.read_row_group(group, columns=[column])
                self._kept = (group, table.column(column))
            yield self._kept[1][row - int(self._starts[group])].as_py()


def _read_arrow(path: Path) -> Any:
    """Memory-mapped: `datasets` writes the stream format, others the file format."""
    import pyarrow as pa

    source = pa.memory_map(str(path))
    try:
        return pa.ipc.open_stream(source).read_all()
    except pa.ArrowInvalid:
        return pa.ipc.open_file(source).read_all()


@functools.lru_cache(maxsize=4)
def open_table(path: Path) -> _Table:
    return _Table(path)
