"""What waits for one runner, and what it is busy with: the order of jobs, its lease, and why it is not trusted.

A lane is plain state in memory, rebuilt from the store when a hub starts; `queue.py` holds its lock, asks it what is
next and keeps the store in step. Times are seconds of the hub's monotonic clock, which no change of the wall clock
moves.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.measure.job import Job
from bench.store.fleet_records import JobRecord, RunnerStatus

# Never served, which is longer ago than anything.
_NEVER = -1


@dataclass(slots=True)
class Waiting:
    """A job that has not ended.

    Attributes:
        record: as it was when it came.
        order: of arrival; a job that is tried again keeps it.
        attempts: that were begun.
        not_before_s: of its next attempt; 0: at once.
    """

    record: JobRecord
    order: int
    attempts: int
    not_before_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a result is held to.

    Attributes:
        job: that was asked for.
        max_s: on the device.
    """

    job: Job
    max_s: float

    @property
    def candidates(self) -> frozenset[str]:
        """SHA-256 of each artifact but the reference; of a job that has no other, of that."""
        reference = self.job.reference.sha256
        return frozenset(artifact.sha256 for artifact in self.job.artifacts) - {reference} or frozenset({reference})


@dataclass(slots=True)
class Live:
    """The lease that a runner has now.

    Attributes:
        fence: of the attempt.
        waiting: the job.
        deadline_s: without a word until then it expires.
        end_s: it expires then, whatever its agent says.
        is_taken: its agent has spoken in its name, so that it knows of it.
        given: how often it was handed to the agent.
        looks: that were kept.
        terms: read when they are first needed.
        progress: what its agent told last: phase, done, total.
    """

    fence: int
    waiting: Waiting
    deadline_s: float
    end_s: float
    is_taken: bool = False
    given: int = 0
    looks: int = 0
    terms: Terms | None = None
    progress: Mapping[str, Any] | None = None


@dataclass(slots=True)
class Lane:
    """One runner; whoever changes anything holds `lock`.

    Attributes:
        id, name, status, reason: of the runner.
        seen_s: its agent's last word; None: none since it was enrolled.
        stored_s: the last word that the database knows.
        health: what its agent told last; None: nothing since the hub's start.
        is_health_new: the database does not know it yet.
        waiting: queued jobs by id.
        live: its lease.
        served: when each client was served last, by a counter.
        crashed: the candidates that were in every attempt since the worker began to crash; None: its last one did not.
        cancelled: the fence of a lease that was cancelled and whose agent may not know yet.
    """

    id: str
    name: str
    status: RunnerStatus
    reason: str | None
    seen_s: float | None = None
    stored_s: float | None = None
    health: Mapping[str, Any] | None = None
    is_health_new: bool = False
    waiting: dict[str, Waiting] = field(default_factory=dict)
    live: Live | None = None
    served: dict[int, int] = field(default_factory=dict)
    crashed: frozenset[str] | None = None
    cancelled: int | None = None
    # Reentrant: an agent that asks for work while it has some first loses what it has.
    lock: threading.RLock = field(default_factory=threading.RLock)
    _servings: int = 0

    @property
    def num_unfinished(self) -> int:
        return len(self.waiting) + (self.live is not None)

    def next(self, now: float) -> Waiting | None:
        """The job that is leased next: highest priority, then the client that waits longest, then first come.

        A runner in quarantine gets tests alone; one that is draining or removed gets nothing.
        """
        if self.status not in ("ready", "quarantined"):
            return None
        only_tests = self.status == "quarantined"
        ready = (
            found
            for found in self.waiting.values()
            if found.not_before_s <= now and (found.record.is_test or not only_tests)
        )
        return min(ready, key=self._rank, default=None)

    def serve(self, waiting: Waiting) -> None:
        """Notes that the job's client has had its turn."""
        self._servings += 1
        self.served[waiting.record.client] = self._servings

    def ripen(self, now: float) -> bool:
        """Whether the wait of a job for its next attempt is over since this was asked last."""
        ripe = [found for found in self.waiting.values() if 0.0 < found.not_before_s <= now]
        for found in ripe:
            found.not_before_s = 0.0
        return bool(ripe)

    def crash(self, candidates: frozenset[str]) -> bool:
        """Whether a crash of the worker, after those right before it, blames the runner.

        It does where no candidate was in all of them: a batch that crashes and then a part of it may be one candidate's
        fault. The reference does not count, as it is in every attempt and known to run.
        """
        suspects = candidates if self.crashed is None else self.crashed & candidates
        is_of_runner = not suspects
        self.crashed = suspects or candidates
        return is_of_runner

    def _rank(self, waiting: Waiting) -> tuple[int, int, int]:
        record = waiting.record
        return -record.priority, self.served.get(record.client, _NEVER), waiting.order
