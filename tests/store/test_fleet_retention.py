from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.store import open_fleet
from bench.store.fleet import FleetStore

from .fleets import RESULT, add_client, add_job, add_runner, finish

DAY = timedelta(days=1)


class Calendar:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


@pytest.fixture
def old(tmp_path: Path, calendar: Calendar) -> FleetStore:
    return open_fleet(tmp_path / "bench.db", clock=calendar)


def clear(fleet: FleetStore, *, most: int = 10) -> tuple[str, ...]:
    return fleet.clear_jobs(settled=2 * DAY, unfetched=5 * DAY, most=most)


def test_a_cleared_job_keeps_its_row_its_attempts_and_what_happened(old: FleetStore, calendar: Calendar) -> None:
    client, runner = add_client(old), add_runner(old)
    job = add_job(old, client, runner)
    first = old.start_attempt(job.id, runner.id).fence
    old.record_look(first, {"measurements": []})
    old.fail_attempt(first, "timeout", "too slow", retry=True)
    second = old.start_attempt(job.id, runner.id).fence
    done = finish(old, second)
    old.note_fetched(job.id)
    calendar.now += 2 * DAY
    assert clear(old) == ()
    calendar.now += timedelta(seconds=1)
    before = old.attempts(job.id)
    assert clear(old) == (job.id,)
    assert clear(old) == ()
    found = old.job(job.id)
    assert (found.status, found.finished_at, found.cleared_at) == ("done", done.finished_at, calendar.now)
    assert old.attempts(job.id) == before
    assert [event.kind for event in old.events(job.id)] == ["queued", "leased", "requeued", "leased", "done"]
    assert old.job_result(job.id) is None
    assert old.partial_result(first) is None
    with closing(sqlite3.connect(str(old.location.path))) as connection:
        assert connection.execute("SELECT count(*) FROM job_bodies").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM attempts WHERE result IS NOT NULL").fetchone() == (0,)
    assert add_job(old, client, runner).id == job.id
    old.close()


def test_the_first_time_that_a_result_was_fetched_counts(old: FleetStore, calendar: Calendar) -> None:
    job = add_job(old, add_client(old), add_runner(old))
    finish(old, old.start_attempt(job.id, job.runner_id).fence)
    for _ in range(2):
        calendar.now += DAY
        old.note_fetched(job.id)
    assert old.job(job.id).fetched_at == calendar.now - DAY
    old.close()


def test_what_has_not_ended_is_never_cleared(old: FleetStore, calendar: Calendar) -> None:
    client, runner = add_client(old), add_runner(old)
    jobs = [add_job(old, client, runner, key) for key in "abcd"]
    finish(old, old.start_attempt(jobs[0].id, runner.id).fence)
    old.cancel_job(jobs[1].id, reason="no longer wanted")
    old.start_attempt(jobs[2].id, runner.id)
    calendar.now += 3 * DAY
    assert clear(old) == (jobs[1].id,)
    assert old.job_result(jobs[0].id) == RESULT
    calendar.now += 99 * DAY
    assert clear(old) == (jobs[0].id,)
    assert old.job_body(jobs[2].id) == old.job_body(jobs[3].id)
    old.close()


def test_the_oldest_go_first_and_no_more_than_asked_for(old: FleetStore, calendar: Calendar) -> None:
    client, runner = add_client(old), add_runner(old)
    jobs = []
    for key in "abc":
        jobs.append(add_job(old, client, runner, key).id)
        old.cancel_job(jobs[-1], reason="no longer wanted")
        calendar.now += DAY
    calendar.now += 9 * DAY
    assert clear(old, most=2) == (jobs[0], jobs[1])
    assert clear(old, most=2) == (jobs[2],)
    old.close()


def test_jobs_of_the_version_before_are_cleared_too(tmp_path: Path) -> None:
    path = tmp_path / "bench.db"
    with open_fleet(path) as fleet:
        job = add_job(fleet, add_client(fleet), add_runner(fleet))
        fleet.cancel_job(job.id, reason="no longer wanted")
    with closing(sqlite3.connect(path)) as connection:
        for statement in (
            "DROP TABLE retrainings",
            "DROP INDEX ix_jobs_cleared_at_finished_at",
            "DROP INDEX ix_attempts_runner_id_fence",
            *(f"ALTER TABLE jobs DROP COLUMN {name}" for name in ("num_bytes", "fetched_at", "cleared_at")),
            "UPDATE alembic_version SET version_num = 'bench_0004'",
        ):
            connection.execute(statement)
        connection.commit()
    with open_fleet(path) as fleet:
        found = fleet.job(job.id)
        assert (found.num_bytes, found.fetched_at, found.cleared_at) == (0, None, None)
        assert fleet.clear_jobs(settled=timedelta(0), unfetched=DAY, most=9) == (job.id,)
