"""How an attempt at a job begins and ends, in the store and in its lane: leases, back-off, attempts that run out."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from bench.agent.failure import FATAL
from bench.errors import FleetError
from bench.fleet.lane import Lane, Live, Waiting
from bench.fleet.lanes import Lanes
from bench.fleet.limits import Limits
from bench.store.fleet import UNHEARD, FleetStore, StaleFenceError
from bench.store.fleet_records import FINISHED_JOB, AttemptRecord, JobRecord
from bench.store.records import Json

# Doubling ends here: a minute later a device is as well or ill as it will be.
_LONGEST_BACKOFF_S = 60.0
_JITTER = (0.75, 1.25)
# Of a lease to an agent that never speaks for it, with the whole of its time each.
_MOST_GIVEN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A job for a runner, for as long as its agent keeps talking.

    Attributes:
        fence: of the attempt; whoever speaks in its name shows it.
        attempt: its number, from 1.
        job_id: of the job.
        ttl_s: without a word it expires.
        heartbeat_s: between two words.
        max_s: on the device.
        body: as it was submitted.
    """

    fence: int
    attempt: int
    job_id: str
    ttl_s: float
    heartbeat_s: float
    max_s: float
    body: Json


class Attempts:
    """The attempts of all lanes; the lock of the lane is held by whoever calls.

    Where the store turns out to have ended or begun an attempt although it reported an error, the lane follows it.
    """

    def __init__(
        self, store: FleetStore, lanes: Lanes, *, limits: Limits, monotonic: Callable[[], float], seed: int
    ) -> None:
        self._store = store
        self._lanes = lanes
        self._limits = limits
        self._monotonic = monotonic
        self._random = random.Random(seed)

    def begin(self, lane: Lane, waiting: Waiting) -> None:
        """Leases a job; the lane has a lease afterwards, or does not wait for this job any more."""
        try:
            attempt = self._store.start_attempt(waiting.record.id, lane.id)
        except FleetError:
            if not self._catch_up(lane, waiting):
                raise
            return
        lane.serve(waiting)
        lane.cancelled = None
        self.take_up(lane, waiting, attempt)

    def take_up(self, lane: Lane, waiting: Waiting, attempt: AttemptRecord) -> None:
        """A lease that the store knows, with its full time from now."""
        now, limits = self._monotonic(), self._limits
        waiting.attempts = attempt.number
        live = Live(
            fence=attempt.fence,
            waiting=waiting,
            deadline_s=now + limits.ttl_s,
            end_s=now + limits.job_s + limits.ttl_s,
        )
        self._lanes.begin(lane, live)

    def live(self, lane: Lane, fence: int) -> Live | None:
        """The lease of this fence, if it has not ended; the store is asked about one that is not known here."""
        if lane.live is None:
            self._adopt(lane)
        return lane.live if lane.live is not None and lane.live.fence == fence else None

    def lease_of(self, live: Live) -> Lease:
        """What the agent is told; its time begins now.

        An answer may get lost, so a lease that nobody has spoken for is given again; but not for ever, or an agent that
        cannot read it would never have another.
        """
        record, limits, now = live.waiting.record, self._limits, self._monotonic()
        body = self._store.job_body(record.id)
        live.given += 1
        if live.is_taken or live.given <= _MOST_GIVEN:
            live.deadline_s, live.end_s = now + limits.ttl_s, now + body["max_s"] + limits.ttl_s
        return Lease(
            fence=live.fence,
            attempt=live.waiting.attempts,
            job_id=record.id,
            ttl_s=limits.ttl_s,
            heartbeat_s=limits.heartbeat_s,
            max_s=body["max_s"],
            body=body,
        )

    def give_up(self, lane: Lane, live: Live, kind: str, reason: str) -> JobRecord:
        """Ends an attempt that failed; its job is queued again, or fails with it."""
        delay_s = self._delay_s(live) if kind not in FATAL else None
        return self._ended(
            lane,
            live,
            delay_s,
            lambda: self._store.fail_attempt(
                live.fence, kind, reason, retry=delay_s is not None, delay_s=delay_s or 0.0
            ),
        )

    def expire(self, lane: Lane, live: Live, reason: str = UNHEARD) -> JobRecord:
        """Ends an attempt that nobody speaks for; its job is queued again, or fails with it."""
        delay_s = self._delay_s(live)
        return self._ended(
            lane,
            live,
            delay_s,
            lambda: self._store.expire_attempt(live.fence, reason, retry=delay_s is not None, delay_s=delay_s or 0.0),
        )

    def _ended(self, lane: Lane, live: Live, delay_s: float | None, end: Callable[[], JobRecord]) -> JobRecord:
        try:
            record = end()
        except StaleFenceError:
            record = self._store.job(live.waiting.record.id)
        live.waiting.not_before_s = self._monotonic() + (delay_s or 0.0)
        self._lanes.end(lane, live, is_queued=record.status == "queued")
        return record

    def _delay_s(self, live: Live) -> float | None:
        """Seconds before the next attempt; None: there is none."""
        number = live.waiting.attempts
        if number >= self._limits.attempts:
            return None
        whole = min(self._limits.backoff_s * 2.0 ** (number - 1), _LONGEST_BACKOFF_S)
        return round(whole * self._random.uniform(*_JITTER), 3)

    def _catch_up(self, lane: Lane, waiting: Waiting) -> bool:
        """Whether the store has leased or ended what waits here, which the lane then knows too."""
        if self._adopt(lane):
            return True
        if self._store.job(waiting.record.id).status in FINISHED_JOB:
            self._lanes.leave(lane, waiting)
            return True
        return False

    def _adopt(self, lane: Lane) -> bool:
        """Takes up a lease of the runner that the store has and the lane has not."""
        for attempt in self._store.live_attempts():
            if attempt.runner_id == lane.id:
                known = lane.waiting.get(attempt.job_id) or self._lanes.enter(lane, self._store.job(attempt.job_id))
                self.take_up(lane, known, attempt)
                return True
        return False
