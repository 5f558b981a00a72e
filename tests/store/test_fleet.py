"""Jobs, on both databases: what is submitted comes back, in order and once, and what is not there is refused."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields

import pytest

from bench.errors import FleetError
from bench.store import (
    FleetStore,
    JobRecord,
    KeyReusedError,
    RunnerRecord,
    UnknownError,
    fleet_records,
    fleet_tables,
    open_fleet,
)

from .fleets import add_client, add_job, body_of, digest, finish

# What its record leaves to readers of their own, or to nobody.
HIDDEN = {
    "Token": {"sha256"},
    "Runner": set(),
    "Job": {"number", "key", "body_sha256"},
    "Attempt": {"result", "result_sha256", "partial"},
    "JobEvent": set(),
}


@pytest.mark.parametrize("kind", HIDDEN)
def test_record_holds_the_columns_of_its_table(kind: str) -> None:
    columns = set(getattr(fleet_tables, f"{kind}Row").__table__.columns.keys())
    names = {field.name for field in fields(getattr(fleet_records, f"{kind}Record"))}
    assert names - ({"runner"} if kind == "Job" else set()) == columns - HIDDEN[kind]


def test_job_comes_back_as_it_was_submitted(fleet: FleetStore, client: int, runner: RunnerRecord) -> None:
    body = {**body_of(), "is_test": True}
    job, is_new = fleet.add_job(
        client=client, key="k", body_sha256=digest("k"), runner_id=runner.name, priority=10, body=body, num_bytes=7
    )
    assert is_new
    assert fleet.job(job.id) == job
    assert (job.client, job.runner_id, job.runner, job.priority) == (client, runner.id, "pixel8", 10)
    assert (job.num_bytes, job.fetched_at, job.cleared_at) == (7, None, None)
    assert (job.status, job.is_test, job.num_attempts, job.finished_at) == ("queued", True, 0, None)
    assert job.artifacts == ("00" * 32, "ab" * 32)
    assert fleet.job_body(job.id) == body
    assert fleet.job_result(job.id) is None
    assert [(event.kind, event.data["priority"]) for event in fleet.events(job.id)] == [("queued", 10)]


def test_unfinished_jobs_come_in_order_of_arrival(fleet: FleetStore, client: int, runner: RunnerRecord) -> None:
    other = add_client(fleet, "search")
    jobs = [add_job(fleet, client, runner, key) for key in "abc"] + [add_job(fleet, other, runner, "a")]
    finish(fleet, fleet.start_attempt(jobs[1].id, runner.id).fence)
    fleet.start_attempt(jobs[2].id, runner.id)
    assert [job.id for job in fleet.unfinished()] == [jobs[0].id, jobs[2].id, jobs[3].id]
    assert [fleet.count_unfinished(number) for number in (client, other, 99)] == [2, 1, 0]


def test_the_same_key_gives_the_same_job(fleet: FleetStore, client: int, runner: RunnerRecord, job: JobRecord) -> None:
    finish(fleet, fleet.start_attempt(job.id, runner.id).fence)
    again = add_job(fleet, client, runner)
    assert again == fleet.job(job.id)
    assert again.status == "done"
    with pytest.raises(KeyReusedError, match=r"idempotency key 'first' came with another job before; .*a new key"):
        add_job(fleet, client, runner, body=body_of(artifact="cd"))
    assert add_job(fleet, add_client(fleet, "search"), runner).id != job.id
    assert len(fleet.events(job.id)) == 3


@pytest.mark.parametrize("key", ["", "x" * 201, "a\n", "\0"])
def test_key_that_no_database_takes_is_refused(fleet: FleetStore, client: int, runner: RunnerRecord, key: str) -> None:
    with pytest.raises(FleetError, match=r"idempotency key of \d+ characters is not usable; allowed: 1 to 200"):
        add_job(fleet, client, runner, key)
    assert fleet.unfinished() == ()


def test_threads_with_one_key_make_one_job(fleet: FleetStore, client: int, runner: RunnerRecord) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = {job.id for job in pool.map(lambda _: add_job(fleet, client, runner), range(16))}
    assert {job.id for job in fleet.unfinished()} == made
    assert len(made) == 1


def test_removed_runner_takes_no_jobs(fleet: FleetStore, client: int, runner: RunnerRecord, job: JobRecord) -> None:
    fleet.set_runner_status(runner.id, "removed")
    with pytest.raises(FleetError, match=r"runner 'pixel8' was removed; .*run: bench runners register pixel8"):
        fleet.start_attempt(job.id, runner.id)
    with pytest.raises(FleetError, match="runner 'pixel8' was removed"):
        add_job(fleet, client, runner, "second")
    assert [waiting.id for waiting in fleet.unfinished()] == [job.id]


READERS: dict[str, Callable[[FleetStore, str], object]] = {
    "job": lambda fleet, job_id: fleet.job(job_id),
    "job_body": lambda fleet, job_id: fleet.job_body(job_id),
    "job_result": lambda fleet, job_id: fleet.job_result(job_id),
    "attempts": lambda fleet, job_id: fleet.attempts(job_id),
    "events": lambda fleet, job_id: fleet.events(job_id),
    "cancel_job": lambda fleet, job_id: fleet.cancel_job(job_id, reason="unknown"),
    "start_attempt": lambda fleet, job_id: fleet.start_attempt(job_id, "pixel8"),
}


@pytest.mark.parametrize("name", READERS)
def test_unknown_job_is_an_error_not_an_empty_answer(fleet: FleetStore, name: str) -> None:
    for job_id in ("", "f" * 32, "../jobs", "\0", "\udcff", "9" * 5000):
        with pytest.raises(UnknownError, match=r"no job '.*'; a job's id is 32 hex digits; use the one"):
            READERS[name](fleet, job_id)


def test_a_hub_that_starts_again_finds_what_was_leased(
    fleet: FleetStore, fleet_url: str, runner: RunnerRecord, job: JobRecord
) -> None:
    attempt = fleet.start_attempt(job.id, runner.id)
    fleet.close()
    with open_fleet(fleet_url) as again:
        assert again.live_attempts() == (attempt,)
        assert [found.status for found in again.unfinished()] == ["leased"]
        assert finish(again, attempt.fence).status == "done"
