"""Several real processes on one fleet, and one that is killed: no job twice, no job lost, every change told."""

from __future__ import annotations

import sqlite3

from bench.store import FleetStore, open_fleet

from .fleets import add_client, add_job, add_runner, check_told, finish
from .processes import go, start_leaser

NUM_RUNNERS = 3
NUM_JOBS = 30


def test_processes_that_lease_at_once_never_get_the_same_job(fleet: FleetStore, fleet_url: str, client: int) -> None:
    runners = [add_runner(fleet, f"runner{number}") for number in range(NUM_RUNNERS)]
    jobs = [add_job(fleet, client, runners[number % NUM_RUNNERS], f"key{number}") for number in range(NUM_JOBS)]
    outputs = go([start_leaser(fleet_url, work="take", client=client) for _ in range(2)])
    leased = [tuple(line.split()) for lines in outputs for line in lines]
    assert sorted(job for job, _ in leased) == sorted(job.id for job in jobs)
    assert len({fence for _, fence in leased}) == NUM_JOBS
    for job in jobs:
        assert (fleet.job(job.id).status, fleet.job(job.id).num_attempts) == ("done", 1)
        check_told(fleet, job.id)


def test_killed_process_leaves_whole_transactions(fleet_url: str) -> None:
    with open_fleet(fleet_url) as fleet:
        client, runner = add_client(fleet), add_runner(fleet)
    victim = start_leaser(fleet_url, work="make", client=client)
    assert victim.stdin is not None
    assert victim.stdout is not None
    victim.stdin.write("go\n")
    victim.stdin.flush()
    acknowledged = [victim.stdout.readline().strip() for _ in range(10)]
    victim.kill()
    rest, _ = victim.communicate(timeout=10)
    acknowledged += rest.split()
    assert victim.returncode == -9
    with open_fleet(fleet_url) as fleet:
        # Its keys again: they give the jobs that it made, the last of which may be at any stage, or not there yet.
        jobs = [add_job(fleet, client, runner, f"key{index}") for index in range(len(acknowledged) + 1)]
        assert [job.id for job in jobs[:-1]] == acknowledged
        assert {job.status for job in jobs[:-1]} == {"done"}
        for job in jobs:
            check_told(fleet, job.id)
        for attempt in fleet.live_attempts():
            assert attempt.job_id == jobs[-1].id
            fleet.expire_attempt(attempt.fence, retry=True)
        if fleet.job(jobs[-1].id).status != "done":
            finish(fleet, fleet.start_attempt(jobs[-1].id, runner.id).fence)
        assert fleet.unfinished() == ()
        check_told(fleet, jobs[-1].id)
        path = fleet.location.path
    if path is not None:
        with sqlite3.connect(path) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()
