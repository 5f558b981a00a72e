from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import DataError
from bench.proxies.datasets import check_data, open_data
from bench.proxies.timm_data import find_timm

from .made import write_folder


def test_absent_data_set_says_how_to_get_it(tmp_path: Path) -> None:
    message = r"'torch/cifar10' is not in .*timm \(.*\); nothing is fetched unless asked for; add --download"
    with pytest.raises(DataError, match=message):
        check_data("timm:torch/cifar10", resolution=16, seed=0, cache_dir=tmp_path)


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"timm knows no data set 'torch/cifr10'"):
        check_data("timm:torch/cifr10", resolution=16, seed=0, cache_dir=tmp_path)
    with pytest.raises(DataError, match=r"'cifar10' is no data set that timm can index; known: torch/NAME"):
        find_timm("cifar10", tmp_path, label="timm:cifar10", download=False)


def test_data_set_that_is_there_is_packed(tmp_path: Path) -> None:
    for part in ("train", "val"):
        write_folder(tmp_path / "own" / part, {"cat": 4, "dog": 4})
    text = f"timm:torch/image_folder,root={tmp_path / 'own'}"
    data = open_data(text, resolution=16, seed=0, cache_dir=tmp_path / "cache", processes=0)
    assert data.classes == ("cat", "dog")
    assert (len(data.train.labels), len(data.val.labels)) == (8, 8)
    assert data.name == "timm:torch/image_folder"
