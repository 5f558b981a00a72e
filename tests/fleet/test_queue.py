from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.fleet.limits import Limits
from bench.fleet.queue import ForeignLeaseError
from bench.store.fleet import FleetStore, StaleFenceError

from .examples import body_of, make_job, sha_of
from .fleets import LIMITS, Fleet, served_order


def test_a_lease_tells_all_that_a_device_needs(fleet: Fleet, runner: str, client: int) -> None:
    job = fleet.submit(client, max_s=300.0)
    lease = fleet.lease(runner)
    assert (lease.job_id, lease.attempt, lease.max_s) == (job.id, 1, 300.0)
    assert (lease.ttl_s, lease.heartbeat_s) == (LIMITS.ttl_s, LIMITS.heartbeat_s)
    assert lease.body["job"] == body_of(make_job(b"network"))["job"]
    assert fleet.store.job(job.id).status == "leased"


def test_nothing_is_leased_where_nothing_waits(fleet: Fleet, runner: str, client: int) -> None:
    other = fleet.enrol("other")
    fleet.submit(client)
    assert fleet.queue.lease(other) is None
    assert fleet.queue.lease(runner) is not None


def test_the_highest_priority_goes_first(fleet: Fleet, runner: str, client: int) -> None:
    low, high, middle = (fleet.submit(client, priority=priority).id for priority in (-5, 5, 0))
    assert served_order(fleet, runner, 3) == [high, middle, low]


def test_clients_take_turns_within_a_priority(fleet: Fleet, runner: str, client: int) -> None:
    first, second, third = (fleet.submit(client).id for _ in range(3))
    other = fleet.client("other")
    late, last = (fleet.submit(other).id for _ in range(2))
    assert served_order(fleet, runner, 5) == [first, late, second, last, third]


def test_turns_are_of_one_runner(fleet: Fleet, runner: str, client: int) -> None:
    second_runner, other = fleet.enrol("second"), fleet.client("other")
    fleet.submit(client)
    served_order(fleet, runner, 1)
    mine, others = fleet.submit(client, runner="second").id, fleet.submit(other, runner="second").id
    assert served_order(fleet, second_runner, 2) == [mine, others]


def test_one_client_is_served_in_the_order_of_its_jobs(fleet: Fleet, runner: str, client: int) -> None:
    ids = [fleet.submit(client).id for _ in range(4)]
    assert served_order(fleet, runner, 4) == ids


def test_a_runner_has_one_lease_at_a_time(fleet: Fleet, runner: str, client: int) -> None:
    for _ in range(2):
        fleet.submit(client)
    lease = fleet.lease(runner)
    assert fleet.lease(runner).fence == lease.fence
    assert len(fleet.store.live_attempts()) == 1


def test_nothing_is_said_under_a_fence_that_has_ended(fleet: Fleet, runner: str, client: int) -> None:
    fleet.submit(client)
    lease = fleet.lease(runner)
    fleet.wait(LIMITS.ttl_s + 1)
    fleet.wait(LIMITS.backoff_s * 2)
    newer = fleet.lease(runner)
    assert newer.fence > lease.fence
    for say in (
        lambda: fleet.queue.heartbeat(lease.fence, runner),
        lambda: fleet.queue.look(lease.fence, runner, {}, note={}),
        lambda: fleet.finish(lease, runner),
        lambda: fleet.queue.fail(lease.fence, runner, "timeout", "late"),
    ):
        with pytest.raises(StaleFenceError):
            say()
    assert fleet.finish(newer, runner).status == "done"


def test_nobody_speaks_for_the_lease_of_another_runner(fleet: Fleet, runner: str, client: int) -> None:
    other = fleet.enrol("other")
    fleet.submit(client)
    lease = fleet.lease(runner)
    for say in (
        lambda: fleet.queue.heartbeat(lease.fence, other),
        lambda: fleet.queue.look(lease.fence, other, {}, note={}),
        lambda: fleet.queue.terms(lease.fence, other),
        lambda: fleet.finish(lease, other),
        lambda: fleet.queue.fail(lease.fence, other, "timeout", "not mine"),
    ):
        with pytest.raises(ForeignLeaseError):
            say()
    assert fleet.finish(lease, runner).status == "done"


def test_a_result_is_taken_once_and_may_be_told_again(fleet: Fleet, runner: str, client: int) -> None:
    job = fleet.submit(client)
    lease = fleet.lease(runner)
    assert fleet.finish(lease, runner).status == "done"
    assert fleet.finish(lease, runner).id == job.id
    with pytest.raises(StaleFenceError):
        fleet.finish(lease, runner, sha256="2" * 64)
    assert fleet.kinds(job.id) == ["queued", "leased", "done"]


