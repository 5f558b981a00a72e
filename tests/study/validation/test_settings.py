from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.errors import ConfigError
from bench.study.config import DataConfig, ProxyConfig
from bench.study.validation import Validation
from bench.study.validation.settings import checked, difference, label_of

from .made import PICTURES, quick


def test_the_short_training_is_that_of_a_search_and_the_long_one_sees_more() -> None:
    usual = Validation()
    assert usual.rungs == (288, 896, 2656, 8000)
    assert usual.long_images == 64_000
    assert Validation(proxy=ProxyConfig(images=100, batch_size=32), longer=1.5).long_images == 160
    config = usual.study(usual.data, seed=1, images=usual.long_images)
    assert (config.seed, config.proxy.images, config.data) == (1, 64_000, usual.data)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n": 3}, "n is 3; it must be 4 or more"),
        ({"seeds": 0}, "seeds is 0; it must be 1 or more"),
        ({"longer": 1.0}, "longer is 1; the long training sees more pictures"),
        ({"resolution": 48}, "resolution is 48; multiples of 32 px are allowed"),
        ({"proxy": ProxyConfig(images=8)}, "proxy.images is 8; it must be 32 or more"),
        ({"data": DataConfig(classes=1)}, "data.classes is 1; it must be 2 or more"),
        ({"against": PICTURES}, "--against-data fractals is the same as --data"),
    ],
)
def test_what_cannot_be_answered_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        checked(quick(**settings))


def test_data_is_named_so_that_any_folder_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pictures").mkdir()
    monkeypatch.chdir(tmp_path)
    found = checked(quick(against=DataConfig(source="folder:pictures")))
    assert found.against is not None
    assert found.against.source == f"folder:{tmp_path / 'pictures'}"
    assert [label_of(data) for data in found.data_sets] == ["fractals", "folder:pictures"]
    assert label_of(DataConfig(source=f"{tmp_path}/pictures/")) == "pictures"


def test_what_differs_is_told() -> None:
    first, second = (json.loads(json.dumps(quick(n=n).to_dict())) for n in (4, 5))
    assert difference(first, first) is None
    assert difference(first, second) == "n: 4 and 5"


def test_a_setting_that_came_later_had_its_usual_value_before() -> None:
    now = Validation().to_dict()
    before = json.loads(json.dumps(now))
    del before["proxy"]["supernet"]
    assert difference(before, now) is None
    assert difference(before, Validation(proxy=ProxyConfig(supernet="a.pt")).to_dict()) is not None
    del before["seeds"], before["against"]
    assert difference(before, now) is None
    assert difference(before, Validation(seeds=3).to_dict()) == f"seeds: {Validation().seeds} and 3"
