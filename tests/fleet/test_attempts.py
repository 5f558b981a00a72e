from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.store.fleet import StaleFenceError, open_fleet

from .examples import RUNNER, body_of, make_job
from .fleets import LIMITS, Fleet


def test_a_lease_whose_answer_was_lost_is_given_again(fleet: Fleet, runner: str, client: int) -> None:
    fleet.submit(client)
    lease = fleet.lease(runner)
    fleet.clock.now += LIMITS.ttl_s - 1
    again = fleet.lease(runner)
    assert (again.fence, again.attempt) == (lease.fence, 1)
    fleet.wait(LIMITS.ttl_s - 1)
    assert fleet.queue.heartbeat(lease.fence, runner) == "continue"


def test_an_agent_that_worked_and_asks_for_work_has_lost_what_it_had(fleet: Fleet, runner: str, client: int) -> None:
    job = fleet.submit(client)
    lease = fleet.lease(runner)
    fleet.queue.heartbeat(lease.fence, runner)
    assert fleet.queue.lease(runner) is None
    (attempt,) = fleet.store.attempts(job.id)
    assert (attempt.status, attempt.reason) == ("expired", "its agent asked for work and does not know of it")
    fleet.wait(LIMITS.backoff_s * 2)
    assert fleet.lease(runner).attempt == 2
    with pytest.raises(StaleFenceError):
        fleet.finish(lease, runner)


def test_a_poll_that_outlives_its_agent_takes_nothing_from_a_later_one(fleet: Fleet, runner: str, client: int) -> None:
    """A connection that was cut is noticed late; whoever waits behind it is woken by the next job."""
    job = fleet.submit(client)
    lease = fleet.lease(runner)
    fleet.queue.heartbeat(lease.fence, runner)
    fleet.submit(client)
    assert fleet.queue.lease(runner, is_first=False) is None
    assert fleet.queue.heartbeat(lease.fence, runner) == "continue"
    assert fleet.finish(lease, runner).id == job.id


def test_a_poll_that_waits_is_no_word_of_its_agent(fleet: Fleet, runner: str) -> None:
    fleet.clock.now += 20
    assert fleet.queue.lease(runner, is_first=False) is None
    assert fleet.queue.silence_s(runner) == 20


def test_a_lease_without_a_word_expires_and_its_job_is_tried_again(fleet: Fleet, runner: str, client: int) -> None:
    job = fleet.submit(client)
    lease = fleet.lease(runner)
    fleet.wait(LIMITS.ttl_s)
    assert fleet.store.job(job.id).status == "leased"
    fleet.wait(1)
    assert fleet.store.job(job.id).status == "queued"
    with pytest.raises(StaleFenceError, match="has ended"):
        fleet.queue.heartbeat(lease.fence, runner)


def test_an_agent_that_cannot_read_its_lease_gets_to_the_next_one(fleet: Fleet, runner: str, client: int) -> None:
    unreadable, sound = fleet.submit(client), fleet.submit(client)
    found = []
    for _ in range(100):
        lease = fleet.queue.lease(runner, is_first=True)
        if lease is not None and lease.job_id == sound.id:
            break
        found.append(lease)
        fleet.wait(LIMITS.ttl_s / 2)
    else:
        pytest.fail("the same lease again and again")
    assert fleet.store.job(unreadable.id).status in ("queued", "failed")


@pytest.mark.parametrize("word", ["heartbeat", "look"])
def test_a_word_keeps_a_lease_alive(fleet: Fleet, runner: str, client: int, word: str) -> None:
    job = fleet.submit(client)
    lease = fleet.lease(runner)
    for _ in range(5):
        fleet.wait(LIMITS.ttl_s - 1)
        if word == "heartbeat":
            assert fleet.queue.heartbeat(lease.fence, runner) == "continue"
        else:
            assert fleet.queue.look(lease.fence, runner, {"measurements": []}, note={}) == "continue"
    assert fleet.finish(lease, runner).status == "done"
    assert fleet.store.job(job.id).num_attempts == 1


def test_a_lease_ends_with_the_time_of_its_job_whatever_its_agent_says(fleet: Fleet, runner: str, client: int) -> None:
    job = fleet.submit(client, max_s=100.0)
    lease = fleet.lease(runner)
    for _ in range(3):
        fleet.wait(50)
        fleet.queue.heartbeat(lease.fence, runner)
    fleet.wait(11)
    attempt = fleet.store.attempts(job.id)[0]
    assert (attempt.status, attempt.kind) == ("failed", "timeout")
    assert fleet.store.job(job.id).status == "queued"


