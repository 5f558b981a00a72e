"""Several real processes on one file, and one that is killed: nothing lost, no lock reaches the caller."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from bench.store import Store, StudyRecord, open_store

from .examples import add_score, add_study, add_trial
from .processes import go, start_writer

NUM_PROCESSES = 4
NUM_TRIALS = 20


def test_four_processes_write_and_nothing_is_lost(store: Store, study: StudyRecord, tmp_path: Path) -> None:
    path = tmp_path / "bench.db"
    names = [f"process{number}" for number in range(NUM_PROCESSES)]
    writers = [start_writer(path, study="first", name=name, count=NUM_TRIALS) for name in names]
    acknowledged = [line for lines in go(writers) for line in lines]
    trials = store.trials(study.id)
    assert len(acknowledged) == NUM_PROCESSES * NUM_TRIALS
    assert {trial.architecture_id for trial in trials} == set(acknowledged)
    assert [trial.number for trial in trials] == list(range(NUM_PROCESSES * NUM_TRIALS))
    assert {trial.status for trial in trials} == {"complete"}
    assert len(store.study_scores(study.id)) == len(store.study_measurements(study.id)) == len(trials)
    # Created, and five per trial: added, started, score, measurement, complete.
    assert len(store.events(study.id)) == 1 + 5 * len(trials)


def test_events_of_several_writers_follow_the_numbers_of_the_trials(
    store: Store, study: StudyRecord, tmp_path: Path
) -> None:
    path = tmp_path / "bench.db"
    go([start_writer(path, study="first", name=name, count=10) for name in ("a", "b")])
    added = [event for event in store.events(study.id) if event.kind == "trial_added"]
    assert [event.data["number"] for event in added] == list(range(20))


def test_processes_that_create_one_database_do_it_once(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    names = [f"study{number}" for number in range(NUM_PROCESSES)]
    go([start_writer(path, study="-", name=name, count=0) for name in names])
    with open_store(path) as store:
        assert {study.name for study in store.studies()} == set(names)


def test_killed_writer_loses_nothing_that_it_was_told(tmp_path: Path) -> None:
    path = tmp_path / "bench.db"
    with open_store(path) as store:
        add_study(store)
    writer = start_writer(path, study="first", name="victim", count=0)
    assert writer.stdin is not None
    assert writer.stdout is not None
    writer.stdin.write("go\n")
    writer.stdin.flush()
    acknowledged = [writer.stdout.readline().strip() for _ in range(25)]
    writer.kill()
    rest, _ = writer.communicate(timeout=10)
    acknowledged += rest.splitlines()
    assert writer.returncode == -9
    with open_store(path) as store:
        study = store.study("first")
        complete = [trial.architecture_id for trial in store.trials(study.id) if trial.status == "complete"]
        # One more may be stored whose word did not come through before the kill.
        assert complete[: len(acknowledged)] == acknowledged
        assert len(complete) <= len(acknowledged) + 1
        scores = {score.trial_id for score in store.study_scores(study.id)}
        finished = {trial.id for trial in store.trials(study.id) if trial.status == "complete"}
        assert finished <= scores
        add_score(store, add_trial(store, study, "next"))
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_closed_store_leaves_one_file(tmp_path: Path) -> None:
    with open_store(tmp_path / "bench.db") as store:
        add_study(store)
        assert (tmp_path / "bench.db-wal").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["bench.db"]


def test_file_name_with_signs_of_a_url_is_a_file_name(tmp_path: Path) -> None:
    path = tmp_path / "50% of #1?.db"
    with open_store(path) as store:
        add_study(store)
    assert path.stat().st_size > 0
    with open_store(path, read_only=True) as store:
        assert store.study("first").name == "first"


def test_store_in_memory_works() -> None:
    with open_store("sqlite://") as store:
        study = add_study(store)
        assert store.studies() == (study,)
