"""The life of jobs under any order of words: each ends exactly once, every attempt is kept, events tell all of it."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, multiple, rule

from bench.errors import FleetError
from bench.store import FINISHED_JOB, FleetStore, JobRecord, StaleFenceError, open_fleet
from bench.store.engine import connect

from .examples import ticking_clock
from .fleets import add_client, add_job, add_runner, check_told, digest

RESULTS = {"first": {"measurements": [1]}, "second": {"measurements": [2]}}


@cache
def empty() -> FleetStore:
    """A database with its schema, to be copied: making one takes longer than half an example."""
    return open_fleet("sqlite://")


def copied(known: FleetStore) -> FleetStore:
    """Another database in memory with the same content."""
    engine = connect(known.location, read_only=False, timeout_s=30.0)
    with known._engine.connect() as source, engine.connect() as target:
        source.connection.driver_connection.backup(target.connection.driver_connection)  # type: ignore[union-attr]
    return FleetStore(engine, known.location, timeout_s=30.0, clock=ticking_clock())


class JobLife(RuleBasedStateMachine):
    """A model of the store: the status of each job, the live leases, and what each finished lease was finished with."""

    jobs = Bundle("jobs")
    fences = Bundle("fences")

    def __init__(self) -> None:
        super().__init__()
        self.fleet = copied(empty())
        self.client = add_client(self.fleet)
        self.runners = [add_runner(self.fleet, name) for name in ("pixel8", "pi5")]
        self.status: dict[str, str] = {}
        self.ended: dict[str, JobRecord] = {}
        self.leased: dict[int, str] = {}
        self.results: dict[int, str] = {}
        self.all_fences: list[int] = []

    def teardown(self) -> None:
        try:
            for job_id in self.status:
                check_told(self.fleet, job_id)
            waiting = [job_id for job_id, status in self.status.items() if status not in FINISHED_JOB]
            assert [job.id for job in self.fleet.unfinished()] == waiting
            assert [attempt.fence for attempt in self.fleet.live_attempts()] == sorted(self.leased)
        finally:
            self.fleet.close()

    @rule(target=jobs, number=st.integers(0, 1))
    def submit(self, number: int) -> str:
        job = add_job(self.fleet, self.client, self.runners[number], f"key{len(self.status)}")
        self.status[job.id] = "queued"
        return job.id

    @rule(job_id=jobs)
    def submit_again(self, job_id: str) -> None:
        number = list(self.status).index(job_id)
        runner = next(runner for runner in self.runners if runner.id == self.fleet.job(job_id).runner_id)
        assert add_job(self.fleet, self.client, runner, f"key{number}").id == job_id

    @rule(target=fences, job_id=jobs)
    def start(self, job_id: str) -> object:
        runner_id = self.fleet.job(job_id).runner_id
        is_busy = any(self.fleet.job(other).runner_id == runner_id for other in self.leased.values())
        if self.status[job_id] != "queued" or is_busy:
            with pytest.raises(FleetError):
                self.fleet.start_attempt(job_id, runner_id)
            return multiple()
        fence = self.fleet.start_attempt(job_id, runner_id).fence
        assert not self.all_fences or fence > self.all_fences[-1]
        self.all_fences.append(fence)
        self.leased[fence] = job_id
        self.status[job_id] = "leased"
        return fence

    @rule(fence=fences)
    def look(self, fence: int) -> None:
        if fence in self.leased:
            self.fleet.record_look(fence, RESULTS["first"])
            return
        with pytest.raises(StaleFenceError):
            self.fleet.record_look(fence, RESULTS["first"])

    @rule(fence=fences, name=st.sampled_from(sorted(RESULTS)))
    def finish(self, fence: int, name: str) -> None:
        def tell() -> JobRecord:
            return self.fleet.finish_attempt(fence, RESULTS[name], sha256=digest(name))

        if fence in self.leased:
            self.results[fence] = name
            self._end(fence, tell(), "done")
        elif self.results.get(fence) == name:
            job = tell()
            assert job == self.ended[job.id]
            assert self.fleet.job_result(job.id) == RESULTS[name]
        else:
            with pytest.raises(StaleFenceError):
                tell()

    @rule(fence=fences, kind=st.sampled_from(["worker_crash", "expired"]), retry=st.booleans())
    def come_to_nothing(self, fence: int, kind: str, retry: bool) -> None:
        def tell() -> JobRecord:
            if kind == "expired":
                return self.fleet.expire_attempt(fence, retry=retry)
            return self.fleet.fail_attempt(fence, kind, "signal 11", retry=retry, delay_s=2.0)

        if fence in self.leased:
            self._end(fence, tell(), "queued" if retry else "failed")
            return
        with pytest.raises(StaleFenceError):
            tell()

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        job = self.fleet.cancel_job(job_id, reason="not needed")
        if self.status[job_id] in FINISHED_JOB:
            assert job == self.ended[job_id]
            return
        self.leased = {fence: leased for fence, leased in self.leased.items() if leased != job_id}
        self._keep(job, "cancelled")

    def _end(self, fence: int, job: JobRecord, status: str) -> None:
        assert job.id == self.leased.pop(fence)
        self._keep(job, status)

    def _keep(self, job: JobRecord, status: str) -> None:
        assert job.status == status
        self.status[job.id] = status
        if status in FINISHED_JOB:
            assert job.id not in self.ended
            self.ended[job.id] = job


TestJobLife = JobLife.TestCase
TestJobLife.settings = settings(max_examples=16, stateful_step_count=30)


@pytest.mark.soak
class TestLongJobLife(JobLife.TestCase):  # type: ignore[misc, name-defined]  # made by hypothesis
    settings = settings(max_examples=200, stateful_step_count=50)
