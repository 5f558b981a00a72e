"""A registered runner, what it was given, and what happens to a job, as a hub tells them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

# A runner that was not seen for so long is told as away.
AWAY_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerState:
    """A registered runner as the hub tells it.

    Attributes:
        id, name: of the runner.
        status: "ready", "draining", "quarantined" or "removed".
        reason: why it has this status.
        capabilities: what its agent told: driver, kind, device, runtimes.
        health: what its agent told last, such as a temperature.
        noise: what its last A/A found; None: none was made.
        last_seen_s: seconds since its agent last spoke; None: it never has.
        queue: jobs that wait for it or are measured.
    """

    id: str
    name: str
    status: str
    reason: str | None
    capabilities: Mapping[str, Any]
    health: Mapping[str, Any]
    noise: Mapping[str, Any] | None
    last_seen_s: float | None
    queue: int

    @property
    def is_away(self) -> bool:
        """Whether its agent has been silent for too long."""
        return self.last_seen_s is None or self.last_seen_s > AWAY_S

    @property
    def shown_status(self) -> str:
        """Its status, or "away"."""
        return "away" if self.is_away and self.status in ("ready", "draining") else self.status

    @property
    def why_waiting(self) -> str | None:
        """Why it does not do now what waits for it, in words; None: it does, or never will."""
        if self.is_away:
            return f"last seen {ago(self.last_seen_s)}"
        return f"draining until `bench runners resume {self.name}`" if self.status == "draining" else None

    @property
    def why_unusable(self) -> str | None:
        """One line on a runner that gets no jobs until somebody does something; None: it gets them, now or later."""
        told = self.reason or "no reason told"
        if self.status == "quarantined":
            return (
                f"runner {self.name!r} is quarantined ({told}); only tests run there; see `bench runners test "
                f"{self.name}`, then `bench runners resume {self.name}`"
            )
        if self.status == "removed":
            return (
                f"runner {self.name!r} was removed ({told}); only enrolling brings it back; "
                f"run `bench runners register {self.name}`"
            )
        return None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RunnerState:
        """The runner of an answer of the hub."""
        seen = data.get("last_seen_s")
        return cls(
            id=str(data["id"]),
            name=str(data["name"]),
            status=str(data["status"]),
            reason=data.get("reason"),
            capabilities=data.get("capabilities") or {},
            health=data.get("health") or {},
            noise=data.get("noise"),
            last_seen_s=None if seen is None else float(seen),
            queue=int(data.get("queue") or 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptState:
    """One lease of a runner as the hub tells it.

    Attributes:
        job_id: of the job.
        number: of the attempt at it, from 1.
        is_test: whether the job is a test of the runner.
        num_files: that the job names.
        status: "leased", "done", "failed", "expired" or "cancelled".
        kind, reason: why it came to nothing; None where it did not.
        started_at, finished_at: ISO times of the hub's clock; the latter None while it is live.
    """

    job_id: str
    number: int
    is_test: bool
    num_files: int
    status: str
    kind: str | None
    reason: str | None
    started_at: str
    finished_at: str | None

    @property
    def seconds(self) -> float | None:
        """That it took, by the hub's clock; None while it is live."""
        if self.finished_at is None:
            return None
        took = datetime.fromisoformat(self.finished_at) - datetime.fromisoformat(self.started_at)
        return max(0.0, took.total_seconds())  # the clock may be set back

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> AttemptState:
        """The lease of an answer of the hub."""
        known: dict[str, Any] = {field.name: data.get(field.name) for field in fields(cls)}
        return cls(**known)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """Something that happened to a job.

    Attributes:
        sequence: orders events; ask for those after it.
        kind: "queued", "leased", "look", "requeued", "done", "failed" or "cancelled".
        data: that explains it.
    """

    sequence: int
    kind: str
    data: Mapping[str, Any]

    @classmethod
    def from_json(cls, line: bytes) -> JobEvent:
        """The event of a line of the hub's answer."""
        data = json.loads(line)
        return cls(sequence=int(data["sequence"]), kind=str(data["kind"]), data=data.get("data") or {})


def ago(seconds: float | None) -> str:
    """`12 s ago`, `3 min ago`, `5 h ago`, `2 days ago`, or `never`."""
    if seconds is None:
        return "never"
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(0.0, seconds):.0f} s ago"