def test_three_attempts_are_made_each_later_than_the_one_before(fleet: Fleet, runner: str, client: int) -> None:
    job, delays = fleet.submit(client), []
    for number in (1, 2, 3):
        assert fleet.lease(runner).attempt == number
        fleet.wait(LIMITS.ttl_s + 1)
        waited = 0.0
        while number < 3 and not fleet.queue.lanes.get(runner).next(fleet.clock.now):
            fleet.wait(0.1)
            waited += 0.1
        delays.append(waited)
    assert 1.5 <= delays[0] <= 2.6
    assert 3.0 <= delays[1] <= 5.1
    assert fleet.queue.lease(runner) is None
    ended = fleet.store.job(job.id)
    assert (ended.status, ended.num_attempts) == ("failed", 3)
    assert [(attempt.number, attempt.status) for attempt in fleet.store.attempts(job.id)] == [
        (number, "expired") for number in (1, 2, 3)
    ]


def test_every_retry_is_explained_by_an_event(fleet: Fleet, runner: str, client: int) -> None:
    job = fleet.submit(client)
    lease = fleet.lease(runner)
    fleet.queue.fail(lease.fence, runner, "device_lost", "adb: device offline")
    event = fleet.store.events(job.id)[-1]
    assert event.kind == "requeued"
    assert (event.data["kind"], event.data["reason"]) == ("device_lost", "adb: device offline")
    assert 1.5 <= event.data["delay_s"] <= 2.5
    assert fleet.kinds(job.id) == ["queued", "leased", "requeued"]


def test_the_same_seed_gives_the_same_delays(tmp_path: Path, empty_db: Path) -> None:
    def delays(folder: Path, seed: int) -> list[float]:
        folder.mkdir()
        path = folder / "bench.db"
        path.write_bytes(empty_db.read_bytes())
        with open_fleet(path) as store:
            fleet = Fleet(store, seed=seed)
            runner, client = fleet.enrol(), fleet.client()
            found = []
            for _ in range(3):
                job = fleet.submit(client)
                fleet.queue.fail(fleet.lease(runner).fence, runner, "unhealthy", "hot")
                found.append(fleet.store.events(job.id)[-1].data["delay_s"])
            return found

    first, again, other = (delays(tmp_path / f"{index}", seed) for index, seed in enumerate((1, 1, 2)))
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("artifact_invalid", "failed"),
        ("unsupported", "failed"),
        ("worker_crash", "queued"),
        ("timeout", "queued"),
        ("device_lost", "queued"),
        ("unhealthy", "queued"),
    ],
)
def test_what_another_attempt_cannot_mend_is_not_tried_again(
    fleet: Fleet, runner: str, client: int, kind: str, status: str
) -> None:
    job = fleet.submit(client)
    fleet.queue.fail(fleet.lease(runner).fence, runner, kind, "why")
    found = fleet.store.job(job.id)
    assert (found.status, found.reason) == (status, "why")
    assert fleet.store.attempts(job.id)[0].kind == kind


def test_the_last_attempt_fails_its_job(fleet: Fleet, runner: str, client: int) -> None:
    job = fleet.submit(client)
    for _ in range(3):
        fleet.queue.fail(fleet.lease(runner).fence, runner, "timeout", "it hung")
        fleet.wait(60)
    assert fleet.store.job(job.id).status == "failed"
    assert [attempt.reason for attempt in fleet.store.attempts(job.id)] == ["it hung"] * 3


def test_a_restart_gives_every_lease_its_full_time(fleet: Fleet, runner: str, client: int) -> None:
    job = fleet.submit(client)
    lease = fleet.lease(runner)
    fleet.queue.heartbeat(lease.fence, runner)
    fleet.clock.now += LIMITS.ttl_s - 1
    fleet.restart()
    fleet.wait(LIMITS.ttl_s - 1)
    assert fleet.store.job(job.id).status == "leased"
    assert fleet.queue.heartbeat(lease.fence, runner) == "continue"
    assert fleet.finish(lease, runner).status == "done"


def test_a_lease_that_nobody_speaks_for_after_a_restart_expires(fleet: Fleet, runner: str, client: int) -> None:
    job = fleet.submit(client)
    fleet.lease(runner)
    fleet.restart()
    fleet.wait(LIMITS.ttl_s + 1)
    assert fleet.kinds(job.id) == ["queued", "leased", "requeued"]


def test_a_jump_of_the_wall_clock_costs_no_lease(db: Path) -> None:
    wall = datetime(2026, 6, 1, tzinfo=UTC)
    with open_fleet(db, clock=lambda: wall) as store:
        fleet = Fleet(store)
        client = fleet.client()
        store.add_enrolment(RUNNER, sha256="a" * 64, expires_at=wall + timedelta(minutes=10))
        runner = store.enrol("a" * 64, capabilities={}, agent_version="0.1.0", token_sha256="b" * 64)
        fleet.queue.admit(runner)
        fleet.submit(client)
        lease = fleet.lease(runner.id)
        for jump in (timedelta(days=400), timedelta(days=-800)):
            wall += jump
            fleet.wait(1)
            assert fleet.queue.heartbeat(lease.fence, runner.id) == "continue"
        assert fleet.finish(lease, runner.id).status == "done"


