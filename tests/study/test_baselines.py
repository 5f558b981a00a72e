"""Baselines of a study: what they are trained and timed as."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scripted import CORNER, add_study, config_of

from bench.errors import SearchError
from bench.space import NetworkList, parse_space
from bench.store import Store, StudyRecord, open_store
from bench.study import baselines, search
from bench.study.config import StudyConfig


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "bench.db") as opened:
        yield opened


@pytest.fixture
def study(store: Store) -> StudyRecord:
    made = add_study(store, config_of(rules=["params_m <= 1"], seed=3))
    return store.set_hypervolume_reference(made.id, CORNER, reference_ms={"64": 1.5, "256": 12.0})


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What was handed to the search in place of a run."""
    calls: list[dict[str, Any]] = []

    def start(config: StudyConfig, store: Store, **given: Any) -> StudyRecord:
        calls.append({"config": config, **given})
        study = add_study(store, config, name=given["name"], space=given["space"])
        return replace(study, name=given["name"])

    monkeypatch.setattr(search, "start", start)
    return calls


def test_they_are_a_study_of_their_own_at_the_same_fidelity(
    store: Store, study: StudyRecord, started: list[dict[str, Any]]
) -> None:
    baselines.run(store, study.name, families=("mobileone", "cmt"))
    (call,) = started
    config, space, before = call["config"], call["space"], StudyConfig.from_dict(study.config)
    assert call["name"] == "scripted-baselines"
    assert call["like"].name == "scripted"
    assert isinstance(space, NetworkList)
    wanted = ["mobileone_s0", "mobileone_s1", "mobileone_s2", "mobileone_s3", "mobileone_s4", "cmt_ti", "cmt_xs"]
    assert list(space.reference_points) == wanted
    assert (config.budget, config.rules, config.proxy.rungs) == (7, (), 1)
    assert replace(config.proxy, rungs=before.proxy.rungs) == before.proxy
    assert (config.data, config.seed, config.objectives) == (before.data, before.seed, before.objectives)
    # All beside one reference, that of the study's largest resolution.
    assert config.timing == replace(before.timing, reference_resolution=256)
    assert parse_space(space.text, source="stored") == space


def test_all_families_are_the_default(store: Store, study: StudyRecord, started: list[dict[str, Any]]) -> None:
    baselines.run(store, study.name)
    names = set(started[0]["space"].reference_points)
    assert {"fastvit_t8", "fastvit_ma36", "efficientnet_b1", "convnext_t", "cmt_xs", "mobileone_s4"} <= names
    assert len(names) == 7 + 5 + 2 + 1 + 2


def test_interrupted_they_go_on_and_done_they_are_left_alone(
    store: Store, study: StudyRecord, started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = baselines.run(store, study.name, networks=("fastvit_t8",))
    resumed: list[str] = []

    def resume(store: Store, name: str, **_: Any) -> StudyRecord:
        resumed.append(name)
        return store.study(name)

    monkeypatch.setattr(search, "resume", resume)
    store.set_study_status(first.id, "interrupted", reason="a test")
    baselines.run(store, study.name, networks=("fastvit_t8",))
    assert resumed == ["scripted-baselines"]
    store.set_study_status(first.id, "running")
    store.set_study_status(first.id, "complete")
    with pytest.raises(SearchError, match="are done; read them: bench show scripted-baselines"):
        baselines.run(store, study.name)
    with pytest.raises(SearchError, match="was begun with fastvit_t8; a study's baselines are listed once"):
        baselines.run(store, study.name, families=("cmt",))


def test_what_has_no_baselines_is_refused(store: Store, started: list[dict[str, Any]]) -> None:
    add_study(store, config_of(), name="new", hypervolume_reference={})
    with pytest.raises(SearchError, match=r"'new' has timed nothing yet; .* bench search --resume new"):
        baselines.run(store, "new")
    with pytest.raises(SearchError, match=r"no family 'mobilone'; known: fastvit, .*did you mean 'mobileone'"):
        baselines.run(store, add_study(store, config_of(), name="old").name, families=("mobilone",))
    add_study(store, config_of(), name="old-baselines")
    with pytest.raises(SearchError, match="is itself a study of baselines"):
        baselines.run(store, "old-baselines")
    assert started == []
