"""What changed after a sequence number: all of it, nothing twice, on both kinds of database."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import pytest

from bench.errors import StoreError
from bench.store import Store, open_store
from bench.store.changes import _MOST_IDS
from bench.store.queries import NotThereError

from .examples import add_measurement, add_score, add_study, add_trial, ticking_clock

T = TypeVar("T")


@pytest.fixture(params=["sqlite", "postgresql"])
def writer_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "bench.db")
    found: str = request.getfixturevalue("url")
    return found


def _written(url: str) -> Store:
    store = open_store(url, clock=ticking_clock())
    study = add_study(store)
    for number in range(3):
        trial = add_trial(store, study, f"a{number}")
        store.start_trial(trial.id)
        add_score(store, trial)
        add_measurement(store, trial)
    return store


def _only(blocks: Iterable[T]) -> T:
    (found,) = blocks
    return found


def test_everything_is_given_first_and_then_what_changed(writer_url: str) -> None:
    with _written(writer_url) as store, open_store(writer_url, read_only=True, is_pooled=False) as reader:
        study = store.study("first")
        with reader.changes(study.id) as changes:
            assert changes.is_whole
            trials, scores, timings = _only(changes.trials()), _only(changes.scores()), _only(changes.timings())
            assert list(trials.number) == [0, 1, 2]
            assert (list(scores.rung), list(scores.accuracy), list(scores.images_seen)) == ([0] * 3, [0.5] * 3, [0] * 3)
            assert timings.figures["median_ms"].tolist() == [12.5] * 3
            seen = changes.sequence
        assert seen == reader.head(study.id)
        second = store.find_trial("first/1")
        add_score(store, second, rung=1, accuracy=0.625)
        with reader.changes(study.id, after=seen) as changes:
            assert not changes.is_whole
            assert list(_only(changes.trials()).id) == [second.id]
            # Of a trial that changed all scores and measurements, so that nobody has to add anything up.
            scores = _only(changes.scores())
            assert dict(zip(scores.rung, scores.accuracy, strict=True)) == {0: 0.5, 1: 0.625}
            assert list(_only(changes.timings()).trial_id) == [second.id]


def test_nothing_is_given_when_nothing_changed(writer_url: str) -> None:
    with _written(writer_url) as store, open_store(writer_url, read_only=True, is_pooled=False) as reader:
        study = store.study("first")
        head = reader.head(study.id)
        with reader.changes(study.id, after=head) as changes:
            assert not changes.is_whole
            assert [*changes.trials(), *changes.scores(), *changes.timings()] == []
            assert changes.sequence == head


def test_a_sequence_that_is_not_there_yet_gives_everything(writer_url: str) -> None:
    with _written(writer_url) as store, store.changes(store.study("first").id, after=10**6) as changes:
        assert changes.is_whole


def test_every_write_of_a_study_moves_its_head(store: Store) -> None:
    """Whoever follows a study by its head misses nothing: every method that writes something of it moves the head."""
    study = add_study(store)
    heads = [store.head(study.id)]

    def moved() -> bool:
        heads.append(store.head(study.id))
        return heads[-1] > heads[-2]

    trial = add_trial(store, study)
    assert moved()
    store.start_trial(trial.id)
    assert moved()
    store.record_costs(trial.id, {"macs_g": 1.0})
    assert moved()
    store.add_stage_seconds(trial.id, {"train": 1.0})
    assert moved()
    add_score(store, trial)
    assert moved()
    store.record_artifact(trial.id, sha256="ab" * 32, format="onnx", num_bytes=7, details={})
    assert moved()
    add_measurement(store, trial)
    assert moved()
    store.set_hypervolume_reference(study.id, {"accuracy": 0.0})
    assert moved()
    store.extend_study(study.id, config=study.config, space_text="family: fastvit\n", space_hash="cd" * 32)
    assert moved()
    store.set_study_status(study.id, "complete")
    assert moved()
    store.record_event(study.id, "resumed", {})
    assert moved()


def test_heads_of_two_studies_are_apart(store: Store) -> None:
    first, second = add_study(store), add_study(store, "second")
    before = store.head(first.id)
    add_trial(store, second)
    assert store.head(first.id) == before
    assert store.head(second.id) > before


def test_one_state_is_seen_while_others_write(writer_url: str) -> None:
    with _written(writer_url) as store, open_store(writer_url, read_only=True, is_pooled=False) as reader:
        study = store.study("first")
        with reader.changes(study.id) as changes:
            add_trial(store, study, "late")
            assert len(_only(changes.trials()).id) == 3
        with reader.changes(study.id, after=changes.sequence) as changes:
            assert list(_only(changes.trials()).architecture_id) == ["late"]


def test_very_many_changes_are_read_as_a_whole(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _MOST_IDS > 1000
    monkeypatch.setattr("bench.store.changes._MOST_IDS", 2)
    study = add_study(store)
    first = store.head(study.id)
    for number in range(3):
        add_trial(store, study, f"a{number}")
    with store.changes(study.id, after=first) as changes:
        assert changes.is_whole
        assert len(_only(changes.trials()).id) == 3


def test_architectures_fidelity_and_counts(store: Store) -> None:
    study = add_study(store)
    trial = add_trial(store, study)
    assert store.fidelity(study.id) is None
    store.start_trial(trial.id)
    add_score(store, trial)
    add_score(store, trial, rung=1)
    fidelity = store.fidelity(study.id)
    assert fidelity is not None
    assert fidelity["images"] == 2000  # of the highest rung
    assert store.architectures([trial.id]) == {trial.id: trial.architecture}
    assert store.architectures([]) == {}
    assert store.status_counts() == {study.id: {"running": 1}}


def test_a_study_that_is_not_there_is_told_as_such(store: Store) -> None:
    add_study(store)
    assert store.study_named("second") is None
    assert store.study_by_id(1).name == "first"
    with pytest.raises(NotThereError, match=r"no study with id 7; known studies: first"), store.changes(7):
        pass


def test_a_reader_cannot_write(writer_url: str) -> None:
    """Not even with SQL of its own: the database itself refuses."""
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError

    with _written(writer_url), open_store(writer_url, read_only=True, is_pooled=False) as reader:
        with pytest.raises(StoreError, match="opened for reading"):
            reader.set_study_status(1, "complete")
        with pytest.raises(DBAPIError, match=r"(?i)readonly|read-only"), reader._engine.connect() as connection:
            connection.execute(text("UPDATE studies SET seed = 1"))


def test_each_transaction_finds_the_file_that_lies_there(tmp_path: Path) -> None:
    path, other = tmp_path / "bench.db", tmp_path / "other.db"
    _written(str(path)).close()
    with open_store(other) as store:
        add_study(store, "another")
    with open_store(path, read_only=True, is_pooled=False) as reader:
        assert [study.name for study in reader.studies()] == ["first"]
        other.replace(path)
        assert [study.name for study in reader.studies()] == ["another"]
