"""Registered runners: what they are, whether they are there, what they do and what went wrong last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bench.dashboard.study_line import machine_of
from bench.dashboard.telling import FORMAT, flattened, moment, number
from bench.fleet.states import RunnerState, ago
from bench.measure.catalogue import RUNNERS
from bench.store import AttemptRecord, FleetReader, JobRecord, RunnerRecord, StudyRecord


def runners_document(fleet: FleetReader, studies: Sequence[StudyRecord], now: datetime) -> dict[str, Any]:
    """All that were not removed."""
    jobs, live = fleet.unfinished(), fleet.live_attempts()
    failures = fleet.last_failures()
    found = [record for record in fleet.runners() if record.status != "removed"]
    return {
        "format": FORMAT,
        "time": moment(now),
        "runners": [_runner(record, jobs, live, failures.get(record.id), now) for record in found],
        "here": _here(studies),
    }


def _runner(
    record: RunnerRecord,
    jobs: Sequence[JobRecord],
    live: Sequence[AttemptRecord],
    failure: AttemptRecord | None,
    now: datetime,
) -> dict[str, Any]:
    silent_s = max(0.0, (now - record.last_seen_at).total_seconds())
    queued = sum(job.runner_id == record.id and job.status == "queued" for job in jobs)
    lease = next((attempt for attempt in live if attempt.runner_id == record.id), None)
    state = RunnerState(
        id=record.id,
        name=record.name,
        status=record.status,
        reason=record.reason,
        capabilities=record.capabilities,
        health=record.health,
        noise=record.noise,
        last_seen_s=silent_s,
        queue=queued,
    )
    return {
        "name": record.name,
        "status": record.status,
        "shown_status": state.shown_status,
        "reason": record.reason,
        "kind": _text(record.capabilities.get("kind")),
        "device": _device(record.capabilities),
        "runtimes": _runtimes(record.capabilities.get("runtimes")),
        "agent_version": record.agent_version,
        "last_seen_at": moment(record.last_seen_at),
        "last_seen_seconds": number(silent_s),
        "last_seen": ago(silent_s),
        "health": flattened(record.health),
        "noise": flattened(record.noise or {}),
        "queued": queued,
        "lease": None if lease is None else _lease(lease, now),
        "last_error": None if failure is None else _error(failure),
    }


def _lease(found: AttemptRecord, now: datetime) -> dict[str, Any]:
    return {
        "job": found.job_id,
        "fence": found.fence,
        "attempt": found.number,
        "started_at": moment(found.started_at),
        "seconds": number(max(0.0, (now - found.started_at).total_seconds())),
    }


def _error(found: AttemptRecord) -> dict[str, Any]:
    return {"kind": found.kind, "reason": found.reason, "at": moment(found.finished_at)}


def _device(capabilities: Mapping[str, Any]) -> str | None:
    device = capabilities.get("device")
    if isinstance(device, Mapping):
        return _text(device.get("name") or device.get("model") or device.get("cpu") or device.get("machine"))
    return _text(device)


def _runtimes(found: Any) -> list[str]:
    """Each with its version; an agent tells them as a mapping by name."""
    if not isinstance(found, Mapping):
        return []
    told = []
    for name, details in found.items():
        versions = details.get("versions") if isinstance(details, Mapping) else None
        own = versions.get(name) if isinstance(versions, Mapping) else None
        told.append(f"{name} {own}" if own else str(name))
    return told


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _here(studies: Sequence[StudyRecord]) -> list[dict[str, Any]]:
    """Runners of the machines that studies ran on, by what their fingerprints say."""
    places: dict[tuple[str, str], list[str]] = {}
    for study in studies:
        for runner in study.runners:
            if runner in RUNNERS and set(study.runners) <= set(RUNNERS):
                places.setdefault((runner, machine_of(study)), []).append(study.name)
    return [{"runner": runner, "machine": machine, "studies": names} for (runner, machine), names in places.items()]
