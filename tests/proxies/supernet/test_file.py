"""The file of a supernet holds data, and says what it is of."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from bench.errors import NetworkError
from bench.proxies.supernet import Supernet, read_supernet

from .made import SMOKE, cache_of, settings_of


class Spiteful:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_it_says_what_it_is_of(trained: Supernet, folder: Path) -> None:
    found = read_supernet(folder / "whole.pt")
    assert found.settings == settings_of()
    assert found.space == SMOKE
    assert (found.digest, found.data["classes"], found.data["resolution"]) == (trained.digest, 2, 64)
    assert found.weights.covering == trained.weights.covering


def test_a_finished_one_keeps_no_more_than_its_weights(trained: Supernet, folder: Path) -> None:
    size = (folder / "whole.pt").stat().st_size
    assert size < 2.5 * sum(value.numel() * 4 for value in trained.weights.parameters())


def test_nothing_in_a_file_is_run(tmp_path: Path) -> None:
    path, made = tmp_path / "spiteful.pt", tmp_path / "made"
    torch.save({"supernet": 1, "about": Spiteful(made)}, path)
    with pytest.raises(NetworkError, match="is no supernet of this release"):
        read_supernet(path)
    assert not made.exists()


@pytest.mark.parametrize("content", [{"weights": torch.zeros(2)}, [1, 2], {"supernet": 99, "about": "{}"}])
def test_other_files_are_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "other.pt"
    torch.save(content, path)
    with pytest.raises(
        NetworkError, match=r"is no supernet of this release .*a file of bench supernet train is needed"
    ):
        read_supernet(path)


def test_a_file_that_is_cut_off_is_refused(trained: Supernet, folder: Path, tmp_path: Path) -> None:
    whole = (folder / "whole.pt").read_bytes()
    for length in (0, 10, len(whole) // 2):
        path = tmp_path / f"{length}.pt"
        path.write_bytes(whole[:length])
        with pytest.raises(NetworkError, match="is no supernet of this release"):
            read_supernet(path)


def test_weights_that_are_not_there_are_refused(trained: Supernet, folder: Path, tmp_path: Path) -> None:
    content = torch.load(folder / "whole.pt", weights_only=True)
    del content["average"]["head.fc.weight"]
    torch.save(content, tmp_path / "less.pt")
    with pytest.raises(NetworkError, match=r"head\.fc\.weight are missing and should be"):
        read_supernet(tmp_path / "less.pt")


def test_other_pictures_than_it_was_trained_on_are_refused(trained: Supernet, folder: Path, tmp_path: Path) -> None:
    content = torch.load(folder / "whole.pt", weights_only=True)
    content["about"] = content["about"].replace(trained.data["data_hash"], "0" * 32)
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(NetworkError, match="have changed since the supernet was trained"):
        read_supernet(tmp_path / "other.pt").opened(cache_of(folder))