def test_a_lease_that_only_the_store_knows_is_taken_up(fleet: Fleet, runner: str, client: int) -> None:
    """A transaction may be kept although the connection broke before its answer."""
    job, second = fleet.submit(client), fleet.submit(client)
    attempt = fleet.store.start_attempt(job.id, runner)
    lease = fleet.lease(runner)
    assert (lease.fence, lease.job_id) == (attempt.fence, job.id)
    assert fleet.finish(lease, runner).status == "done"
    assert fleet.lease(runner).job_id == second.id


def test_words_under_a_fence_that_only_the_store_knows_are_heard(fleet: Fleet, runner: str, client: int) -> None:
    job = fleet.submit(client)
    attempt = fleet.store.start_attempt(job.id, runner)
    assert fleet.queue.heartbeat(attempt.fence, runner) == "continue"
    terms = fleet.queue.terms(attempt.fence, runner)
    assert terms is not None


def test_a_lease_that_the_store_has_ended_is_forgotten(fleet: Fleet, runner: str, client: int) -> None:
    job = fleet.submit(client)
    lease = fleet.lease(runner)
    fleet.store.expire_attempt(lease.fence, retry=True)
    fleet.wait(LIMITS.ttl_s + 1)
    assert fleet.kinds(job.id) == ["queued", "leased", "requeued"]
    fleet.wait(LIMITS.backoff_s * 2)
    assert fleet.lease(runner).attempt == 2


def test_a_job_that_only_the_store_knows_is_queued_when_it_is_sent_again(
    fleet: Fleet, runner: str, client: int
) -> None:
    """A transaction may be kept although the connection broke before its answer."""
    body = body_of(make_job(b"network"))
    job, _ = fleet.store.add_job(
        client=client, key="one", body_sha256="0" * 64, runner_id=runner, priority=0, body=body, num_bytes=1000
    )
    assert fleet.queue.lease(runner) is None
    for _ in range(2):
        assert fleet.submit(client, key="one").id == job.id
    assert fleet.queue.lanes.unfinished(client) == (1, 1000)
    lease = fleet.lease(runner)
    assert lease.job_id == job.id
    assert fleet.submit(client, key="one").id == job.id
    fleet.finish(lease, runner)
    assert fleet.submit(client, key="one").status == "done"
    assert fleet.queue.lanes.unfinished(client) == (0, 0)
    assert fleet.queue.lease(runner) is None


def test_only_what_was_read_by_its_terms_ends_a_job(fleet: Fleet, runner: str, client: int) -> None:
    """Terms are asked for before a result is read, and a lease may begin, or be another's, meanwhile."""
    other = fleet.enrol("other")
    job = fleet.submit(client)
    attempt = fleet.store.start_attempt(job.id, runner)
    for speaker in (other, runner):
        with pytest.raises(StaleFenceError, match="has ended"):
            fleet.queue.finish(attempt.fence, speaker, None, sha256="1" * 64)
    assert fleet.store.job(job.id).status == "leased"
    lease = fleet.lease(runner)
    assert fleet.finish(lease, runner, "1" * 64).status == "done"
    assert fleet.queue.finish(lease.fence, runner, None, sha256="1" * 64).id == job.id
    for speaker, sha256 in ((other, "1" * 64), (runner, "2" * 64)):
        with pytest.raises(StaleFenceError):
            fleet.queue.finish(lease.fence, speaker, None, sha256=sha256)


def test_a_job_that_the_store_has_ended_is_passed_over(fleet: Fleet, runner: str, client: int) -> None:
    gone, second = fleet.submit(client), fleet.submit(client)
    fleet.store.cancel_job(gone.id, reason="behind the queue's back")
    assert fleet.lease(runner).job_id == second.id
    assert fleet.queue.lanes.unfinished(client) == (1, 1000)


def test_many_threads_end_every_job_exactly_once(fleet: Fleet, client: int) -> None:
    runners = [fleet.enrol(f"runner-{index}") for index in range(4)]
    ids = [fleet.submit(client, runner=f"runner-{index % 4}").id for index in range(24)]
    errors: list[BaseException] = []

    def work(runner: str) -> None:
        try:
            while (lease := fleet.queue.lease(runner)) is not None:
                fleet.queue.heartbeat(lease.fence, runner)
                fleet.finish(lease, runner)
        except BaseException as error:  # told by the test
            errors.append(error)

    threads = [threading.Thread(target=work, args=(runner,)) for runner in runners]
    ticker = threading.Thread(target=lambda: [fleet.queue.expire() for _ in range(50)])
    for thread in (*threads, ticker):
        thread.start()
    for thread in (*threads, ticker):
        thread.join()
    assert errors == []
    assert [fleet.kinds(job_id) for job_id in ids] == [["queued", "leased", "done"]] * 24
