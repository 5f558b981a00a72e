"""Baselines of a study: what they are trained and timed as."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scripted import CORNER, add_study, config_of, drive

from bench.errors import SearchError, SpaceError
from bench.networks.cost import costs
from bench.space import NetworkList, parse_space, shipped_spaces
from bench.store import Store, StudyRecord, open_store
from bench.study import baselines, runner, search
from bench.study.config import StudyConfig
from bench.study.replay import replay
from bench.study.session import Session


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


def test_every_baseline_is_a_published_network_of_its_family() -> None:
    published = {name: point for space in shipped_spaces() for name, point in space.reference_points.items()}
    for family, names in baselines.FAMILIES.items():
        assert {published[name].family for name in names} == {family}


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
    # Killed behind its last trial, it is complete in all but its status.
    add_all_trials(store, first)
    store.set_study_status(first.id, "running")
    store.set_study_status(first.id, "complete")
    for wanted in ((), ("fastvit_t8",)):
        with pytest.raises(SearchError) as caught:
            baselines.run(store, study.name, networks=wanted)
        assert str(caught.value) == (
            "the baselines of this study are done (fastvit_t8); --families and --networks add others; "
            "read them: bench show scripted-baselines"
        )


def add_all_trials(store: Store, study: StudyRecord) -> None:
    space = parse_space(study.space_text, source="stored")
    assert isinstance(space, NetworkList)
    for name, network in space.reference_points.items():
        store.add_trial(
            study.id,
            architecture_id=network.id,
            architecture=network.to_dict(),
            source=f"reference:{name}",
            seed=0,
            proposal={},
        )


@pytest.fixture
def scripted_runs(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Searches that are real but for pictures, exports and workers; what each run added, by source."""
    runs: list[list[str]] = []

    def run(session: Session, **_: Any) -> None:
        before = set(session.plan.candidates)
        drive(session)
        runs.append([found.source for number, found in session.plan.candidates.items() if number not in before])

    monkeypatch.setattr(runner, "run", run)
    monkeypatch.setattr(search, "pack_data", lambda *_: {})
    monkeypatch.setattr(search, "reference_artifacts", lambda *_: {"onnx": {"256": {}}})
    return runs


@pytest.fixture
def on_cpu(store: Store) -> StudyRecord:
    """A study of two rungs, trained on the CPU whatever this machine has, in batches of two timings."""
    config = config_of(execution={"device": "cpu", "concurrency": 1}, timing={"batch": 2}, seed=3)
    return store.set_hypervolume_reference(add_study(store, config).id, CORNER, reference_ms={"64": 1.5, "256": 12.0})


def test_the_list_grows_where_it_was_done(store: Store, on_cpu: StudyRecord, scripted_runs: list[list[str]]) -> None:
    done = baselines.run(store, "scripted", networks=("mobileone_s0",))
    assert (done.status, done.config["budget"]) == ("complete", 1)
    grown = baselines.run(store, "scripted", networks=("cmt_ti", "mobileone_s0", "fastvit_t8"))
    assert grown.id == done.id
    assert (grown.status, grown.config["budget"], grown.config["max_failures"]) == ("complete", 3, 3)
    baselines.run(store, "scripted", families=("convnext",))
    assert scripted_runs == [
        ["reference:mobileone_s0"],
        ["reference:cmt_ti", "reference:fastvit_t8"],
        ["reference:convnext_t"],
    ]
    (_, study) = store.studies()
    assert study.name == "scripted-baselines"
    assert {trial.status for trial in store.trials(study.id)} == {"complete"}
    space = parse_space(study.space_text, source="stored")
    assert list(space.reference_points) == ["mobileone_s0", "cmt_ti", "fastvit_t8", "convnext_t"]
    assert study.space_hash == space.hash
    unchanged = {name: value for name, value in done.config.items() if name not in ("budget", "max_failures")}
    assert unchanged.items() <= study.config.items()
    assert (study.hypervolume_reference, study.reference_ms) == (done.hypervolume_reference, done.reference_ms)
    assert replay(store, study.name) == ()


def test_a_list_that_grew_goes_on_without_being_named_again(
    store: Store, on_cpu: StudyRecord, scripted_runs: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    baselines.run(store, "scripted", networks=("mobileone_s0",))

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(search, "resume", interrupted)
        with pytest.raises(KeyboardInterrupt):
            baselines.run(store, "scripted", networks=("fastvit_t8",))
    assert baselines.run(store, "scripted").status == "complete"
    assert scripted_runs[1:] == [["reference:fastvit_t8"]]


def test_a_list_does_not_grow_where_it_cannot_go_on(
    store: Store, study: StudyRecord, started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scripted studies were timed on a machine that is not this one."""
    before = baselines.run(store, study.name, networks=("mobileone_s0",))
    with pytest.raises(SearchError, match="'scripted-baselines' was timed under other conditions"):
        baselines.run(store, study.name, networks=("fastvit_t8",))
    with pytest.raises(SearchError, match="no family 'fastvt'"):
        baselines.run(store, study.name, families=("fastvt",))
    monkeypatch.setattr(baselines, "refuse_other_machine", lambda *_: None)
    with pytest.raises(SpaceError, match="no reference point 'fastvit_t9'"):
        baselines.run(store, study.name, networks=("fastvit_t9",))
    older = before.space_text.replace("width: [48, 128, 256, 1024]", "width: [48, 128, 256, 512]")
    store.extend_study(before.id, config=before.config, space_text=older, space_hash="")
    with pytest.raises(SearchError, match="mobileone_s0 of 'scripted-baselines' was another network when"):
        baselines.run(store, study.name, networks=("fastvit_t8",))
    assert [name for name, *_ in map(_names, store.studies()[1:])] == ["mobileone_s0"]


def _names(study: StudyRecord) -> list[str]:
    return list(parse_space(study.space_text, source="stored").reference_points)


def test_both_counts_of_a_network_that_belongs_to_a_resolution_are_told(
    store: Store, study: StudyRecord, started: list[dict[str, Any]]
) -> None:
    made = baselines.run(store, study.name, networks=("cmt_ti", "mobileone_s0"))
    network = parse_space(made.space_text, source="stored").reference_points["cmt_ti"]
    timed, trained = costs(network).params, costs(network, resolution=64).params
    assert timed - trained > 50_000
    assert baselines.resolution_sentences(made) == [
        f"cmt_ti has {timed:,} parameters at the 160 px that it is timed at and {trained:,} at the 64 px that it is "
        "trained at: its position bias belongs to the resolution"
    ]


def test_what_has_no_baselines_is_refused(store: Store, started: list[dict[str, Any]]) -> None:
    add_study(store, config_of(), name="new", hypervolume_reference={})
    with pytest.raises(SearchError, match=r"'new' has timed nothing yet; .* bench search --resume new"):
        baselines.run(store, "new")
    with pytest.raises(SearchError, match=r"no family 'mobilone'; known: fastvit, .*did you mean 'mobileone'"):
        baselines.run(store, add_study(store, config_of(), name="old").name, families=("mobilone",))
    add_study(store, config_of(), name="old-baselines")
    with pytest.raises(SearchError, match="is itself a study of baselines"):
        baselines.run(store, "old-baselines")
    with pytest.raises(SearchError, match="'old-baselines' is a search of its own, and baselines would take its name"):
        baselines.run(store, "old")
    assert started == []
