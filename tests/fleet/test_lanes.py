"""Runners: which are trusted, which get no jobs, and when they were heard last."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.store.fleet import UnknownError, open_fleet

from .examples import RUNNER
from .fleets import LIMITS, Fleet


def crash(fleet: Fleet, runner: str, client: int, *contents: bytes) -> None:
    job = fleet.submit(client, *contents)
    lease = fleet.lease(runner)
    assert lease.job_id == job.id
    fleet.queue.fail(lease.fence, runner, "worker_crash", "signal 11")
    fleet.queue.cancel(job.id, reason="one crash is enough here")


def test_two_crashes_in_a_row_on_different_artifacts_quarantine_a_runner(
    fleet: Fleet, runner: str, client: int
) -> None:
    crash(fleet, runner, client, b"one")
    assert fleet.store.runner(runner).status == "ready"
    crash(fleet, runner, client, b"two")
    found = fleet.store.runner(runner)
    assert found.status == "quarantined"
    assert found.reason == "its worker crashed twice in a row, on different artifacts"


def test_crashes_on_one_artifact_blame_the_artifact(fleet: Fleet, runner: str, client: int) -> None:
    for _ in range(3):
        crash(fleet, runner, client, b"same")
    assert fleet.store.runner(runner).status == "ready"


def test_a_batch_that_crashes_and_then_a_part_of_it_blame_one_candidate(fleet: Fleet, runner: str, client: int) -> None:
    crash(fleet, runner, client, b"one", b"two", b"three")
    crash(fleet, runner, client, b"one", b"two")
    crash(fleet, runner, client, b"two", b"four")
    assert fleet.store.runner(runner).status == "ready"
    # No candidate was in all four.
    crash(fleet, runner, client, b"one", b"four")
    assert fleet.store.runner(runner).status == "quarantined"


def test_a_crash_of_the_reference_alone_and_then_of_a_candidate_blame_the_runner(
    fleet: Fleet, runner: str, client: int
) -> None:
    crash(fleet, runner, client, b"reference")
    crash(fleet, runner, client, b"one")
    assert fleet.store.runner(runner).status == "quarantined"


@pytest.mark.parametrize("between", ["done", "device_lost"])
def test_crashes_with_something_else_between_them_are_not_in_a_row(
    fleet: Fleet, runner: str, client: int, between: str
) -> None:
    crash(fleet, runner, client, b"one")
    job = fleet.submit(client, b"between")
    lease = fleet.lease(runner)
    if between == "done":
        fleet.finish(lease, runner)
    else:
        fleet.queue.fail(lease.fence, runner, between, "unplugged")
        fleet.queue.cancel(job.id, reason="over")
    crash(fleet, runner, client, b"two")
    assert fleet.store.runner(runner).status == "ready"


def test_a_quarantined_runner_gets_tests_alone_until_it_is_resumed(fleet: Fleet, runner: str, client: int) -> None:
    job = fleet.submit(client)
    fleet.queue.move(runner, "quarantined", reason="odd figures")
    assert fleet.queue.lease(runner) is None
    test = fleet.submit(client, priority=10, is_test=True)
    lease = fleet.lease(runner)
    assert lease.job_id == test.id
    fleet.finish(lease, runner)
    assert fleet.queue.lease(runner) is None
    fleet.queue.move(runner, "ready")
    assert fleet.lease(runner).job_id == job.id


def test_a_failed_a_a_quarantines_and_keeps_the_result(fleet: Fleet, runner: str, client: int) -> None:
    job = fleet.submit(client)
    done = fleet.finish(fleet.lease(runner), runner, noise={"floor": 0.2}, distrust="its A/A failed")
    assert done.status == "done"
    found = fleet.store.runner(runner)
    assert (found.status, found.reason, found.noise) == ("quarantined", "its A/A failed", {"floor": 0.2})
    assert fleet.store.job_result(job.id) == {"measurements": []}


def test_a_draining_runner_ends_what_it_has_and_gets_nothing_else(fleet: Fleet, runner: str, client: int) -> None:
    for _ in range(2):
        fleet.submit(client)
    lease = fleet.lease(runner)
    fleet.queue.move(runner, "draining")
    assert fleet.queue.heartbeat(lease.fence, runner) == "drain"
    assert fleet.finish(lease, runner).status == "done"
    assert fleet.queue.lease(runner) is None
    fleet.queue.move(runner, "ready")
    assert fleet.queue.lease(runner) is not None


def test_the_jobs_of_a_removed_runner_are_cancelled(fleet: Fleet, runner: str, client: int) -> None:
    leased, waiting = fleet.submit(client), fleet.submit(client)
    lease = fleet.lease(runner)
    fleet.queue.move(runner, "removed")
    for job in (leased, waiting):
        found = fleet.store.job(job.id)
        assert (found.status, found.reason) == ("cancelled", f"runner {RUNNER!r} was removed")
    assert fleet.queue.heartbeat(lease.fence, runner) == "cancel"
    assert fleet.queue.lease(runner) is None
    with pytest.raises(UnknownError, match="no runner 'pixel8'"):
        fleet.submit(client)


def test_a_restart_ends_what_a_removal_left(fleet: Fleet, runner: str, client: int) -> None:
    job = fleet.submit(client)
    fleet.store.set_runner_status(runner, "removed")  # and the hub was killed
    fleet.restart()
    assert fleet.store.job(job.id).status == "cancelled"


def test_polls_and_heartbeats_cost_no_write_and_a_few_runners_are_written_at_a_time(db: Path) -> None:
    wall = datetime(2026, 6, 1, tzinfo=UTC)
    with open_fleet(db, clock=lambda: wall) as store:
        fleet = Fleet(store)
        runners = []
        for index in range(10):
            code = f"{index}" * 64
            store.add_enrolment(f"runner-{index}", sha256=code, expires_at=wall + timedelta(minutes=10))
            runners.append(store.enrol(code, capabilities={}, agent_version="0", token_sha256=f"{index:064}"))
            fleet.queue.admit(runners[-1])
        wall += timedelta(seconds=100)

        def written() -> int:
            return sum(found.last_seen_at == wall for found in store.runners())

        for runner in runners:
            assert fleet.queue.lease(runner.id) is None
        fleet.wait(0)
        assert written() == 0
        fleet.clock.now += LIMITS.seen_every_s
        for runner in runners:
            fleet.queue.lease(runner.id)
        fleet.wait(0)
        assert written() == 8
        fleet.wait(0)
        assert written() == 10


def test_health_is_shown_at_once_and_kept_with_the_last_word(fleet: Fleet, runner: str, client: int) -> None:
    fleet.submit(client)
    lease = fleet.lease(runner)
    fleet.queue.heartbeat(lease.fence, runner, progress={"done": 1}, health={"celsius": 41})
    assert fleet.queue.lanes.get(runner).health == {"celsius": 41}
    assert fleet.queue.lanes.progress(lease.job_id) == {"done": 1}
    assert fleet.store.runner(runner).health == {}
    fleet.clock.now += LIMITS.seen_every_s
    fleet.queue.heartbeat(lease.fence, runner)
    fleet.wait(0)
    assert fleet.store.runner(runner).health == {"celsius": 41}


def test_silence_is_told_in_seconds_of_the_hub(fleet: Fleet, runner: str) -> None:
    fleet.clock.now += 75
    assert fleet.queue.silence_s(runner) == 75
    fleet.queue.lease(runner)
    assert fleet.queue.silence_s(runner) == 0
