from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.errors import DataError
from bench.proxies.datasets import open_data
from bench.proxies.parquet import ParquetSource, find_parquet

from .made import jpeg

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
NAMES = ["tench", "goldfish", "shark"]


def _table(labels: list[int], *, names: Any = NAMES, columns: tuple[str, str] = ("image", "label")) -> pa.Table:
    cells = [{"bytes": jpeg((80 * label, row % 256, 50)), "path": f"{row}.jpg"} for row, label in enumerate(labels)]
    table = pa.table({columns[0]: pa.array(cells, IMAGE), columns[1]: pa.array(labels, pa.int64())})
    if names is None:
        return table
    features = {columns[0]: {"_type": "Image"}, columns[1]: {"names": names, "_type": "ClassLabel"}}
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def _write(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=7)
        return
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=7)


def _find(root: Path) -> ParquetSource:
    return find_parquet(root, label="parquet:x")


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_hub_layout_is_packed(tmp_path: Path, suffix: str) -> None:
    root = tmp_path / "hub"
    _write(root / "data" / f"train-00000-of-00002.{suffix}", _table([0, 1, 2] * 10))
    _write(root / "data" / f"train-00001-of-00002.{suffix}", _table([2, 1, 0] * 10))
    _write(root / "data" / f"validation-00000-of-00001.{suffix}", _table([0, 1, 2] * 3))
    _write(root / "data" / f"test-00000-of-00001.{suffix}", _table([-1] * 5))
    data = open_data(str(root), resolution=16, seed=0, cache_dir=tmp_path / "cache")
    assert sorted(data.classes) == sorted(NAMES)
    assert (len(data.train.labels), len(data.val.labels)) == (60, 9)
    shade = {"tench": 0, "goldfish": 80, "shark": 160}
    for image, label in zip(data.train.images, data.train.labels, strict=True):
        assert abs(int(image[..., 0].mean()) - shade[data.classes[label]]) < 6


def test_test_files_serve_where_there_is_no_validation(tmp_path: Path) -> None:
    _write(tmp_path / "train" / "0000.parquet", _table([0, 1, 2]))
    _write(tmp_path / "test" / "0000.parquet", _table([0, 1, 2]))
    assert dict(_find(tmp_path).files) == {"train": ("train/0000.parquet",), "val": ("test/0000.parquet",)}


def test_files_without_a_split_in_their_names_are_for_training(tmp_path: Path) -> None:
    _write(tmp_path / "part-0.parquet", _table([0, 1, 2]))
    assert _find(tmp_path).splits() == ("train",)


def test_fine_labels_are_preferred(tmp_path: Path) -> None:
    table = _table([0, 1, 2], columns=("img", "fine_label"))
    coarse = table.append_column("coarse_label", pa.array([0, 0, 1], pa.int64()))
    _write(tmp_path / "train.parquet", coarse)
    assert [p.label for p in _find(tmp_path).pictures("train", [0, 1, 2])] == [0, 1, 2]


@pytest.mark.parametrize("names", [{"0": "tench", "1": "goldfish", "2": "shark"}, NAMES])
def test_class_names_of_old_and_new_files(tmp_path: Path, names: Any) -> None:
    _write(tmp_path / "train.parquet", _table([0, 1, 2], names=names))
    assert _find(tmp_path).class_names() == tuple(NAMES)


def test_labels_without_names_are_numbers(tmp_path: Path) -> None:
    _write(tmp_path / "train.parquet", _table([0, 1, 2, 1], names=None))
    assert _find(tmp_path).class_names() == ("0", "1", "2")


def test_text_labels_and_plain_bytes(tmp_path: Path) -> None:
    table = pa.table({"image": pa.array([jpeg(), jpeg()], pa.binary()), "label": ["dog", "cat"]})
    _write(tmp_path / "train.parquet", table)
    source = _find(tmp_path)
    assert source.class_names() == ("cat", "dog")
    pictures = list(source.pictures("train", [0, 1]))
    assert [p.label for p in pictures] == [1, 0]
    assert all(isinstance(image, np.ndarray) for image in source.read([p.name for p in pictures], 16))


def test_pictures_by_path_lie_beside_the_table(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg())
    cells = [{"bytes": None, "path": "a.jpg"}, {"bytes": None, "path": "b.jpg"}, {"bytes": None, "path": None}]
    table = pa.table({"image": pa.array(cells, IMAGE), "label": pa.array([0, 1, 1], pa.int64())})
    _write(tmp_path / "train.parquet", table)
    source = _find(tmp_path)
    found = list(source.read([p.name for p in source.pictures("train", [0, 1])], 16))
    assert isinstance(found[0], np.ndarray)
    assert [str(r) for r in found[1:]] == [
        "Unreadable(reason='FileNotFoundError: No such file or directory', may_pass=True)",
        "Unreadable(reason='the row holds no picture', may_pass=False)",
    ]


def test_table_without_pictures(tmp_path: Path) -> None:
    _write(tmp_path / "train.parquet", pa.table({"text": ["a"], "label": [0]}))
    with pytest.raises(DataError, match=r"train.parquet has no column of pictures; its columns are text, label"):
        _find(tmp_path).class_names()


def test_torn_table(tmp_path: Path) -> None:
    (tmp_path / "train.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match=r"cannot read .*train.parquet \(.*\); a whole Parquet or Arrow file"):
        _find(tmp_path).class_names()
