from __future__ import annotations

import pytest

from bench.fleet.intake import FullError
from bench.fleet.limits import Limits
from bench.store.fleet import FleetStore, KeyReusedError, UnknownError

from .examples import body_of, make_job
from .fleets import Fleet


def test_a_client_has_no_more_unfinished_jobs_than_it_may(store: FleetStore) -> None:
    fleet = Fleet(store, limits=Limits(unfinished_jobs=2))
    runner, client, other = fleet.enrol(), fleet.client(), fleet.client("other")
    first = fleet.submit(client, key="first")
    fleet.submit(client)
    with pytest.raises(FullError, match="2 unfinished jobs"):
        fleet.submit(client)
    assert fleet.submit(client, key="first").id == first.id
    assert fleet.submit(other).status == "queued"
    fleet.finish(fleet.lease(runner), runner)
    assert fleet.submit(client).status == "queued"


def test_a_client_has_no_more_bytes_of_unfinished_jobs_than_it_may(store: FleetStore) -> None:
    fleet = Fleet(store, limits=Limits(unfinished_bytes=2500))
    runner, client, other = fleet.enrol(), fleet.client(), fleet.client("other")
    first = fleet.submit(client, key="first")
    fleet.submit(client)
    for _ in range(2):
        with pytest.raises(FullError, match="2 unfinished jobs of 2000 bytes, and another of 1000; at most 2500 bytes"):
            fleet.submit(client)
        assert fleet.submit(client, key="first").id == first.id
        assert fleet.submit(other).status == "queued"
        fleet.restart()
    fleet.finish(fleet.lease(runner), runner)
    assert fleet.submit(client).status == "queued"


def test_one_large_job_by_itself_is_taken(store: FleetStore) -> None:
    fleet = Fleet(store, limits=Limits(unfinished_bytes=10))
    fleet.enrol()
    assert fleet.submit(fleet.client()).status == "queued"


def test_a_key_stands_for_one_job(fleet: Fleet, runner: str, client: int) -> None:
    job = fleet.submit(client, key="mine")
    assert fleet.submit(client, key="mine").id == job.id
    assert fleet.submit(fleet.client("other"), key="mine").id != job.id
    with pytest.raises(KeyReusedError):
        fleet.queue.intake.submit(
            client=client, key="mine", body=body_of(make_job(b"else")), body_sha256="f" * 64, num_bytes=9
        )
    assert fleet.queue.lanes.unfinished(client) == (1, 1000)


def test_a_job_for_nobody_is_refused_with_the_nearest_name(fleet: Fleet, runner: str, client: int) -> None:
    with pytest.raises(UnknownError, match="did you mean 'pixel8'"):
        fleet.submit(client, runner="pixel9")
