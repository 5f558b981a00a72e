"""A queue on a store of its own, with a clock that moves when it is told to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.fleet.attempts import Lease
from bench.fleet.limits import Limits
from bench.fleet.queue import Queue
from bench.store.fleet import FleetStore
from bench.store.fleet_records import JobRecord, RunnerRecord

from .examples import CAPABILITIES, RUNNER, body_of, make_job, sha_of

LIMITS = Limits()


class Clock:
    """A monotonic clock that moves when it is told to."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass
class Fleet:
    """A queue on a store of its own, with what tests do to it."""

    store: FleetStore
    clock: Clock = field(default_factory=Clock)
    limits: Limits = LIMITS
    seed: int = 0

    def __post_init__(self) -> None:
        self.queue = Queue(self.store, limits=self.limits, monotonic=self.clock, seed=self.seed)
        self._keys = 0

    def restart(self) -> None:
        """Another hub of the same database, on a machine that was started anew."""
        self.clock = Clock(now=3.0)
        self.queue = Queue(self.store, limits=self.limits, monotonic=self.clock, seed=self.seed)

    def enrol(self, name: str = RUNNER) -> str:
        record = enrolled(self.store, name)
        self.queue.admit(record)
        return record.id

    def client(self, name: str = "laptop") -> int:
        return self.store.add_token("client", name, sha256=sha_of(name.encode())).id

    def submit(self, client: int, *contents: bytes, key: str | None = None, **more: Any) -> JobRecord:
        self._keys += 1
        return self.queue.intake.submit(
            client=client,
            key=key or f"key-{self._keys}",
            body=body_of(make_job(*contents), **more),
            body_sha256="0" * 64,
            num_bytes=1000,
        )

    def lease(self, runner: str) -> Lease:
        found = self.queue.lease(runner)
        assert found is not None
        return found

    def finish(self, lease: Lease, runner: str, sha256: str = "1" * 64, **more: Any) -> JobRecord:
        return self.queue.finish(lease.fence, runner, {"measurements": []}, sha256=sha256, **more)

    def wait(self, seconds: float) -> None:
        """Time goes by, and the hub looks after its leases."""
        self.clock.now += seconds
        self.queue.expire()

    def kinds(self, job_id: str) -> list[str]:
        return [event.kind for event in self.store.events(job_id)]


def enrolled(store: FleetStore, name: str) -> RunnerRecord:
    code = sha_of(f"code of {name}".encode())
    store.add_enrolment(name, sha256=code, expires_at=datetime.now(UTC) + timedelta(minutes=10))
    return store.enrol(
        code, capabilities=CAPABILITIES, agent_version="0.1.0", token_sha256=sha_of(f"token of {name}".encode())
    )


def served_order(fleet: Fleet, runner: str, count: int) -> list[str]:
    """The ids of the next jobs, each of them done at once."""
    found = []
    for _ in range(count):
        lease = fleet.lease(runner)
        found.append(lease.job_id)
        fleet.finish(lease, runner)
    return found
