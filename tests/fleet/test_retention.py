"""What a hub lets go of, and what its clients see of that."""

from __future__ import annotations

import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.fleet.client import HubClient
from bench.fleet.following import follow
from bench.fleet.limits import Limits
from bench.fleet.retention import Retention
from bench.store.fleet import FleetStore, open_fleet

from .examples import RUNNER, make_job, measured
from .fleets import Clock, Fleet
from .hubs import served, until

LIMITS = Limits(keep_days=2.0, keep_unfetched_days=5.0)


class Calendar:
    """A clock of the store that is set by hand."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def wait(self, days: float) -> None:
        self.now += timedelta(days=days)


def test_ended_jobs_are_cleared_a_few_at_a_time_and_then_looked_for_after_a_while(db: Path) -> None:
    calendar, clock = Calendar(), Clock()
    with open_fleet(db, clock=calendar) as store:
        fleet = Fleet(store)
        runner, client = fleet.enrol(), fleet.client()
        for index in range(7):
            fleet.submit(client)
            fleet.finish(fleet.lease(runner), runner, sha256=f"{index:064}")
        retention = Retention(store, LIMITS, monotonic=clock)
        retention.turn()
        assert _kept(store) == 7
        calendar.wait(6.0)
        retention.turn()  # it rests
        assert _kept(store) == 7
        clock.now += 61.0
        retention.turn()
        assert _kept(store) == 2
        retention.turn()
        assert _kept(store) == 0


def test_a_result_stays_longer_for_a_client_that_has_not_fetched_it(db: Path) -> None:
    calendar, clock = Calendar(), Clock()
    with open_fleet(db, clock=calendar) as store:
        fleet = Fleet(store)
        runner, client = fleet.enrol(), fleet.client()
        for index in range(2):
            fleet.submit(client)
            lease = fleet.lease(runner)
            fleet.finish(lease, runner, sha256=f"{index:064}")
        store.note_fetched(lease.job_id)
        retention = Retention(store, LIMITS, monotonic=clock)
        kept = []
        for _ in range(3):
            calendar.wait(1.9)
            clock.now += 61.0
            retention.turn()
            kept.append(_kept(store))
        assert kept == [2, 1, 0]


def test_what_was_cleared_is_told_apart_from_what_never_was(tmp_path: Path, empty_db: Path) -> None:
    with served(tmp_path, empty_db, limits={"keep_days": 0.0}) as hub:
        agent, client = hub.enrol(), hub.client()
        waiting = client.submit(b"other", key="other", priority=-1)
        job_id, fence = hub.done(agent, client)
        hub.admin.get(f"/v1/jobs/{job_id}/result")  # not by whose job it is
        retention = hub.server.app.state.hub.retention
        retention._next_s = 0.0
        retention.turn()
        assert client.get(f"/v1/jobs/{job_id}/result").json == {"measurements": measured(make_job(b"network"))}
        retention._next_s = 0.0
        gone = until(lambda: (found := client.get(f"/v1/jobs/{job_id}/result")).status != 200 and found)
        assert gone.status == 410
        assert "kept no longer" in gone.error
        assert client.get(f"/v1/jobs/{job_id}").json["status"] == "done"
        assert agent.result(fence, measured(make_job(b"network"))).status == 200  # its agent may not have heard so
        assert client.get(f"/v1/jobs/{waiting}/result").status == 409
        assert agent.lease().json["job_id"] == waiting
        assert client.token is not None
        with closing(HubClient(hub.server.address, client.token)) as caller:
            ended = follow(caller, job_id, RUNNER, told=lambda sign: None, over=threading.Event())
        assert ended is not None
        assert ended.status == "unknown"


@pytest.mark.parametrize(("days", "keep_days"), [(None, 14.0), (0.5, 0.5)])
def test_a_hub_keeps_what_it_was_told_to(tmp_path: Path, empty_db: Path, days: float | None, keep_days: float) -> None:
    with served(tmp_path, empty_db, keep_days=days) as hub:
        assert hub.server.app.state.hub.limits.keep_days == keep_days


def _kept(store: FleetStore) -> int:
    """Jobs whose result is still there."""
    return sum(store.job_result(attempt.job_id) is not None for attempt, _ in store.runner_attempts(RUNNER, most=99))
