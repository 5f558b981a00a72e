"""Writing: what goes in comes out, in order, and what makes no sense is refused."""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType

import pytest

from bench.errors import StoreError
from bench.store import Store, StudyRecord, TrialRecord
from bench.store.transitions import FINISHED_TRIAL, STUDY_MOVES, TRIAL_MOVES

from .examples import add_measurement, add_score, add_study, add_trial


def test_study_comes_back_as_it_was_stored(store: Store) -> None:
    study = add_study(store)
    assert store.study("first") == study
    assert store.studies() == (study,)
    assert study.status == "running"
    assert study.seed == 2**63 - 1
    assert list(study.objectives) == ["latency_ms", "accuracy"]
    assert study.created_at.utcoffset() == timedelta(0)


def test_study_name_is_unique(store: Store, study: StudyRecord) -> None:
    with pytest.raises(StoreError, match=r"study 'first' exists already; .*--resume first"):
        add_study(store)


@pytest.mark.parametrize("name", ["", "a/b", " a", "-a", "a" * 101, "a\n"])
def test_study_name_that_no_command_could_take_is_refused(store: Store, name: str) -> None:
    with pytest.raises(StoreError, match="is not usable; allowed"):
        add_study(store, name)
    assert store.studies() == ()


def test_trials_are_numbered_from_zero_in_each_study(store: Store, study: StudyRecord) -> None:
    other = add_study(store, "second")
    assert store.next_trial_number(study.id) == 0
    numbers = [add_trial(store, study, architecture).number for architecture in ("a", "b")]
    assert numbers == [0, 1]
    assert add_trial(store, other, "a").label == "second/0"
    assert store.next_trial_number(study.id) == 2
    assert store.architecture_ids(study.id) == {"a", "b"}


def test_number_given_by_the_caller_is_kept_unless_it_is_passed(store: Store, study: StudyRecord) -> None:
    add = {"architecture": {}, "source": "sampler:random", "seed": 0, "proposal": {}}
    assert store.add_trial(study.id, architecture_id="a", number=5, **add).number == 5
    with pytest.raises(StoreError, match=r"trial number 5 .* is taken or passed; the next is 6"):
        store.add_trial(study.id, architecture_id="b", number=5, **add)


def test_architecture_is_tried_once_in_a_study(store: Store, study: StudyRecord, trial: TrialRecord) -> None:
    with pytest.raises(StoreError, match="architecture a0 is trial first/0 already"):
        add_trial(store, study, trial.architecture_id)
    assert len(store.trials(study.id)) == 1


def test_trial_collects_its_results(store: Store, study: StudyRecord, trial: TrialRecord) -> None:
    assert store.start_trial(trial.id).started_at is not None
    store.record_costs(trial.id, {"params": 3_996_040})
    store.add_stage_seconds(trial.id, {"build": 0.25, "train": 1.5})
    store.add_stage_seconds(trial.id, {"train": 2.0})
    artifact = store.record_artifact(trial.id, sha256="cd" * 32, format="onnx", num_bytes=2**33, details={"opset": 20})
    measurement = add_measurement(store, trial)
    scores = (add_score(store, trial, rung=0), add_score(store, trial, rung=1, accuracy=0.75))
    finished = store.set_trial_status(trial.id, "complete")
    assert finished == store.trial(trial.id) == store.trials(study.id)[0]
    assert finished.costs == {"params": 3_996_040}
    assert finished.stage_seconds == {"build": 0.25, "train": 3.5}
    assert (finished.rung, finished.weights_path) == (1, "weights/0-1.safetensors")
    assert finished.finished_at is not None
    assert store.scores(trial.id) == store.study_scores(study.id) == scores
    assert store.artifacts(trial.id) == (artifact,)
    assert store.measurements(trial.id) == store.study_measurements(study.id) == (measurement,)
    assert measurement.samples["artifact"] == [[[12_500_001, 12_499_998]]]


