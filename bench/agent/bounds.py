"""What a job may ask of a device: bounds of every number, the kinds of every value, names from closed alphabets."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from bench.agent.artifact_files import FILE_FORMATS, FOLDER_FORMATS
from bench.agent.failure import JobRefusedError
from bench.measure.job import Job, JobArtifact

LONGEST_S = 6 * 3600.0
# Figures in memory at once, some 40 bytes each.
MOST_SAMPLES = 50_000_000

_WHOLE: Mapping[str, tuple[int, int]] = {
    "resolution": (1, 4096),
    "threads": (1, 1024),
    "restarts": (1, 1000),
    "most_restarts": (1, 1000),
    "blocks": (1, 1000),
    "iterations": (1, 2000),
    "warmup_window": (1, 1000),
    "memory_mib": (64, 1 << 20),
    "seed": (0, (1 << 63) - 1),
}
# At most; those that must be above 0 are held to that by `Job`.
_NUMBERS: Mapping[str, float] = {
    "visit_ms": 60e3,
    "warmup_least_ms": 600e3,
    "warmup_ms": 600e3,
    "target": 1000.0,
    "limit_s": LONGEST_S,
    "deadline_s": 3600.0,
}
_FLAGS = ("channels_last", "repeats")
# A visit that is made longer has up to so many runs (restart.py), and a restart may repeat all of its blocks.
_LONGEST_VISIT, _REPEATS = 2000, 2
_CPUS = 4096
_TEXT_LENGTH, _DOCUMENT_BYTES = 200, 256 << 10
# Squares of them are added up.
_MOST_LOGITS, _LARGEST_LOGIT = 100_000, 1e30
_MOST_OPTIONS, _OPTION_LENGTH = 16, 100
# timm takes "hf-hub:..." and "local-dir:..." for addresses.
_TIMM_NAME = re.compile(r"[A-Za-z0-9_]{1,100}(\.[A-Za-z0-9_-]{1,100})?")
_SHOWN = 60


def check_numbers(job: Job) -> None:
    """Every number of `job`, and how many runs they come to.

    Raises:
        JobRefusedError: one is out of bounds, or of another type.
    """
    for name, (low, high) in _WHOLE.items():
        whole(name, getattr(job, name), low, high)
    for name, most in _NUMBERS.items():
        number(name, getattr(job, name), most, is_zero_allowed=True)
    for name in _FLAGS:
        if not isinstance(getattr(job, name), bool):
            raise refused(f"{name} {show(getattr(job, name))}; true or false is allowed; change it in the job")
    cpus = job.cpus or ()
    for cpu in cpus:
        whole("cpus", cpu, 0, _CPUS - 1)
    if len(set(cpus)) < len(cpus):
        raise refused("a CPU to be pinned to twice; each once is allowed; change it in the job")
    runs = _LONGEST_VISIT if job.visit_ms else job.iterations
    visits = max(job.restarts, job.most_restarts) * job.blocks * (_REPEATS if job.repeats else 1)
    samples = (len(job.artifacts) + 2) * visits * runs  # with the reference and its copy
    if samples > MOST_SAMPLES:
        raise refused(
            f"up to {samples} runs are asked for; at most {MOST_SAMPLES} are allowed; split the job, or ask for less"
        )


def check_artifact(artifact: JobArtifact) -> None:
    """What is said of one artifact, besides its files.

    Raises:
        JobRefusedError: a value of another type, too long, or with a meaning that must not travel.
    """
    label = artifact.label
    if not isinstance(label, str) or len(label) > _TEXT_LENGTH or not label.isprintable():
        raise refused(f"label {show(label)}; up to {_TEXT_LENGTH} printable characters are allowed; rename it")
    if artifact.path != "":
        raise refused(f"{show(label)} names a path; files travel by their sha256 alone; leave it empty")
    if artifact.format not in (*FILE_FORMATS, *FOLDER_FORMATS):
        known = ", ".join((*FILE_FORMATS, *FOLDER_FORMATS))
        raise refused(f"format {artifact.format!r} of {show(label)} does not travel; {known} do; export another")
    if artifact.resolution is not None:
        whole(f"resolution of {show(label)}", artifact.resolution, *_WHOLE["resolution"])
    identity = artifact.architecture_id
    if identity is not None and (not isinstance(identity, str) or len(identity) > _TEXT_LENGTH):
        raise refused(f"architecture_id {show(identity)} of {show(label)}; a short text is allowed; write it again")
    for name in ("architecture", "export"):
        _check_document(name, getattr(artifact, name), label)
    name = (artifact.architecture or {}).get("timm", "plain")
    if not isinstance(name, str) or not _TIMM_NAME.fullmatch(name):
        raise refused(f"{show(name)} of {show(label)}; the plain name of a model of timm is allowed; name one")
    _check_logits(artifact)
    _check_setup(artifact)


def whole(name: str, value: Any, low: int, high: int) -> int:
    """`value`, if it is a whole number within the bounds.

    Raises:
        JobRefusedError: it is not.
    """
    if type(value) is not int or not low <= value <= high:
        raise refused(f"{name} {show(value)}; a whole number from {low} to {high} is allowed; change it in the job")
    return value


def number(name: str, value: Any, most: float, *, is_zero_allowed: bool = False) -> float:
    """`value`, if it is a number above 0 (or 0) and not over `most`.

    Raises:
        JobRefusedError: it is not.
    """
    # NaN is in no interval.
    if type(value) not in (int, float) or not (0 < value <= most or (is_zero_allowed and value == 0)):
        raise refused(f"{name} {show(value)}; a number above 0, up to {most:g}, is allowed; change it in the job")
    return float(value)


def refused(reason: str) -> JobRefusedError:
    """Of a job that no device may take, however often it is sent."""
    return JobRefusedError("unsupported", reason)


def show(value: Any) -> str:
    """Short and in ASCII, whatever it is."""
    if type(value) is int:
        return str(value) if abs(value) < 10**30 else "of over 30 digits"
    if value is not None and not isinstance(value, (str, float, bool)):
        return f"a {type(value).__name__}"
    shown = ascii(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."


def _check_document(name: str, value: Any, label: str) -> None:
    if value is None:
        return
    try:
        size = len(json.dumps(value)) if isinstance(value, Mapping) else None
    except (RecursionError, TypeError, ValueError):
        size = None
    if size is None or size > _DOCUMENT_BYTES:
        raise refused(f"{name} of {show(label)} is no JSON object, or has over {_DOCUMENT_BYTES} bytes; mend it")


def _check_logits(artifact: JobArtifact) -> None:
    logits = artifact.logits or ()
    is_plain = all(type(value) in (int, float) and abs(value) <= _LARGEST_LOGIT for value in logits)
    if len(logits) > _MOST_LOGITS or not is_plain:
        raise refused(
            f"logits of {show(artifact.label)}; up to {_MOST_LOGITS} numbers up to {_LARGEST_LOGIT:g} are allowed; "
            "leave them out"
        )


def _check_setup(artifact: JobArtifact) -> None:
    setup = artifact.setup
    if setup is None:
        return
    whole(f"threads of {show(artifact.label)}", setup.threads, *_WHOLE["threads"])
    is_short = len(setup.options) <= _MOST_OPTIONS and all(
        len(word) <= _OPTION_LENGTH for pair in setup.options for word in pair
    )
    if not isinstance(setup.channels_last, bool) or not is_short:
        raise refused(
            f"setup of {show(artifact.label)}; true or false for channels_last, and a few short options, are allowed; "
            "write it again"
        )
