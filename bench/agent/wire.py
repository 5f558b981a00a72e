"""What travels between a hub and a device, read as if somebody wished the device ill.

A job names formats, runtimes and files by their sha256, from closed lists; no path, code, archive, pickle or address
is taken from it, and every number has bounds. Whatever a job says of itself, none of its files counts as checked.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.agent.artifact_files import (
    FILE_FORMATS,
    FOLDER_FORMATS,
    BlobFile,
    check_files,
    read_files,
    stored_name,
)
from bench.agent.bounds import LONGEST_S, check_artifact, check_numbers, number, refused, show, whole
from bench.agent.failure import JobRefusedError
from bench.measure.job import Job, JobArtifact
from bench.measure.measurement import Measurement

__all__ = [
    "FILE_FORMATS",
    "FOLDER_FORMATS",
    "MOST_ARTIFACTS",
    "BlobFile",
    "JobRefusedError",
    "Lease",
    "encode_measurements",
    "files_of",
    "finite",
    "read_job",
    "read_lease",
]

MOST_ARTIFACTS = 64
# Of one job's files together.
MOST_BYTES = 2 << 30

_BODY_KEYS = ("runner", "max_s", "job", "files")
_MORE_KEYS = ("priority", "is_test")
_JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LARGEST_FENCE = (1 << 63) - 1
_MOST_ATTEMPTS = 1000
_LONGEST_HEARTBEAT_S = 300.0


@dataclass(frozen=True)
class Lease:
    """A job for this device, for as long as the hub hears of it.

    Attributes:
        fence: number of this attempt; the hub takes nothing under an older one.
        attempt: of the job, from 1.
        job_id: of the hub.
        heartbeat_s: between two signs of life.
        max_s: that the device may work on it.
        body: of the job, not looked at yet.
    """

    fence: int
    attempt: int
    job_id: str
    heartbeat_s: float
    max_s: float
    body: Mapping[str, Any]


def read_lease(data: Mapping[str, Any]) -> Lease:
    """The hub's answer to a request for work.

    Raises:
        JobRefusedError: it is none.
    """
    job_id, body = data.get("job_id"), data.get("body")
    if not isinstance(job_id, str) or not _JOB_ID.fullmatch(job_id):
        raise refused(f"a lease of job {show(job_id)}; a short name is allowed; mend the hub")
    if not isinstance(body, Mapping):
        raise refused("a lease without a job; a JSON object is needed; mend the hub")
    return Lease(
        fence=whole("fence", data.get("fence"), 1, _LARGEST_FENCE),
        attempt=whole("attempt", data.get("attempt"), 1, _MOST_ATTEMPTS),
        job_id=job_id,
        heartbeat_s=number("heartbeat_s", data.get("heartbeat_s"), _LONGEST_HEARTBEAT_S),
        max_s=number("max_s", data.get("max_s"), LONGEST_S),
        body=body,
    )


def files_of(body: Mapping[str, Any]) -> dict[str, tuple[BlobFile, ...]]:
    """The files of each artifact and of the reference, by label.

    Raises:
        JobRefusedError: the body is malformed, or asks for more than is allowed.
    """
    _check_body(body)
    files = read_files(body["files"], most=MOST_ARTIFACTS + 1)
    total = sum({item.sha256: item.num_bytes for found in files.values() for item in found}.values())
    if total > MOST_BYTES:
        raise refused(f"its files have {total} bytes; at most {MOST_BYTES} are allowed; split the job")
    return files


def read_job(body: Mapping[str, Any], folder: Path) -> Job:
    """The job of a lease, with every file at its place in `folder`; none of them counts as checked.

    Raises:
        JobRefusedError: it is malformed, out of bounds, or asks for what never travels.
    """
    files = files_of(body)
    job = _parsed(body["job"])
    check_numbers(job)
    everything = (job.reference, *job.artifacts)
    for artifact in everything:
        check_artifact(artifact)
    if set(files) != {artifact.label for artifact in everything}:
        raise refused("files of other labels than the job has; one entry for each is needed; write it again")
    twin = f"{job.reference.label} (again)"  # the session's name for the reference's copy
    for artifact in everything:
        check_files(artifact, files[artifact.label])
        if artifact.label == twin:
            raise refused(f"label {show(twin)} is taken by the reference's copy; another is needed; rename it")
    return replace(
        job, reference=_placed(job.reference, folder), artifacts=tuple(_placed(item, folder) for item in job.artifacts)
    )


def encode_measurements(measurements: Sequence[Measurement]) -> bytes:
    """The body of a look or a result: JSON, the same bytes for the same measurements."""
    found = []
    for measurement in measurements:
        data = measurement.to_dict()
        # The error of an output of another size is infinite.
        found.append(data | {name: finite(data[name]) for name in ("fingerprint", "protocol")})
    return json.dumps({"measurements": found}, allow_nan=False, separators=(",", ":")).encode("ascii")


def finite(value: Any) -> Any:
    """The same with None for NaN and infinity, which JSON does not know, and lists for tuples."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value


def _check_body(body: Any) -> None:
    if not isinstance(body, Mapping):
        raise refused("the job's body is no JSON object; one is needed; write it again")
    lacking = [key for key in _BODY_KEYS if key not in body]
    unknown = [key for key in body if key not in (*_BODY_KEYS, *_MORE_KEYS)]
    if lacking or unknown:
        what = f"without {lacking[0]!r}" if lacking else f"with {show(unknown[0])}"
        raise refused(f"a job's body {what}; its keys are {', '.join((*_BODY_KEYS, *_MORE_KEYS))}; write it again")
    whole("priority", body.get("priority", 0), -10, 10)
    number("max_s", body["max_s"], LONGEST_S)
    if not isinstance(body["runner"], str) or not isinstance(body.get("is_test", False), bool):
        raise refused("runner is no name, or is_test neither true nor false; those are allowed; write the job again")


def _parsed(data: Any) -> Job:
    artifacts = data.get("artifacts") if isinstance(data, Mapping) else None
    if not isinstance(artifacts, (list, tuple)) or not 1 <= len(artifacts) <= MOST_ARTIFACTS:
        raise refused(f"no job of 1 to {MOST_ARTIFACTS} artifacts; one is needed; write it again, or split it")
    try:
        return Job.from_dict(data)
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RuntimeError) as error:
        # MeasureError is a RuntimeError, and so is a recursion without end; the others are what odd types lead to.
        raise refused(str(error)) from error


def _placed(artifact: JobArtifact, folder: Path) -> JobArtifact:
    return replace(artifact, path=str(folder / stored_name(artifact.format, artifact.sha256)), is_checked=False)