def test_results_of_one_trial_are_not_those_of_another(store: Store, study: StudyRecord, trial: TrialRecord) -> None:
    other = add_trial(store, study, "other")
    add_score(store, other)
    add_measurement(store, other)
    add_score(store, add_trial(store, add_study(store, "second")))
    assert store.scores(trial.id) == ()
    assert store.measurements(trial.id) == ()
    assert [score.trial_id for score in store.study_scores(study.id)] == [other.id]


def test_events_tell_the_study_again_in_order(store: Store, study: StudyRecord) -> None:
    trial = add_trial(store, study)
    store.record_event(study.id, "proposal_rejected", {"architecture_id": "a0", "why": "duplicate"})
    store.start_trial(trial.id)
    score = add_score(store, trial)
    measurement = add_measurement(store, trial)
    store.set_hypervolume_reference(study.id, {"accuracy": 0.0, "latency_ms": 40.0})
    store.set_trial_status(trial.id, "stopped", reason="dominated at rung 0")
    store.set_study_status(study.id, "complete")
    events = store.events(study.id)
    assert [event.kind for event in events] == [
        "study_created",
        "trial_added",
        "proposal_rejected",
        "trial_status",
        "score",
        "measurement",
        "hypervolume_reference",
        "trial_status",
        "study_status",
    ]
    by_kind = {event.kind: event.data for event in events}
    assert by_kind["study_created"]["seed"] == study.seed
    assert by_kind["trial_added"]["proposal"] == trial.proposal
    assert by_kind["score"]["accuracy"] == score.accuracy
    assert by_kind["measurement"]["summary"] == measurement.summary
    assert by_kind["trial_status"] == {
        "from": "running",
        "to": "stopped",
        "reason": "dominated at rung 0",
        "rung": 0,
    }
    assert store.events(study.id, after=events[-2].sequence) == events[-1:]
    assert [event.created_at for event in events] == sorted(event.created_at for event in events)


def test_event_kinds_of_the_store_cannot_be_faked(store: Store, study: StudyRecord) -> None:
    with pytest.raises(StoreError, match="event kind 'score' is the store's own"):
        store.record_event(study.id, "score", {})


def test_measurement_outside_any_study_is_kept_without_one(store: Store) -> None:
    measurement = add_measurement(store, None)
    assert (measurement.trial_id, measurement.architecture_id) == (None, None)


def _trial_in(store: Store, study: StudyRecord, status: str) -> TrialRecord:
    trial = add_trial(store, study, f"in-{status}")
    path = {"queued": (), "running": ("running",), "paused": ("running", "paused")}.get(status, ("running", status))
    for step in path:
        store.set_trial_status(trial.id, step, reason="as wanted")  # type: ignore[arg-type]
    return trial


@pytest.mark.parametrize("old", TRIAL_MOVES)
def test_trial_moves_only_where_it_makes_sense(store: Store, study: StudyRecord, old: str) -> None:
    trial = _trial_in(store, study, old)
    refused = [new for new in TRIAL_MOVES if new not in TRIAL_MOVES[old]]
    for new in refused:
        with pytest.raises(StoreError, match=f"trial first/0 is {old} and cannot become {new}; "):
            store.set_trial_status(trial.id, new, reason="test")  # type: ignore[arg-type]
    assert store.trial(trial.id).status == old
    assert (old in FINISHED_TRIAL) == (len(refused) == len(TRIAL_MOVES))


def test_finished_trial_never_runs_again(store: Store, study: StudyRecord) -> None:
    trial = _trial_in(store, study, "failed")
    before = store.events(study.id)
    with pytest.raises(StoreError, match="is failed and cannot become running; failed is final; add a new trial"):
        store.start_trial(trial.id)
    with pytest.raises(StoreError, match="is failed and takes no more scores"):
        add_score(store, trial)
    assert store.events(study.id) == before


