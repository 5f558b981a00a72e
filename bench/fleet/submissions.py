"""Whether a job may be queued: it is read here exactly as a device reads it, so that no device has to refuse it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.agent.wire import JobRefusedError, files_of, read_job
from bench.fleet.answers import ApiError
from bench.fleet.limits import Limits
from bench.fleet.schemas.jobs import JobBody

# Only names are made with it; nothing is read or written.
_NOWHERE = Path("nowhere")


def check_submission(body: JobBody, *, limits: Limits) -> dict[str, Any]:
    """The job as it is stored and leased.

    Raises:
        ApiError: 413 a file that is too large, 422 whatever else a device would refuse.
    """
    plain = body.model_dump(mode="json")
    if body.max_s > limits.job_s:
        raise ApiError(422, f"max_s {body.max_s:g}; at most {limits.job_s:g} s are given to a job; ask for less")
    try:
        job = read_job(plain, _NOWHERE)
        files = [file for group in files_of(plain).values() for file in group]
    except JobRefusedError as error:
        raise ApiError(422, str(error)) from None
    if len(job.artifacts) > limits.artifacts:
        raise ApiError(422, f"{len(job.artifacts)} artifacts; at most {limits.artifacts} are in a job; split it")
    largest = max(file.num_bytes for file in files)
    if largest > limits.blob_bytes:
        raise ApiError(413, f"a file of {largest} bytes; at most {limits.blob_bytes} are taken; export a smaller one")
    return plain


def digest(document: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of a JSON document, however its keys were ordered."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