def test_a_fence_that_was_never_given_is_stale(fleet: Fleet, runner: str) -> None:
    with pytest.raises(StaleFenceError):
        fleet.queue.finish(4711, runner, {}, sha256="1" * 64)


def test_what_a_result_is_held_to_is_known_for_live_leases(fleet: Fleet, runner: str, client: int) -> None:
    fleet.submit(client, max_s=50.0)
    lease = fleet.lease(runner)
    terms = fleet.queue.terms(lease.fence, runner)
    assert terms is not None
    assert (terms.max_s, terms.job) == (50.0, make_job(b"network"))
    fleet.finish(lease, runner)
    assert fleet.queue.terms(lease.fence, runner) is None


def test_looks_are_kept_up_to_a_number(store: FleetStore) -> None:
    fleet = Fleet(store, limits=Limits(looks=2))
    runner, client = fleet.enrol(), fleet.client()
    job = fleet.submit(client)
    fence = fleet.lease(runner).fence
    for number in range(4):
        assert fleet.queue.look(fence, runner, {"measurements": [number]}, note={}) == "continue"
    assert fleet.kinds(job.id) == ["queued", "leased", "look", "look"]
    assert fleet.store.partial_result(fence) == {"measurements": [1]}


def test_a_cancelled_job_that_waits_is_never_leased(fleet: Fleet, runner: str, client: int) -> None:
    job = fleet.submit(client)
    assert fleet.queue.cancel(job.id, reason="no longer wanted").status == "cancelled"
    assert fleet.queue.lease(runner) is None
    assert fleet.queue.cancel(job.id, reason="again").reason == "no longer wanted"


def test_a_cancelled_lease_is_told_with_the_next_word(fleet: Fleet, runner: str, client: int) -> None:
    job, second = fleet.submit(client), fleet.submit(client)
    lease = fleet.lease(runner)
    assert fleet.queue.cancel(job.id, reason="enough").status == "cancelled"
    assert fleet.queue.heartbeat(lease.fence, runner) == "cancel"
    assert fleet.queue.look(lease.fence, runner, {}, note={}) == "cancel"
    with pytest.raises(StaleFenceError):
        fleet.finish(lease, runner)
    assert fleet.lease(runner).job_id == second.id
    assert fleet.store.attempts(job.id)[0].status == "cancelled"


def test_a_job_that_has_ended_stays_as_it_is_when_cancelled(fleet: Fleet, runner: str, client: int) -> None:
    job = fleet.submit(client)
    fleet.finish(fleet.lease(runner), runner)
    assert fleet.queue.cancel(job.id, reason="late").status == "done"


def test_a_restart_keeps_the_order_of_what_waits(fleet: Fleet, runner: str, client: int) -> None:
    ids = [fleet.submit(client).id for _ in range(3)]
    fleet.restart()
    assert served_order(fleet, runner, 3) == ids


def test_who_waits_is_told_of_what_it_waits_for(fleet: Fleet, runner: str, client: int) -> None:
    told: list[str] = []
    fleet.queue.changed(told.append)

    def news(act: Callable[[], object]) -> set[str]:
        told.clear()
        act()
        return set(told)

    job = fleet.submit(client)
    assert set(told) == {runner, job.id}
    assert news(lambda: fleet.lease(runner)) == {job.id}
    fence = fleet.lease(runner).fence
    assert news(lambda: fleet.queue.look(fence, runner, {}, note={})) == {job.id}
    assert news(lambda: fleet.queue.fail(fence, runner, "timeout", "hung")) == {job.id}
    assert news(lambda: fleet.wait(1)) == set()
    assert news(lambda: fleet.wait(3)) == {runner}
    assert news(lambda: fleet.wait(3)) == set()
    assert news(lambda: fleet.queue.cancel(job.id, reason="over")) == {job.id}
    assert news(lambda: fleet.queue.move(runner, "ready")) == {runner}


def test_files_of_unfinished_jobs_are_needed(fleet: Fleet, runner: str, client: int) -> None:
    fleet.submit(client, b"waits")
    fleet.submit(client, b"second")
    lease = fleet.lease(runner)
    names = {sha_of(content) for content in (b"waits", b"second", b"reference")}
    assert fleet.queue.lanes.needed_blobs() == names
    assert fleet.queue.lanes.may_read(runner, sha_of(b"waits"))
    assert not fleet.queue.lanes.may_read(runner, sha_of(b"second"))
    fleet.finish(lease, runner)
    assert not fleet.queue.lanes.may_read(runner, sha_of(b"waits"))
    assert fleet.queue.lanes.needed_blobs() == names - {sha_of(b"waits")}
