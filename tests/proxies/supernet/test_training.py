"""A supernet is trained as any network is, and goes on exactly where it was ended."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench.errors import ConfigError, DataError, NetworkError
from bench.proxies.supernet import Pictures, Supernet, read_supernet, train_supernet
from bench.proxies.supernet.weights import SharedWeights
from bench.space import load_space

from .made import SMOKE, cache_of, settings_of


def after(looks: int) -> Callable[[], bool]:
    """Asks for an end at the look of that number."""
    left = iter(range(looks))
    return lambda: next(left, None) is None


def test_training_moves_the_weights_of_every_network_it_saw(trained: Supernet) -> None:
    fresh = SharedWeights.fresh(SMOKE, num_classes=2)
    moved = [not torch.equal(value, trained.weights.get_parameter(name)) for name, value in fresh.named_parameters()]
    assert sum(moved) > 0.8 * len(moved)
    assert all(value.isfinite().all() for value in trained.weights.parameters())
    assert (trained.images_seen, trained.training) == (64, None)


@pytest.mark.parametrize("seconds", [0.0, math.inf], ids=["kept each look", "kept at the end"])
def test_what_was_stopped_goes_on_to_the_same_weights(
    trained: Supernet, folder: Path, tmp_path: Path, seconds: float
) -> None:
    path = tmp_path / "stopped.pt"
    stopped = train_supernet(settings_of(), path, cache=cache_of(folder), checkpoint_s=seconds, is_stopped=after(2))
    assert 0 < stopped.images_seen < 64
    assert stopped.training is not None
    told: list[int] = []
    ended = train_supernet(
        settings_of(), path, cache=cache_of(folder), is_resumed=True, progress=lambda done, _: told.append(done)
    )
    assert told[0] == stopped.images_seen
    assert ended.digest == trained.digest != stopped.digest
    again = train_supernet(settings_of(), path, cache=cache_of(folder), is_resumed=True)
    assert again.digest == ended.digest


def test_there_is_a_file_to_go_on_with_before_the_first_step(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "begun.pt"
    begun = train_supernet(settings_of(), path, cache=cache_of(folder), is_stopped=lambda: True)
    assert begun.images_seen == 0
    fresh = SharedWeights.fresh(SMOKE, num_classes=2)
    assert all(
        torch.equal(value, begun.weights.get_parameter(name).contiguous()) for name, value in fresh.named_parameters()
    )
    assert [found.name for found in tmp_path.iterdir()] == ["begun.pt"]


def test_a_file_is_neither_overwritten_nor_gone_on_with_otherwise(trained: Supernet, folder: Path) -> None:
    path, cache = folder / "whole.pt", cache_of(folder)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="is there already; --resume goes on"):
        train_supernet(settings_of(), path, cache=cache)
    for settings, differs in (
        (settings_of(images=96), "images is 64, not 96"),
        (settings_of(networks=4), "networks is 3, not 4"),
        (replace(settings_of(), pictures=Pictures(classes=3)), "classes is 2, not 3"),
        (replace(settings_of(), space_text=SMOKE.with_rules(("macs_g <= 1",)).text), "other choices or rules"),
    ):
        with pytest.raises(ConfigError, match=differs):
            train_supernet(settings, path, cache=cache, is_resumed=True)
    assert path.read_bytes() == before
    with pytest.raises(NetworkError, match="there is no such file; bench supernet train writes one"):
        train_supernet(settings_of(), folder / "none.pt", cache=cache, is_resumed=True)


def test_other_pictures_than_before_are_refused(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "begun.pt"
    train_supernet(settings_of(), path, cache=cache_of(folder), is_stopped=lambda: True)
    content = torch.load(path, weights_only=True)
    before = read_supernet(path).data["data_hash"]
    content["about"] = content["about"].replace(before, "0" * len(before))
    torch.save(content, path)
    with pytest.raises(DataError, match="have changed since the supernet was begun"):
        train_supernet(settings_of(), path, cache=cache_of(folder), is_resumed=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (settings_of(networks=1), "networks is 1; it must be 2 or more"),
        (settings_of(images=8), "images is 8; it must be 16 or more"),
        (replace(settings_of(), resolution=50), "resolution is 50; multiples of 32 px"),
    ],
)
def test_settings_out_of_range_are_refused(tmp_path: Path, settings: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        train_supernet(settings, tmp_path / "no.pt", cache=tmp_path)  # type: ignore[arg-type]


def test_a_space_of_another_family_is_refused(folder: Path, tmp_path: Path) -> None:
    settings = replace(settings_of(), space_text=load_space("mobileone").text)
    with pytest.raises(NetworkError, match="not of the family fastvit"):
        train_supernet(settings, tmp_path / "no.pt", cache=cache_of(folder))
    assert not (tmp_path / "no.pt").exists()
