from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import DataError
from bench.proxies.folders import find_folders, found

from .made import jpeg, write_folder


@pytest.mark.parametrize("val", ["val", "validation", "valid", "test"])
def test_train_and_validation_folders(tmp_path: Path, val: str) -> None:
    write_folder(tmp_path / "train", {"cat": 2, "dog": 3})
    write_folder(tmp_path / val, {"cat": 1, "dog": 1})
    source = find_folders(tmp_path, label="x")
    assert source.splits() == ("train", "val")
    assert source.class_names() == ("cat", "dog")
    assert sorted(p.name for p in source.pictures("train", [1])) == [f"train/dog/{i:04d}.jpg" for i in range(3)]
    assert [p.label for p in source.pictures("val", [0, 1])] == [0, 1]


def test_validation_is_preferred_to_test(tmp_path: Path) -> None:
    for part in ("train", "test", "val"):
        write_folder(tmp_path / part, {"cat": 1, "dog": 1})
    assert find_folders(tmp_path, label="x").parts == {"train": "train", "val": "val"}


def test_flat_layout_has_train_only(tmp_path: Path) -> None:
    source = find_folders(write_folder(tmp_path, {"cat": 1, "dog": 1}), label="x")
    assert source.splits() == ("train",)
    assert [p.name for p in source.pictures("train", [0])] == ["cat/0000.jpg"]


def test_nested_hidden_and_other_files(tmp_path: Path) -> None:
    write_folder(tmp_path, {"cat": 0, "dog": 1})
    (tmp_path / "cat" / "images").mkdir()
    (tmp_path / "cat" / "images" / "A.JPEG").write_bytes(jpeg())
    (tmp_path / "cat" / "._A.jpg").write_bytes(b"resource fork")
    (tmp_path / "cat" / "boxes.txt").write_text("0 0 1 1")
    (tmp_path / ".git").mkdir()
    source = find_folders(tmp_path, label="x")
    assert source.class_names() == ("cat", "dog")
    assert [p.name for p in source.pictures("train", [0])] == ["cat/images/A.JPEG"]


def test_stamp_notices_new_pictures(tmp_path: Path) -> None:
    source = find_folders(write_folder(tmp_path, {"cat": 1, "dog": 1}), label="x")
    before = source.stamp()
    assert source.stamp() == before
    (tmp_path / "cat" / "new.jpg").write_bytes(jpeg())
    assert source.stamp() != before


def test_folder_without_classes_says_what_is_there(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg())
    message = r"x has no classes: .* holds 0 folders and 5 files \(0\.jpg, 1\.jpg, 2\.jpg, \.\.\.\); a folder per class"
    with pytest.raises(DataError, match=message):
        find_folders(tmp_path, label="x")


def test_found_describes_what_is_not_there(tmp_path: Path) -> None:
    assert found(tmp_path) == "0 folders and 0 files"
    assert "not a folder" in found(tmp_path / "absent")


def test_vanished_file_is_unreadable(tmp_path: Path) -> None:
    source = find_folders(write_folder(tmp_path, {"cat": 1, "dog": 1}), label="x")
    assert [str(r) for r in source.read(["cat/gone.jpg"], 8)] == [
        "Unreadable(reason='FileNotFoundError: No such file or directory', may_pass=True)"
    ]
