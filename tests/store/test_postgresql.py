"""The same promises on PostgreSQL, on a real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from bench.errors import StoreError
from bench.store import Store, open_store
from bench.store.tables import Base

from .examples import add_measurement, add_score, add_study, add_trial, ticking_clock
from .processes import go, start_writer


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with open_store(url, clock=ticking_clock()) as opened:
        yield opened


def test_trial_lives_as_on_sqlite(store: Store) -> None:
    study = add_study(store)
    trial = add_trial(store, study)
    store.start_trial(trial.id)
    score = add_score(store, trial)
    measurement = add_measurement(store, trial)
    failed = store.set_trial_status(trial.id, "failed", reason="Segmentation fault \x00\udcff")
    assert store.study("first") == study
    assert list(store.study("first").objectives) == ["latency_ms", "accuracy"]
    assert store.find_trial("first/0") == failed
    assert failed.reason == "Segmentation fault ?"
    assert store.scores(trial.id) == (score,)
    assert store.measurements(trial.id) == (measurement,)
    kinds = [event.kind for event in store.events(study.id)]
    assert kinds == ["study_created", "trial_added", "trial_status", "score", "measurement", "trial_status"]
    with pytest.raises(StoreError, match="failed is final"):
        store.start_trial(trial.id)


def test_migrations_make_the_tables(store: Store, url: str) -> None:
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_processes_write_and_nothing_is_lost(url: str) -> None:
    go([start_writer(url, study="-", name=name, count=0) for name in ("first", "second")])
    with open_store(url) as store:
        study = store.study("first")
        writers = [start_writer(url, study="first", name=name, count=8) for name in ("a", "b", "c", "d")]
        acknowledged = {line for lines in go(writers) for line in lines}
        trials = store.trials(study.id)
        assert {trial.architecture_id for trial in trials} == acknowledged
        assert [trial.number for trial in trials] == list(range(32))
        added = [event for event in store.events(study.id) if event.kind == "trial_added"]
        assert [event.data["number"] for event in added] == list(range(32))


def test_lock_held_too_long_is_an_error_in_words(store: Store, url: str) -> None:
    study = add_study(store)
    with open_store(url, timeout_s=0.2) as impatient:
        with store._writing() as session:
            session.execute(text("SELECT * FROM studies FOR UPDATE"))
            with pytest.raises(StoreError, match=r"stayed locked by another process for 0.2 s"):
                add_trial(impatient, study)
        assert add_trial(impatient, study).number == 0


def test_newer_schema_is_refused(store: Store, url: str) -> None:
    with store._writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = 'bench_9999'"))
    with pytest.raises(StoreError, match="has schema bench_9999 from a newer version"):
        open_store(url)


def test_store_opened_for_reading_refuses_to_write(store: Store, url: str) -> None:
    study = add_study(store)
    with open_store(url, read_only=True) as reader:
        assert reader.studies() == (study,)
        with pytest.raises(StoreError, match="was opened for reading"):
            add_trial(reader, study)


def test_server_that_does_not_answer_is_an_error_in_words(server_url: str) -> None:
    with pytest.raises(StoreError, match=r"database postgresql://bench@/postgres\?host=.* refused .*check the server"):
        open_store(server_url.replace("host=", "host=/no/such"), timeout_s=1)
