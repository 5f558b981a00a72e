from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.errors import DataError
from bench.proxies.datasets import check_data, detect, open_data

from .made import jpeg, write_folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    write_folder(tmp_path / "pets" / "train", {"cat": 20, "dog": 20, "emu": 20})
    write_folder(tmp_path / "pets" / "val", {"cat": 5, "dog": 5, "emu": 5})
    return tmp_path / "pets"


def _refuse_progress(done: int, total: int) -> None:
    raise AssertionError(f"decoded {done} of {total} again")


def test_second_opening_decodes_nothing(pictures: Path, tmp_path: Path) -> None:
    options = {"resolution": 16, "seed": 0, "cache_dir": tmp_path / "cache", "processes": 0}
    first = open_data(str(pictures), **options)
    second = open_data(str(pictures), progress=_refuse_progress, **options)
    assert first.hash == second.hash
    assert (first.train.images == second.train.images).all()


def test_new_picture_is_noticed(pictures: Path, tmp_path: Path) -> None:
    options = {"resolution": 16, "seed": 0, "cache_dir": tmp_path / "cache", "processes": 0}
    first = open_data(str(pictures), **options)
    (pictures / "train" / "cat" / "new.jpg").write_bytes(jpeg())
    second = open_data(str(pictures), **options)
    assert len(second.train.labels) == len(first.train.labels) + 1
    assert second.hash != first.hash


def test_moved_data_set_is_not_packed_again(pictures: Path, tmp_path: Path) -> None:
    options = {"resolution": 16, "seed": 0, "cache_dir": tmp_path / "cache", "processes": 0}
    first = open_data(str(pictures), **options)
    moved = pictures.rename(tmp_path / "moved")
    assert open_data(str(moved), progress=_refuse_progress, **options).hash == first.hash


def test_description_is_plain_data_without_the_users_folders(pictures: Path, tmp_path: Path) -> None:
    data = open_data(str(pictures), resolution=16, seed=3, cache_dir=tmp_path / "cache", classes=2, processes=0)
    assert json.loads(json.dumps(data.description())) == {
        "data": "folder:pets",
        "data_hash": data.hash,
        "data_seed": 3,
        "resolution": 16,
        "classes": 2,
        "train_pictures": 40,
        "val_pictures": 10,
        "skipped_pictures": 0,
    }


def test_check_tells_what_will_be_packed(pictures: Path, tmp_path: Path) -> None:
    options = {"resolution": 16, "seed": 0, "cache_dir": tmp_path / "cache", "train_per_class": 4}
    check = check_data(str(pictures), **options)
    assert (check.classes, check.train_pictures, check.val_pictures, check.is_packed) == (3, 12, 15, False)
    assert open_data(str(pictures), processes=0, **options).hash == check.hash
    assert check_data(str(pictures), **options).is_packed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{root}/nowhere", r"'.*/nowhere' is not there; --data takes a folder of pictures"),
        ("{root}/file", r"'.*/file' is a file; --data takes a folder"),
        ("{root}/empty", r"empty holds no pictures in classes: 0 folders and 0 files; a folder per class"),
        ("{root}/flat", r"holds no pictures in classes: 0 folders and 2 files \(0\.jpg, 1\.jpg\)"),
        ("folder:{root}/flat", r"has no classes: .* holds 0 folders and 2 files"),
        ("parquet:{root}/flat", r"has no Parquet or Arrow files: .* holds 0 folders and 2 files"),
        ("imagenet:{root}/flat", r"has no train/ folder"),
    ],
)
def test_what_cannot_work_is_refused_early(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "flat").mkdir()
    (tmp_path / "file").write_text("")
    for number in range(2):
        (tmp_path / "flat" / f"{number}.jpg").write_bytes(jpeg())
    with pytest.raises(DataError, match=message):
        check_data(text.format(root=tmp_path), resolution=16, seed=0, cache_dir=tmp_path / "cache")


def test_folder_of_nothing_but_broken_pictures_is_refused_early(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "pets", {"cat": 10, "dog": 0}, broken=10)
    for number in range(10):
        (root / "dog" / f"{number}.jpg").write_bytes(b"<html>404</html>")
    with pytest.raises(DataError, match=r"none of 4 pictures tried in folder:.* is readable, such as cat/"):
        check_data(str(root), resolution=16, seed=0, cache_dir=tmp_path / "cache")


def test_resolution_has_a_floor(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="resolution 4; at least 8 px"):
        check_data("fractals", resolution=4, seed=0, cache_dir=tmp_path)


def test_layouts_are_told_apart(pictures: Path, labelled_imagenet: Path, tmp_path: Path) -> None:
    assert detect(pictures) == "folder"
    assert detect(labelled_imagenet) == "imagenet"
    assert detect(write_folder(tmp_path / "flat", {"cat": 1, "dog": 1})) == "folder"
    (tmp_path / "tables" / "data").mkdir(parents=True)
    (tmp_path / "tables" / "data" / "train-00000-of-00001.parquet").write_bytes(b"PAR1")
    assert detect(tmp_path / "tables") == "parquet"
