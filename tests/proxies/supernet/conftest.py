from __future__ import annotations

from pathlib import Path

import pytest

from bench.proxies.supernet import Supernet, train_supernet

from .made import cache_of, settings_of


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the file `whole.pt` of `trained`, and the packed pictures."""
    return tmp_path_factory.mktemp("supernet")


@pytest.fixture(scope="package")
def trained(folder: Path) -> Supernet:
    """Of the space smoke, in one go."""
    return train_supernet(settings_of(), folder / "whole.pt", cache=cache_of(folder))
