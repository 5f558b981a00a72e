"""Attempts at jobs, on both databases: what a fence protects, what may be repeated, and what is kept."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from sqlalchemy import text

from bench.errors import FleetError, StoreError
from bench.store import FleetStore, JobRecord, RunnerRecord, StaleFenceError, UnknownError

from .fleets import RESULT, add_job, add_runner, check_told, digest, finish


def test_attempt_that_finishes_ends_its_job(fleet: FleetStore, runner: RunnerRecord, job: JobRecord) -> None:
    attempt = fleet.start_attempt(job.id, runner.id)
    assert (attempt.number, attempt.status, attempt.runner_id) == (1, "leased", runner.id)
    assert (fleet.job(job.id).status, fleet.live_attempts()) == ("leased", (attempt,))
    fleet.record_look(attempt.fence, {"measurements": [1]})
    fleet.record_look(attempt.fence, {"measurements": [1, 2]}, note={"action": "enough"})
    assert fleet.partial_result(attempt.fence) == {"measurements": [1, 2]}
    done = finish(fleet, attempt.fence)
    assert done == fleet.job(job.id)
    assert (done.status, done.reason, done.num_attempts) == ("done", None, 1)
    assert fleet.job_result(job.id) == RESULT
    assert (fleet.live_attempts(), fleet.partial_result(attempt.fence)) == ((), None)
    events = fleet.events(job.id)
    assert [event.kind for event in events] == ["queued", "leased", "look", "look", "done"]
    lease = {"runner": "pixel8", "fence": attempt.fence, "attempt": 1}
    assert [dict(event.data) for event in events[1:4]] == [lease, lease, {**lease, "action": "enough"}]
    assert fleet.events(job.id, after=events[2].sequence) == events[3:]
    check_told(fleet, job.id)


def test_result_told_again_gives_the_same_answer(fleet: FleetStore, runner: RunnerRecord, job: JobRecord) -> None:
    fence = fleet.start_attempt(job.id, runner.id).fence
    done = finish(fleet, fence)
    events = fleet.events(job.id)
    assert finish(fleet, fence) == done
    with pytest.raises(StaleFenceError, match=rf"lease {fence} of job {job.id} is done; only a live lease .*; drop"):
        finish(fleet, fence, {"measurements": []})
    assert (fleet.job(job.id), fleet.events(job.id), fleet.job_result(job.id)) == (done, events, RESULT)


def test_job_is_found_by_the_result_that_its_runner_gave(
    fleet: FleetStore, runner: RunnerRecord, job: JobRecord
) -> None:
    fence, sha256 = fleet.start_attempt(job.id, runner.id).fence, digest(json.dumps(RESULT))
    assert fleet.finished_job(fence, runner_id=runner.id, sha256=sha256) is None
    done = finish(fleet, fence)
    assert fleet.finished_job(fence, runner_id=runner.id, sha256=sha256) == done
    other = add_runner(fleet, "pi5")
    assert fleet.finished_job(fence, runner_id=other.id, sha256=sha256) is None
    assert fleet.finished_job(fence, runner_id=runner.id, sha256=digest("else")) is None
    assert fleet.finished_job(fence + 1, runner_id=runner.id, sha256=sha256) is None


def test_failed_attempt_is_kept_and_tried_again(fleet: FleetStore, runner: RunnerRecord, job: JobRecord) -> None:
    first = fleet.start_attempt(job.id, runner.id)
    fleet.record_look(first.fence, {"measurements": [1]})
    waiting = fleet.fail_attempt(first.fence, "worker_crash", "signal 11 \0\udcff", retry=True, delay_s=2.5)
    assert (waiting.status, waiting.reason, waiting.finished_at) == ("queued", "signal 11 ?", None)
    second = fleet.start_attempt(job.id, runner.id)
    assert (second.number, second.fence > first.fence) == (2, True)
    assert fleet.job(job.id).reason is None
    failed = fleet.fail_attempt(second.fence, "unsupported", "no such operator", retry=False)
    assert (failed.status, failed.reason, failed.num_attempts) == ("failed", "no such operator", 2)
    kinds = [(attempt.status, attempt.kind) for attempt in fleet.attempts(job.id)]
    assert kinds == [("failed", "worker_crash"), ("failed", "unsupported")]
    assert fleet.partial_result(first.fence) == {"measurements": [1]}
    requeued = next(event for event in fleet.events(job.id) if event.kind == "requeued")
    assert requeued.data == {
        "runner": "pixel8",
        "fence": first.fence,
        "attempt": 1,
        "kind": "worker_crash",
        "reason": "signal 11 ?",
        "delay_s": 2.5,
    }
    check_told(fleet, job.id)


STALE: dict[str, Callable[[FleetStore, int], object]] = {
    "result": finish,
    "look": lambda fleet, fence: fleet.record_look(fence, {}),
    "failure": lambda fleet, fence: fleet.fail_attempt(fence, "timeout", "too long", retry=True),
    "expiry": lambda fleet, fence: fleet.expire_attempt(fence, retry=True),
}


@pytest.mark.parametrize("word", STALE)
def test_nothing_is_said_under_an_expired_lease(
    fleet: FleetStore, runner: RunnerRecord, job: JobRecord, word: str
) -> None:
    late = fleet.start_attempt(job.id, runner.id)
    fleet.expire_attempt(late.fence, retry=True)
    live = fleet.start_attempt(job.id, runner.id)
    before = fleet.events(job.id)
    with pytest.raises(StaleFenceError, match=f"lease {late.fence} of job {job.id} is expired; .*ask for a new lease"):
        STALE[word](fleet, late.fence)
    assert (fleet.events(job.id), fleet.live_attempts()) == (before, (live,))
    assert finish(fleet, live.fence).status == "done"
    statuses = [(attempt.status, attempt.kind) for attempt in fleet.attempts(job.id)]
    assert statuses == [("expired", "expired"), ("done", None)]
    check_told(fleet, job.id)


def test_cancelled_job_takes_no_late_result(fleet: FleetStore, runner: RunnerRecord, job: JobRecord) -> None:
    fence = fleet.start_attempt(job.id, runner.id).fence
    cancelled = fleet.cancel_job(job.id, reason="not needed any more")
    assert (cancelled.status, cancelled.reason) == ("cancelled", "not needed any more")
    assert fleet.live_attempts() == ()
    with pytest.raises(StaleFenceError, match=f"lease {fence} of job {job.id} is cancelled"):
        finish(fleet, fence)
    assert fleet.cancel_job(job.id, reason="again") == cancelled
    assert fleet.events(job.id)[-1].data["reason"] == "not needed any more"
    check_told(fleet, job.id)


def test_job_that_has_ended_is_not_cancelled(fleet: FleetStore, runner: RunnerRecord, job: JobRecord) -> None:
    done = finish(fleet, fleet.start_attempt(job.id, runner.id).fence)
    assert fleet.cancel_job(job.id, reason="too late") == done
    check_told(fleet, job.id)


def test_fences_increase_and_are_never_given_twice(fleet: FleetStore, client: int, runner: RunnerRecord) -> None:
    fences = []
    for key in "abcd":
        job = add_job(fleet, client, runner, key)
        fences.append(fleet.start_attempt(job.id, runner.id).fence)
        finish(fleet, fences[-1])
        if key == "c":
            # By hand: whoever removes rows must not bring an old lease to life again.
            with fleet._writing() as session:
                session.execute(text("DELETE FROM job_events WHERE fence = :fence"), {"fence": fences[-1]})
                session.execute(text("DELETE FROM attempts WHERE fence = :fence"), {"fence": fences[-1]})
    assert fences == sorted(set(fences))


def test_job_is_leased_once(fleet: FleetStore, client: int, runner: RunnerRecord, job: JobRecord) -> None:
    fence = fleet.start_attempt(job.id, runner.id).fence
    with pytest.raises(FleetError, match=f"job {job.id} is leased and cannot be leased; only a queued one can"):
        fleet.start_attempt(job.id, runner.id)
    second = add_job(fleet, client, runner, "second")
    with pytest.raises(FleetError, match=f"runner 'pixel8' has lease {fence} already; a runner has one at a time"):
        fleet.start_attempt(second.id, runner.id)
    with pytest.raises(FleetError, match=f"job {second.id} is for runner 'pixel8', not 'pi5'; .*submit another job"):
        fleet.start_attempt(second.id, add_runner(fleet, "pi5").id)
    assert len(fleet.events(second.id)) == 1


@pytest.mark.parametrize("fence", [0, -1, 99, 2**40, 2**70])
def test_unknown_lease_is_an_error(fleet: FleetStore, runner: RunnerRecord, job: JobRecord, fence: int) -> None:
    with pytest.raises(UnknownError, match=f"no lease {fence}; no lease was given yet; ask for a new lease"):
        finish(fleet, fence)
    given = fleet.start_attempt(job.id, runner.id).fence
    with pytest.raises(UnknownError, match=f"no lease {fence}; the newest lease is {given}; ask"):
        fleet.partial_result(fence)


def test_a_result_that_is_no_json_leaves_the_lease_as_it_was(
    fleet: FleetStore, runner: RunnerRecord, job: JobRecord
) -> None:
    attempt = fleet.start_attempt(job.id, runner.id)
    before = fleet.events(job.id)
    with pytest.raises(StoreError, match="a value cannot be stored"):
        fleet.finish_attempt(attempt.fence, {"ms": float("nan")}, sha256=digest("nan"))
    assert (fleet.events(job.id), fleet.live_attempts()) == (before, (attempt,))
    assert finish(fleet, attempt.fence).status == "done"