def test_a_study_can_be_given_more_to_try(store: Store, study: StudyRecord, trial: TrialRecord) -> None:
    store.set_study_status(study.id, "complete")
    longer = store.extend_study(study.id, config={"budget": 30}, space_text="family: cmt\n", space_hash="cd" * 32)
    assert (longer.config, longer.space_text, longer.space_hash) == ({"budget": 30}, "family: cmt\n", "cd" * 32)
    assert store.study("first") == longer
    assert (longer.status, longer.space_name, longer.seed) == ("complete", study.space_name, study.seed)
    assert store.trials(study.id) == (trial,)
    first, *_, last = store.events(study.id)
    # What it began with stays told.
    assert (first.kind, first.data["config"], first.data["space_hash"]) == ("study_created", study.config, "ab" * 32)
    assert (last.kind, last.data) == ("study_extended", {"config": {"budget": 30}, "space_hash": "cd" * 32})
    store.set_study_status(study.id, "running")


@pytest.mark.parametrize("end", ["interrupted", "complete", "stopped", "failed"])
def test_study_can_always_go_on(store: Store, study: StudyRecord, end: str) -> None:
    ended = store.set_study_status(study.id, end, reason="test")  # type: ignore[arg-type]
    assert (ended.finished_at is None) == (end == "interrupted")
    assert ended.reason == "test"
    resumed = store.set_study_status(study.id, "running")
    assert (resumed.status, resumed.finished_at, resumed.reason) == ("running", None, None)


def test_study_that_does_not_run_cannot_end(store: Store, study: StudyRecord) -> None:
    store.set_study_status(study.id, "interrupted")
    for end in STUDY_MOVES.keys() - {"running"}:
        with pytest.raises(StoreError, match=f"is interrupted and cannot become {end}; allowed: running; "):
            store.set_study_status(study.id, end, reason="test")  # type: ignore[arg-type]


def test_unknown_status_is_refused(store: Store, trial: TrialRecord) -> None:
    with pytest.raises(StoreError, match="unknown status 'done' for trial first/0; known: queued, running"):
        store.set_trial_status(trial.id, "done")  # type: ignore[arg-type]


def test_failure_needs_a_reason(store: Store, trial: TrialRecord) -> None:
    with pytest.raises(StoreError, match="failed without a reason"):
        store.set_trial_status(trial.id, "failed")


def test_reason_with_bytes_that_are_no_text_is_kept_readable(store: Store, trial: TrialRecord) -> None:
    stderr = b"Segmentation fault \xff\x00!".decode("utf-8", "surrogateescape")
    failed = store.set_trial_status(trial.id, "failed", reason=stderr)
    assert store.trial(trial.id) == failed
    assert failed.reason == "Segmentation fault ?!"


def test_score_of_a_rung_is_kept_once(store: Store, trial: TrialRecord) -> None:
    add_score(store, trial)
    with pytest.raises(StoreError, match="trial first/0 has a score at rung 0; each rung has one"):
        add_score(store, trial)


def test_diverged_score_is_refused(store: Store, trial: TrialRecord) -> None:
    with pytest.raises(StoreError, match=r"accuracy nan, .*finite numbers are needed"):
        add_score(store, trial, accuracy=float("nan"))


@pytest.mark.parametrize("value", [float("inf"), {1, 2}, object()])
def test_value_that_is_no_json_is_refused_whole(store: Store, study: StudyRecord, value: object) -> None:
    before = store.events(study.id)
    with pytest.raises(StoreError, match=r"a value cannot be stored .*; allowed: finite numbers"):
        store.record_event(study.id, "note", {"value": value})
    assert store.events(study.id) == before


def test_integer_too_large_for_a_database_is_refused(store: Store, study: StudyRecord) -> None:
    with pytest.raises(StoreError, match=r"a value cannot be stored .* integers below 2\*\*63"):
        store.add_trial(study.id, architecture_id="a", architecture={}, source="s", seed=2**63, proposal={})


def test_frozen_mappings_are_stored_as_json(store: Store, study: StudyRecord) -> None:
    data = MappingProxyType({"stages": (MappingProxyType({"depth": 2}),)})
    store.record_event(study.id, "note", data)
    assert store.events(study.id)[-1].data == {"stages": [{"depth": 2}]}


def test_event_of_an_unknown_trial_is_refused(store: Store, study: StudyRecord) -> None:
    with pytest.raises(StoreError, match="FOREIGN KEY constraint failed"):
        store.record_event(study.id, "note", {}, trial_id=99)
