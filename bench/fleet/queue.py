"""Jobs to runners: leases with deadlines, attempts that are tried again, turns between clients, quarantine.

The store is the truth, and this keeps in memory what has to be fast: what waits for whom, and until when a lease
lives. Deadlines are of the hub's monotonic clock and begin anew, in full, when a hub starts, so that neither a jump of
the wall clock nor a restart of the hub costs anyone a lease. Every runner has a lock of its own, held over the
transaction of each of its steps; nothing here waits for anything else, and any thread may call it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from bench.errors import FleetError
from bench.fleet.attempts import Attempts, Lease
from bench.fleet.intake import Intake
from bench.fleet.lane import Lane, Live, Terms
from bench.fleet.lanes import Lanes
from bench.fleet.limits import Limits
from bench.measure.job import Job
from bench.store.fleet import FleetStore, StaleFenceError
from bench.store.fleet_records import JobRecord, RunnerRecord, RunnerStatus
from bench.store.records import Json


class ForeignLeaseError(FleetError):
    """A lease of another runner."""


class Queue:
    """All runners and what waits for them.

    Attributes:
        lanes: the runners, for reading.
        intake: where jobs come in.
    """

    def __init__(
        self, store: FleetStore, *, limits: Limits, monotonic: Callable[[], float] = time.monotonic, seed: int = 0
    ) -> None:
        self.lanes = Lanes()
        self._store = store
        self._limits = limits
        self._monotonic = monotonic
        self._attempts = Attempts(store, self.lanes, limits=limits, monotonic=monotonic, seed=seed)
        self._callbacks: list[Callable[[str], object]] = []
        self.intake = Intake(store, self.lanes, limits=limits, tell=self._tell)
        self._load()

    def changed(self, callback: Callable[[str], object]) -> None:
        """Has `callback` called with the id of a runner that there is news for, and of a job with a new event."""
        self._callbacks.append(callback)

    def lease(self, runner_id: str, *, is_first: bool = True) -> Lease | None:
        """The next job for a runner; None: there is none for it now.

        An agent asks when it is idle. A lease that it never spoke for is given again: the answer was lost on the way.
        One that it did speak for is lost with the agent's memory, and expires.

        Args:
            is_first: it has asked just now. Whoever looks again for one that waits knows nothing of what it does
                meanwhile: a connection may outlive its agent, which then works under a lease of a later one.

        Raises:
            UnknownError: no such runner.
        """
        lane = self.lanes.get(runner_id)
        with lane.lock:
            now = self._monotonic()
            if is_first:
                lane.seen_s = now
            if lane.live is not None and lane.live.is_taken:
                if not is_first:
                    return None
                ended = self._attempts.expire(lane, lane.live, "its agent asked for work and does not know of it")
                self._tell(ended.id)
            while lane.live is None and (waiting := lane.next(now)) is not None:
                self._attempts.begin(lane, waiting)
            live = lane.live
            if live is None:
                return None
            lease = self._attempts.lease_of(live)
        self._tell(lease.job_id)
        return lease

    def heartbeat(
        self, fence: int, runner_id: str, *, progress: Json | None = None, health: Json | None = None
    ) -> Literal["continue", "cancel", "drain"]:
        """Keeps a lease alive; gives "continue", "cancel" or "drain".

        Raises:
            StaleFenceError: the lease has ended.
            ForeignLeaseError: it is another runner's.
        """
        lane = self.lanes.get(runner_id)
        with lane.lock:
            if lane.cancelled == fence:
                return "cancel"
            live = self._live(lane, fence)
            self._keep_alive(lane, live)
            live.progress = progress or live.progress
            if health is not None:
                lane.health, lane.is_health_new = health, True
            return "drain" if lane.status == "draining" else "continue"

    def look(self, fence: int, runner_id: str, partial: Json, *, note: Json) -> Literal["continue", "cancel"]:
        """Keeps what a lease has measured so far; gives "continue" or "cancel", and raises as `heartbeat` does."""
        lane = self.lanes.get(runner_id)
        with lane.lock:
            if lane.cancelled == fence:
                return "cancel"
            live = self._live(lane, fence)
            self._keep_alive(lane, live)
            if live.looks >= self._limits.looks:
                return "continue"
            self._store.record_look(fence, partial, note=note)
            live.looks += 1
        self._tell(live.waiting.record.id)
        return "continue"

    def terms(self, fence: int, runner_id: str) -> Terms | None:
        """What a result under this fence is held to; None: the lease is not live.

        Raises:
            ForeignLeaseError: it is another runner's.
        """
        lane = self.lanes.get(runner_id)
        with lane.lock:
            self._check_own(lane, fence)
            live = self._attempts.live(lane, fence)
            if live is None:
                return None
            return self._terms(live)

    def finish(
        self,
        fence: int,
        runner_id: str,
        result: Json | None,
        *,
        sha256: str,
        noise: Json | None = None,
        distrust: str | None = None,
    ) -> JobRecord:
        """Ends a job with its result; the same result again changes nothing.

        Args:
            result: as it was read by the lease's terms; None: there were none, so that it can only be one that was kept
                before.
            sha256: of the result as it came.
            noise: what the session's A/A found, for whoever looks at the runner.
            distrust: why the runner goes into quarantine over it.

        Raises:
            StaleFenceError: the lease has ended, or has another result.
            ForeignLeaseError: it is another runner's.
        """
        lane = self.lanes.get(runner_id)
        with lane.lock:
            self._check_own(lane, fence)
            live = self._attempts.live(lane, fence)
            if live is None or result is None:
                known = self._store.finished_job(fence, runner_id=lane.id, sha256=sha256)
                if known is None:
                    raise self._stale(lane, fence)
                return known
            record = self._store.finish_attempt(fence, result, sha256=sha256)
            lane.seen_s, lane.crashed = self._monotonic(), None
            self.lanes.end(lane, live, is_queued=False)
            if noise is not None:
                self._store.update_runner(lane.id, noise=noise)
            if distrust is not None:
                self._distrust(lane, distrust)
        self._tell(record.id)
        return record

    def fail(self, fence: int, runner_id: str, kind: str, reason: str) -> JobRecord:
        """Ends an attempt without a result; its job is tried again, or fails with it.

        Raises:
            StaleFenceError: the lease has ended.
            ForeignLeaseError: it is another runner's.
        """
        lane = self.lanes.get(runner_id)
        with lane.lock:
            live = self._live(lane, fence)
            lane.seen_s = self._monotonic()
            candidates = self._terms(live).candidates if kind == "worker_crash" else frozenset()
            record = self._attempts.give_up(lane, live, kind, reason)
            if kind != "worker_crash":
                lane.crashed = None
            elif lane.crash(candidates):
                self._distrust(lane, "its worker crashed twice in a row, on different artifacts")
        self._tell(record.id)
        return record

    def cancel(self, job_id: str, *, reason: str) -> JobRecord:
        """Ends a job at once; its agent learns of it with its next word. One that has ended stays as it is.

        Raises:
            UnknownError: no such job.
        """
        lane = self.lanes.of_job(job_id)
        if lane is None:
            return self._store.cancel_job(job_id, reason=reason)
        with lane.lock:
            record = self._cancel(lane, job_id, reason)
        self._tell(job_id)
        return record

    def move(self, runner_id: str, status: RunnerStatus, *, reason: str | None = None) -> RunnerRecord:
        """Gives a runner another status; the jobs of one that is removed are cancelled.

        Raises:
            UnknownError: no such runner.
            FleetError: it was removed.
        """
        lane = self.lanes.get(runner_id)
        with lane.lock:
            record = self._store.set_runner_status(lane.id, status, reason=reason)
            lane.status, lane.reason, lane.crashed = record.status, record.reason, None
            ended = self._cancel_all(lane) if status == "removed" else ()
        self._tell(lane.id, *ended)
        return record

    def admit(self, record: RunnerRecord) -> None:
        """A runner was enrolled, for the first time or again."""
        now = self._monotonic()
        lane = self.lanes.add(record, now=now)
        with lane.lock:
            lane.status, lane.reason, lane.crashed = record.status, record.reason, None
            lane.seen_s = lane.stored_s = now

    def silence_s(self, runner_id: str) -> float | None:
        """Seconds since a runner's last word; None: it has said none yet."""
        lane = self.lanes.find(runner_id)
        return None if lane is None or lane.seen_s is None else max(self._monotonic() - lane.seen_s, 0.0)

    def expire(self) -> None:
        """Ends leases that nobody speaks for, wakes runners whose jobs may be tried again; called every second."""
        for lane in self.lanes.all():
            # One that is in a transaction has just been heard of; it is looked at again in a second.
            if not lane.lock.acquire(blocking=False):
                continue
            try:
                is_ripe = self._expire_overdue(lane)
            finally:
                lane.lock.release()
            if is_ripe:
                self._tell(lane.id)
        self.lanes.store_last_words(self._store, every_s=self._limits.seen_every_s)

    def _load(self) -> None:
        """Everything that the store knows and that has not ended, every lease with its full time."""
        now = self._monotonic()
        for runner in self._store.runners():
            self.lanes.add(runner, now=now)
        attempts = {attempt.job_id: attempt for attempt in self._store.live_attempts()}
        for record in self._store.unfinished():
            lane = self.lanes.get(record.runner_id)
            waiting = self.lanes.enter(lane, record)
            if record.id in attempts:
                self._attempts.take_up(lane, waiting, attempts[record.id])
        for lane in self.lanes.all():
            # Of a hub that was killed while it removed a runner.
            if lane.status == "removed":
                self._cancel_all(lane)

    def _live(self, lane: Lane, fence: int) -> Live:
        self._check_own(lane, fence)
        live = self._attempts.live(lane, fence)
        if live is None:
            raise self._stale(lane, fence)
        return live

    def _terms(self, live: Live) -> Terms:
        if live.terms is None:
            body = self._store.job_body(live.waiting.record.id)
            live.terms = Terms(job=Job.from_dict(body["job"]), max_s=body["max_s"])
        return live.terms

    def _stale(self, lane: Lane, fence: int) -> StaleFenceError:
        return StaleFenceError(
            f"lease {fence} of runner {lane.name!r} has ended; only a live lease is spoken for; "
            "drop what was measured and ask for a new lease"
        )

    def _check_own(self, lane: Lane, fence: int) -> None:
        if self.lanes.is_foreign(lane, fence):
            raise ForeignLeaseError(
                f"lease {fence} is not of runner {lane.name!r}; an agent speaks for its own lease; ask for one"
            )

    def _keep_alive(self, lane: Lane, live: Live) -> None:
        lane.seen_s = self._monotonic()
        live.deadline_s, live.is_taken = lane.seen_s + self._limits.ttl_s, True

    def _expire_overdue(self, lane: Lane) -> bool:
        """Ends the lease if its time is over; whether a job's wait is over."""
        now, live = self._monotonic(), lane.live
        if live is not None and now > live.end_s:
            self._tell(self._attempts.give_up(lane, live, "timeout", "it took longer than its job allows").id)
        elif live is not None and now > live.deadline_s:
            self._tell(self._attempts.expire(lane, live).id)
        return lane.ripen(now)

    def _cancel(self, lane: Lane, job_id: str, reason: str) -> JobRecord:
        record, live = self._store.cancel_job(job_id, reason=reason), lane.live
        if live is not None and live.waiting.record.id == job_id:
            lane.cancelled = live.fence
            self.lanes.end(lane, live, is_queued=False)
        elif job_id in lane.waiting:
            self.lanes.leave(lane, lane.waiting[job_id])
        return record

    def _cancel_all(self, lane: Lane) -> tuple[str, ...]:
        ended = (*lane.waiting, *((lane.live.waiting.record.id,) if lane.live is not None else ()))
        for job_id in ended:
            self._cancel(lane, job_id, f"runner {lane.name!r} was removed")
        return ended

    def _distrust(self, lane: Lane, reason: str) -> None:
        if lane.status == "ready":
            record = self._store.set_runner_status(lane.id, "quarantined", reason=reason)
            lane.status, lane.reason = record.status, record.reason

    def _tell(self, *ids: str) -> None:
        for callback in self._callbacks:
            for found in ids:
                callback(found)
