"""All lanes: which runner has which jobs and leases, and how much each client has under way."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any

from bench.errors import nearest
from bench.fleet.lane import Lane, Live, Waiting
from bench.store.fleet import FleetStore, UnknownError
from bench.store.fleet_records import JobRecord, RunnerRecord
from bench.store.opening import utc_now

# Last words that are written to the database at a time.
_WORDS_AT_ONCE = 8


class Lanes:
    """Lanes by runner, by job and by lease; for any thread.

    The lock of a lane may be held when anything here is called, and is never asked for while this one's is held.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lanes: dict[str, Lane] = {}
        self._of_job: dict[str, Lane] = {}
        self._holders: dict[int, Lane] = {}
        self._unfinished: Counter[int] = Counter()
        self._bytes: Counter[int] = Counter()
        self._orders = itertools.count()

    def all(self) -> tuple[Lane, ...]:
        with self._lock:
            return tuple(self._lanes.values())

    def add(self, record: RunnerRecord, *, now: float) -> Lane:
        """The lane of a runner, which is made where there is none; `now` is of the hub's clock."""
        age_s = max((utc_now() - record.last_seen_at).total_seconds(), 0.0)
        with self._lock:
            lane = self._lanes.get(record.id)
            if lane is None:
                lane = Lane(id=record.id, name=record.name, status=record.status, reason=record.reason)
                lane.seen_s = lane.stored_s = now - age_s
                self._lanes[record.id] = lane
            return lane

    def find(self, runner_id: str) -> Lane | None:
        """The lane of a runner by its id; None: it is being enrolled just now, or there is no such runner."""
        with self._lock:
            return self._lanes.get(runner_id)

    def get(self, runner_id: str) -> Lane:
        """The lane of a runner by its id.

        Raises:
            UnknownError: there is none.
        """
        lane = self.find(runner_id)
        if lane is None:
            raise UnknownError(f"no runner with id {runner_id!r}; an enrolled one is needed; enrol it again")
        return lane

    def named(self, name: str) -> Lane:
        """The lane of a runner by its name, unless it was removed.

        Raises:
            UnknownError: there is none.
        """
        named = {lane.name: lane for lane in self.all() if lane.status != "removed"}
        if name not in named:
            hint = nearest(name, named) or f"; run: bench runners register {name}"
            raise UnknownError(f"no runner {name!r}; known: {', '.join(sorted(named)) or 'none'}{hint}")
        return named[name]

    def of_job(self, job_id: str) -> Lane | None:
        """The lane of an unfinished job."""
        with self._lock:
            return self._of_job.get(job_id)

    def enter(self, lane: Lane, record: JobRecord) -> Waiting:
        """A job that has come, at the end of the line."""
        waiting = Waiting(record=record, order=next(self._orders), attempts=record.num_attempts)
        lane.waiting[record.id] = waiting
        with self._lock:
            self._of_job[record.id] = lane
            self._unfinished[record.client] += 1
            self._bytes[record.client] += record.num_bytes
        return waiting

    def leave(self, lane: Lane, waiting: Waiting) -> None:
        """A job that has ended."""
        lane.waiting.pop(waiting.record.id, None)
        with self._lock:
            record = waiting.record
            if self._of_job.pop(record.id, None) is not None:
                self._unfinished[record.client] -= 1
                self._bytes[record.client] -= record.num_bytes

    def begin(self, lane: Lane, live: Live) -> None:
        """A lease that has begun; its job waits no longer."""
        lane.waiting.pop(live.waiting.record.id, None)
        lane.live = live
        with self._lock:
            self._holders[live.fence] = lane

    def end(self, lane: Lane, live: Live, *, is_queued: bool) -> None:
        """A lease that has ended: its job is queued again, or has ended with it."""
        lane.live = None
        with self._lock:
            self._holders.pop(live.fence, None)
        if is_queued:
            lane.waiting[live.waiting.record.id] = live.waiting
        else:
            self.leave(lane, live.waiting)

    def is_foreign(self, lane: Lane, fence: int) -> bool:
        """Whether a live lease is another runner's."""
        with self._lock:
            return self._holders.get(fence, lane) is not lane

    def unfinished(self, client: int) -> tuple[int, int]:
        """How many jobs of a client have not ended, and the bytes of their bodies together."""
        with self._lock:
            return self._unfinished[client], self._bytes[client]

    def progress(self, job_id: str) -> Mapping[str, Any] | None:
        """What the agent of a leased job told last."""
        lane = self.of_job(job_id)
        live = None if lane is None else lane.live
        return live.progress if live is not None and live.waiting.record.id == job_id else None

    def may_read(self, runner_id: str, sha256: str) -> bool:
        """Whether a runner's live lease names a file."""
        live = self.get(runner_id).live
        return live is not None and sha256 in live.waiting.record.artifacts

    def needed_blobs(self) -> frozenset[str]:
        """Every file that an unfinished job names."""
        needed: set[str] = set()
        for lane in self.all():
            with lane.lock:
                records = [waiting.record for waiting in lane.waiting.values()]
                records += [lane.live.waiting.record] if lane.live is not None else []
            for record in records:
                needed.update(record.artifacts)
        return frozenset(needed)

    def store_last_words(self, store: FleetStore, *, every_s: float) -> None:
        """Writes when a few runners were heard last, and their health: those first that the database knows least of.

        A poll or a heartbeat costs no write of its own: 200 agents that poll would keep a disk busy.
        """
        due = [lane for lane in self.all() if (lane.seen_s or 0.0) - (lane.stored_s or 0.0) >= every_s]
        for lane in sorted(due, key=lambda lane: lane.stored_s or 0.0)[:_WORDS_AT_ONCE]:
            with lane.lock:
                seen_s, health = lane.seen_s, lane.health
            store.update_runner(lane.id, health=health if lane.is_health_new else None)
            with lane.lock:
                lane.stored_s = seen_s
                lane.is_health_new = lane.health is not health
