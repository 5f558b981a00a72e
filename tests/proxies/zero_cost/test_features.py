from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from bench.errors import ConfigError
from bench.networks.cost import cost_quantities
from bench.proxies.zero_cost import FEATURES, PROXIES, features, zero_cost_features

from .networks import SMALL

POINT = SMALL["fastvit"]


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "_known", {})


def test_features_are_numbers_by_name() -> None:
    found = zero_cost_features(POINT)
    assert tuple(found) == FEATURES
    assert all(math.isfinite(value) for value in found.values())
    assert (found["params_m"], found["macs_g"]) == tuple(
        cost_quantities(POINT)[name] for name in ("params_m", "macs_g")
    )


def test_a_part_of_them_is_the_same_part() -> None:
    one_by_one = {name: zero_cost_features(POINT, names=(name,))[name] for name in reversed(FEATURES)}
    features._known.clear()
    assert zero_cost_features(POINT) == one_by_one


def test_an_architecture_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = zero_cost_features(POINT)
    monkeypatch.setattr(features, "build", None)  # whoever builds again fails
    assert zero_cost_features(POINT) == first
    with pytest.raises(TypeError):
        zero_cost_features(POINT, seed=1)


def test_what_was_found_is_kept_in_a_file_and_a_damaged_one_made_again(tmp_path: Path) -> None:
    first = zero_cost_features(POINT, cache_dir=tmp_path)
    (file,) = tmp_path.rglob("*.json")
    assert set(json.loads(file.read_text())) == set(PROXIES)
    stored = json.loads(file.read_text()) | {"zico": 1.5}
    file.write_text(json.dumps(stored))
    features._known.clear()
    assert zero_cost_features(POINT, cache_dir=tmp_path) == first | {"zico": 1.5}
    file.write_text("{")
    features._known.clear()
    assert zero_cost_features(POINT, cache_dir=tmp_path) == first
    assert json.loads(file.read_text())["zico"] == first["zico"]
    assert len(list(tmp_path.rglob("*"))) == 3


def test_sizes_cost_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "build", None)
    assert set(zero_cost_features(POINT, names=("macs_g",))) == {"macs_g"}


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(ConfigError, match=r"unknown zero-cost proxy 'synflw'; known: .*; did you mean 'synflow'\?"):
        zero_cost_features(POINT, names=("synflw",))
