"""What a session on a phone came to, as the same document that a session on this machine gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.agent.drivers.adb_benchmark import Told
from bench.agent.drivers.adb_entry import Entry, Restart, Setting
from bench.measure.job import JobArtifact
from bench.measure.measurement import Measurement
from bench.measure.session import PROTOCOL_VERSION

_NUMBERS = (
    *("restarts", "most_restarts", "iterations", "visit_ms", "warmup_window", "warmup_least_ms", "warmup_ms"),
    *("target", "limit_s", "repeats", "twin", "deadline_s", "memory_mib", "seed"),
)


def measurement_of(
    setting: Setting,
    entry: Entry,
    *,
    reference: Entry,
    twin: Entry,
    restarts: Sequence[Restart],
    statistic: str | None,
    session: str,
) -> Measurement:
    """Samples of one artifact with everything about them but the verdict of a success."""
    job, artifact = setting.job, entry.artifact
    setup = job.setup_of(artifact)
    shared = [found for found in restarts if found.number in entry.logs and found.number in reference.logs]
    numbers = [found.number for found in shared]
    reason = entry.reason
    if reason is None and reference.reason is not None:
        reason = f"the reference {reference.artifact.label!r} failed: {reference.reason}"
    failure = "wrong_output" if entry.is_wrong else "failed"
    return Measurement(
        label=artifact.label,
        architecture_id=artifact.architecture_id,
        artifact_sha256=artifact.sha256,
        runner=job.runner,
        runtime=setup.runtime,
        threads=setup.threads,
        resolution=artifact.resolution or job.resolution,
        samples=tuple(tuple(entry.logs[number].samples) for number in numbers),
        reference_samples=tuple(tuple(reference.logs[number].samples) for number in numbers),
        twin_samples=tuple(tuple(twin.logs[number].samples) if number in twin.logs else () for number in numbers),
        contended=tuple(tuple(found.contended) for found in shared),
        verdict="valid" if reason is None else failure,
        reason=reason,
        fingerprint=_fingerprint(setting, artifact, statistic),
        protocol=_protocol(setting, entry, shared, statistic),
        session=session,
    )


def _fingerprint(setting: Setting, artifact: JobArtifact, statistic: str | None) -> dict[str, Any]:
    """Phone, program, how it was run and made, and what its ratio is a ratio to; keys as of a local one."""
    job, setup, cpus = setting.job, setting.job.setup_of(artifact), setting.cpus
    return {
        **setting.facts,
        "limits": {"affinity": None if cpus is None else list(cpus)},
        "gpus": [],
        "runner": job.runner,
        "runtime": setup.runtime,
        "threads": setup.threads,
        "precision": setup.precision,
        "channels_last": setup.channels_last,
        "options": dict(setup.options),
        "cpus": None,
        "export": dict(artifact.export or {}),
        "reference": {
            "setup": job.setup_of(job.reference).name,
            "resolution": job.reference.resolution or job.resolution,
        },
        "loaded": {"program": setting.program.name, "statistic": statistic},
    }


def _protocol(setting: Setting, entry: Entry, shared: Sequence[Restart], statistic: str | None) -> dict[str, Any]:
    """How it was measured. `statistic` is what a sample is: "median" or "mean" of the runs of one process, or a run."""
    job, artifact, first = setting.job, entry.artifact, entry.first
    return {
        "version": PROTOCOL_VERSION,
        "reference": {"label": job.reference.label, "sha256": job.reference.sha256},
        "labels": [found.label for found in (job.reference, *job.artifacts)],
        **{name: getattr(job, name) for name in _NUMBERS},
        "blocks": setting.blocks,
        "statistic": statistic,
        "process": {"runs": entry.runs, "seconds": setting.seconds, "warmup_s": setting.warmup_s},
        "setup": job.setup_of(artifact).name,
        "form": artifact.form,
        "architecture": artifact.architecture,
        "limits": None,
        "children_lost": 0,
        "start_ms": [],
        "operators": entry.operators,
        "placement": dict(first.placement) if first is not None and first.placement else None,
        "wanted_placement": None,
        "output": {
            "is_checked": entry.output_error is not None or entry.is_wrong,
            "errors": [] if entry.output_error is None else [entry.output_error],
            "unchecked": entry.unchecked,
        },
        "phone": dict(setting.surroundings),
        "health": [found.windows for found in shared],
        "processes": [_of_restart(entry.logs[found.number].told) for found in shared],
    }


def _of_restart(told: Sequence[Told]) -> dict[str, Any]:
    """What the processes of a restart told; together under the names that a local child process has."""
    return {
        "load_ms": min((one.load_ms for one in told if one.load_ms is not None), default=None),
        "first_ms": min((one.first_ms for one in told if one.first_ms is not None), default=None),
        "memory_mib": max((one.memory_mib for one in told if one.memory_mib is not None), default=None),
        "visits": [one.to_dict() for one in told],
    }
