"""Scores without training: by what they are told, and that a study keeps to it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from scripted import add_study, config_of

from bench.errors import TrainingError
from bench.networks.cost import cost_quantities
from bench.proxies.zero_cost import NUM_PICTURES, PARTS, combine, features, standards_of, zero_cost_features
from bench.space import Space, load_space
from bench.store import open_store
from bench.study.config import ZERO_COST_IMAGES
from bench.study.untrained import (
    EVENT,
    ZERO_COST_AT_SIZE,
    drawn_features,
    score_at_size,
    study_standards,
    take_over_standards,
    untrained_score,
)

SMOKE = load_space("smoke")
POINT = SMOKE.reference_points["smoke_repmixer"]


@pytest.fixture(scope="module")
def standards() -> dict[str, list[float]]:
    return drawn(SMOKE)


def drawn(space: Space) -> dict[str, list[float]]:
    rows = drawn_features(space, cost_quantities, seed=0, cache=None)
    return {name: list(found) for name, found in standards_of(rows).items()}


def test_the_standards_are_those_of_the_space_and_the_seed(standards: dict[str, list[float]]) -> None:
    assert set(standards) == set(PARTS)
    assert all(spread > 0 for _, spread in standards.values())
    assert drawn(SMOKE) == standards
    narrow = SMOKE.with_rules(("macs_g <= 0.0007",))
    assert drawn(narrow)["macs_g"][0] < standards["macs_g"][0]


def test_a_score_is_the_combination_and_says_what_it_is(standards: dict[str, list[float]], tmp_path: Path) -> None:
    found = untrained_score(POINT, standards, seed=0, cache=tmp_path)
    parts = zero_cost_features(POINT, names=PARTS)
    assert found["accuracy"] == combine(parts, {name: (low, high) for name, (low, high) in standards.items()})
    assert 0.0 < found["accuracy"] < 1.0
    fidelity = found["fidelity"]
    assert (fidelity["score"], fidelity["images_seen"], fidelity["parts"]) == ("zero_cost", NUM_PICTURES, parts)
    assert found == json.loads(json.dumps(found))


def test_the_settings_know_how_many_pictures_are_looked_at() -> None:
    assert ZERO_COST_IMAGES == NUM_PICTURES


def test_what_is_not_finite_is_a_failed_candidate(
    standards: dict[str, list[float]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(features.PROXIES, "naswot", lambda network, probe: -math.inf)  # type: ignore[arg-type]
    monkeypatch.setattr(features, "_known", {})
    with pytest.raises(TrainingError, match="finite numbers are needed"):
        untrained_score(POINT, standards, seed=0, cache=tmp_path)


def test_a_study_is_told_by_one_set_of_standards_and_so_are_its_baselines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    config = config_of(proxy={"kind": "zero-cost"})
    told: list[tuple[int, int]] = []
    with open_store(tmp_path / "bench.db") as store:
        study, other, trained = (
            add_study(store, each, name=name)
            for name, each in (("own", config), ("like", config), ("trained", config_of()))
        )

        def standards_for(record: object, settings: object = config) -> object:
            return study_standards(
                store, record, settings, SMOKE, cost_quantities, lambda what, done, total: told.append((done, total))
            )  # type: ignore[arg-type]

        first = standards_for(study)
        assert set(first) == {EVENT}
        assert told[-1] == (24, 24)
        told.clear()
        assert standards_for(study) == first
        take_over_standards(store, other, study)
        assert standards_for(other) == first
        assert told == []
        assert standards_for(trained, config_of()) == {}
        assert [event.kind for event in store.events(trained.id)].count(EVENT) == 0


def test_a_study_that_began_with_other_parts_keeps_them(tmp_path: Path) -> None:
    two = {"naswot": [900.0, 30.0], "macs_g": [0.0, 1.0]}
    three = {**two, "synflow": [60.0, 4.0]}
    score = untrained_score(POINT, three, seed=0, cache=tmp_path)
    assert set(score["fidelity"]["parts"]) == set(score["fidelity"]["standards"]) == set(three)
    assert score["accuracy"] != untrained_score(POINT, two, seed=0, cache=tmp_path)["accuracy"]
    line = {"naswot": [90.0, 900.0, 30.0]}
    both = {**line, "synflow": [8.0, 60.0, 4.0]}
    assert (
        score_at_size(POINT, both, seed=0, cache=tmp_path)[0] != score_at_size(POINT, line, seed=0, cache=tmp_path)[0]
    )
    with open_store(tmp_path / "bench.db") as store:
        config = config_of(proxy={"kind": "zero-cost"}, constraints=["zero_cost_at_size >= 0.3"])
        study, other = (add_study(store, config, name=name) for name in ("own", "like"))
        store.record_event(study.id, EVENT, three)
        store.record_event(study.id, ZERO_COST_AT_SIZE, both)
        take_over_standards(store, other, study)
        nothing: list[object] = []
        for each in (study, other):
            found = study_standards(store, each, config, SMOKE, cost_quantities, lambda *told: nothing.append(told))
            assert found == {EVENT: three, ZERO_COST_AT_SIZE: both}
        assert nothing == []


def test_networks_are_drawn_once_for_whatever_is_told_by_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    config = config_of(proxy={"kind": "zero-cost"}, constraints=["zero_cost_at_size >= 0.3"])
    told: list[int] = []
    with open_store(tmp_path / "bench.db") as store:
        study = add_study(store, config, name="both")
        found = study_standards(
            store, study, config, SMOKE, cost_quantities, lambda what, done, total: told.append(done)
        )
    assert set(found) == {EVENT, ZERO_COST_AT_SIZE}
    assert told == list(range(25))


def test_objectives_of_such_a_study_name_its_score(tmp_path: Path) -> None:
    with open_store(tmp_path / "bench.db") as store:
        study = add_study(store, config_of(proxy={"kind": "zero-cost"}))
    assert list(study.objectives) == ["zero_cost", "latency_ms"]
