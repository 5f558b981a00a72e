"""What the fleet's store gives back: frozen records of tokens, runners, jobs, attempts and what happened to a job.

Nested values are JSON as Python mappings; whoever reads one parses it. Times are UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bench.store.records import Json

TokenKind = Literal["agent", "client", "admin"]
RunnerStatus = Literal["ready", "draining", "quarantined", "removed"]
JobStatus = Literal["queued", "leased", "done", "failed", "cancelled"]
AttemptStatus = Literal["leased", "done", "failed", "expired", "cancelled"]
JobEventKind = Literal["queued", "leased", "look", "requeued", "done", "failed", "cancelled"]

FINISHED_JOB = frozenset({"done", "failed", "cancelled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """Who may talk to the hub; the token itself is never stored, only its SHA-256."""

    id: int
    kind: TokenKind
    name: str
    runner_id: str | None
    """The one runner that a token of kind "agent" speaks for."""
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerRecord:
    """A device that was enrolled; its row outlives its removal, because its jobs name it."""

    id: str
    """32 hex digits."""
    name: str
    status: RunnerStatus
    reason: str | None
    """Why it has this status, where somebody said so."""
    capabilities: Json
    """Device, runtimes and versions, as its agent told them last."""
    health: Json
    """Temperature, load and the like, as its agent told them last; empty until then."""
    noise: Json | None
    """What its last A/A found; None: none was made."""
    agent_version: str
    created_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """One session to be measured on one runner; its body and its result are read apart, as they are large."""

    id: str
    """32 hex digits."""
    client: int
    """Id of the token that submitted it."""
    runner_id: str
    runner: str
    """The runner's name."""
    priority: int
    is_test: bool
    status: JobStatus
    reason: str | None
    """Of a failed or cancelled job; of a queued one: why its last attempt came to nothing."""
    num_attempts: int
    num_bytes: int
    """Of its body as JSON; 0 of those that older versions took."""
    artifacts: tuple[str, ...]
    """SHA-256 of every file that it names, sorted."""
    created_at: datetime
    finished_at: datetime | None
    fetched_at: datetime | None
    """When its client first had its result."""
    cleared_at: datetime | None
    """Since when its body and its result are no longer kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One lease of a job; every attempt is kept, with what became of it."""

    fence: int
    """Higher than that of any lease before, and never given twice; whoever speaks for a lease shows it."""
    job_id: str
    runner_id: str
    number: int
    """Of this job, from 1."""
    status: AttemptStatus
    kind: str | None
    """Kind of failure, such as "worker_crash"; None unless it failed or expired."""
    reason: str | None
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEventRecord:
    """One change of a job; `data` explains it, and `sequence` orders all of them without reuse."""

    sequence: int
    job_id: str
    fence: int | None
    """The lease that it is about."""
    kind: JobEventKind
    data: Json
    created_at: datetime
