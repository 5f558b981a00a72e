"""Clients, runners and jobs with plausible values, and what must be true of every job, whatever happened to it."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from bench.store import FINISHED_JOB, FleetStore, JobRecord, RunnerRecord, TokenKind

LATER = datetime(2999, 1, 1, tzinfo=UTC)
CAPABILITIES = {"driver": "local", "kind": "cpu", "runtimes": {"onnxruntime": {"formats": ["onnx"]}}}
RESULT = {"measurements": [{"label": "a", "samples": [[[12_500_001, 12_499_998]]]}]}

# Status of the job after an event, that of the attempt it is about, and the events that may follow a status.
_AFTER = {"look": "leased", "requeued": "queued"}
_ATTEMPT_AFTER = {"look": "leased", "requeued": "failed"}
_MAY_FOLLOW = {
    "": {"queued"},
    "queued": {"leased", "cancelled"},
    "leased": {"look", "requeued", "done", "failed", "cancelled"},
    "done": set(),
    "failed": set(),
    "cancelled": set(),
}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def add_client(fleet: FleetStore, name: str = "laptop", kind: TokenKind = "client") -> int:
    return fleet.add_token(kind, name, sha256=digest(f"{kind} {name}")).id


def add_code(fleet: FleetStore, name: str, code: str, *, expires_at: datetime = LATER) -> None:
    fleet.add_enrolment(name, sha256=digest(code), expires_at=expires_at)


def enrol(fleet: FleetStore, code: str) -> RunnerRecord:
    """With the token `token of CODE`."""
    return fleet.enrol(
        digest(code), capabilities=CAPABILITIES, agent_version="0.1.0", token_sha256=digest(f"token of {code}")
    )


def add_runner(fleet: FleetStore, name: str = "pixel8") -> RunnerRecord:
    """Enrolled with the code `code for NAME`."""
    add_code(fleet, name, f"code for {name}")
    return enrol(fleet, f"code for {name}")


def body_of(*, artifact: str = "ab") -> dict[str, Any]:
    """Of a job with one artifact and the reference."""
    hashes = {"a": artifact * 32, "reference": "00" * 32}
    files = {label: [{"name": "artifact", "sha256": sha256, "bytes": 7}] for label, sha256 in hashes.items()}
    return {"runner": "pixel8", "priority": 0, "max_s": 60.0, "job": {"seed": 0}, "files": files}


def add_job(
    fleet: FleetStore, client: int, runner: RunnerRecord, key: str = "first", *, body: dict[str, Any] | None = None
) -> JobRecord:
    """A new job, or the one that this key made before."""
    body = body or body_of()
    hashed = digest(json.dumps(body))
    job, _ = fleet.add_job(
        client=client, key=key, body_sha256=hashed, runner_id=runner.id, priority=0, body=body, num_bytes=1000
    )
    return job


def finish(fleet: FleetStore, fence: int, result: dict[str, Any] | None = None) -> JobRecord:
    result = result or RESULT
    return fleet.finish_attempt(fence, result, sha256=digest(json.dumps(result)))


def check_told(fleet: FleetStore, job_id: str) -> None:
    """The events of a job, told again from the first, give its status, its end and every attempt at it."""
    job, attempts, events = fleet.job(job_id), fleet.attempts(job_id), fleet.events(job_id)
    status, ends = "", dict[int, tuple[str, str | None, str | None]]()
    for event in events:
        assert event.kind in _MAY_FOLLOW[status], (status, event)
        status = _AFTER.get(event.kind, event.kind)
        assert event.data["runner"] == job.runner
        assert event.fence == event.data.get("fence")
        if event.fence is not None:
            kind = event.data.get("kind")
            became = "expired" if kind == "expired" else _ATTEMPT_AFTER.get(event.kind, event.kind)
            ends[event.fence] = (became, kind, event.data.get("reason"))
    assert job.status == status
    assert (job.finished_at is not None) == (status in FINISHED_JOB)
    assert (fleet.job_result(job_id) is not None) == (status == "done")
    assert {attempt.fence: (attempt.status, attempt.kind, attempt.reason) for attempt in attempts} == ends
    assert [attempt.number for attempt in attempts] == list(range(1, job.num_attempts + 1))
    assert all((attempt.finished_at is None) == (attempt.status == "leased") for attempt in attempts)
    fences, sequences = [attempt.fence for attempt in attempts], [event.sequence for event in events]
    assert fences == sorted(set(fences))
    assert sequences == sorted(set(sequences))
