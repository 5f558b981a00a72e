"""Whether measurements that a device sends can be of the job that it had: type by type, number by number.

A device may be broken or not what it says it is. What passes here can be judged and summarised without any further
look; what it means is decided where it is asked for. Fields that could name a person or a machine are taken out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from bench.errors import MeasureError
from bench.fleet.answers import ApiError
from bench.fleet.lane import Terms
from bench.fleet.limits import Limits
from bench.measure.job import Job, JobArtifact
from bench.measure.measurement import Measurement
from bench.measure.stats import bootstrap_interval, hierarchical_median, kept_of, log_ratios, noise_floor

_SERIES = ("samples", "reference_samples", "twin_samples")
_WINDOW_WORDS = ("contention", "throttling")
_VERDICTS = ("valid", "failed", "wrong_output")
_SESSION = re.compile(r"[0-9A-Za-z_-]{1,32}")
_REASON_LENGTH = 4000
# More than a day.
_LONGEST_NS = 10**14
# A device's clock is not the hub's, and a job may begin a last restart just before its end.
_CLOCK_MARGIN, _SPARE_S = 1.05, 60.0
# A reference that differs from itself by more than this speaks against the runner.
_MOST_AA = 0.05
_PRIVATE = frozenset(
    {
        *("hostname", "host", "node", "nodename", "user", "username", "login", "home"),
        *("serial", "serialno", "udid", "imei", "mac", "address", "ip", "environ", "environment", "env", "path", "cwd"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Measurements of a lease that can be believed as far as their form goes.

    Attributes:
        documents: as they are kept.
        measurements: the same, in the job's order.
    """

    documents: list[dict[str, Any]]
    measurements: tuple[Measurement, ...]


def read_results(documents: Sequence[Mapping[str, Any]], terms: Terms, *, limits: Limits) -> Reading:
    """Measurements of every artifact of a job, in its order.

    Raises:
        ApiError: 422, they cannot be.
    """
    job = terms.job
    if len(documents) != len(job.artifacts):
        raise _fault(f"{len(documents)} measurements of {len(job.artifacts)} artifacts", "one of each, in their order")
    num_samples = sum(_count(document) for document in documents)
    if num_samples > limits.samples:
        raise _fault(f"{num_samples} samples", f"at most {limits.samples} in a result")
    kept = [without_private(document) for document in documents]
    read = tuple(_read(document, artifact, job) for document, artifact in zip(kept, job.artifacts, strict=True))
    if len({found.session for found in read}) > 1:
        raise _fault("measurements of several sessions", "those of one session, interleaved")
    _check_time(read, terms)
    return Reading(documents=kept, measurements=read)


def without_private(document: Mapping[str, Any]) -> dict[str, Any]:
    """A measurement whose fingerprint names neither a person nor one machine among its like."""
    found = dict(document)
    found["fingerprint"] = cleaned(document.get("fingerprint"))
    return found


def cleaned(value: Any) -> Any:
    """A JSON document without the fields that could name a person or a machine, at any depth."""
    if isinstance(value, Mapping):
        return {key: cleaned(item) for key, item in value.items() if key.lower() not in _PRIVATE}
    if isinstance(value, list):
        return [cleaned(item) for item in value]
    return value


def failed_twin(measurements: Sequence[Measurement]) -> str | None:
    """Why the session's A/A speaks against the runner; None: it does not, or tells nothing.

    It fails where the interval of the reference's twin to the reference leaves 1 out and the two differ by over 5 %,
    in a session during which nobody else used the CPU.
    """
    for found in measurements:
        with_twin = [index for index, process in enumerate(found.twin_samples) if process]
        if not found.has_figures or not with_twin or any(flag for process in found.contended for flag in process):
            continue
        kept = kept_of(found)
        ratios = log_ratios(
            tuple(found.twin_samples[index] for index in with_twin),
            tuple(found.reference_samples[index] for index in with_twin),
            [kept[index] for index in with_twin],
        )
        middle, (low, high) = hierarchical_median(ratios), bootstrap_interval(ratios)
        if abs(math.expm1(middle)) > _MOST_AA and not low <= 0.0 <= high:
            return f"its A/A failed: the reference timed twice differs from itself by {100 * math.expm1(middle):+.1f} %"
        return None
    return None


def noise_of(measurements: Sequence[Measurement]) -> dict[str, Any] | None:
    """What the session's A/A found, as it is kept of the runner: by which share the reference differs from itself."""
    for found in measurements:
        floor = noise_floor(found) if found.has_figures else None
        if floor is not None:
            return {"floor": floor, "session": found.session}
    return None


def _read(document: Mapping[str, Any], artifact: JobArtifact, job: Job) -> Measurement:
    setup = job.setup_of(artifact)
    wanted = {
        "label": artifact.label,
        "architecture_id": artifact.architecture_id,
        "artifact_sha256": artifact.sha256,
        "runner": job.runner,
        "runtime": setup.runtime,
        "threads": setup.threads,
        "resolution": artifact.resolution or job.resolution,
    }
    for name, value in wanted.items():
        found = document.get(name)
        if type(found) is not type(value) or found != value:
            raise _fault(f"a measurement with another {name} than its job has", "that of the job")
    shapes = {name: _shape(document.get(name), name, job) for name in _SERIES}
    _check_shapes(shapes, document.get("contended"))
    _check_words(document, num_processes=len(shapes["samples"]))
    try:
        return Measurement.from_dict(document)
    except (MeasureError, ValueError) as error:
        raise _fault(f"a malformed measurement ({error})", "Measurement.to_dict()") from None


def _shape(samples: Any, name: str, job: Job) -> tuple[int, ...]:
    """The number of blocks of each process; every block has samples in ns that a run can have taken.

    There are no more of them than the job allows (restart.py: blocks are repeated once, in pairs): what is derived of
    processes and blocks takes memory and time by their number.
    """
    processes, blocks = max(job.restarts, job.most_restarts), 2 * job.blocks + 1
    if not isinstance(samples, list) or len(samples) > processes:
        raise _fault(f"{name} that are no list of at most {processes} processes", "lists of blocks of ns")
    for process in samples:
        if not isinstance(process, list) or not all(isinstance(block, list) and block for block in process):
            raise _fault(f"{name} with a process that is no list of filled blocks", "lists of blocks of ns")
        if len(process) > blocks:
            raise _fault(f"{name} with a process of {len(process)} blocks", f"at most {blocks} of this job")
        for block in process:
            if set(map(type, block)) != {int} or min(block) <= 0 or max(block) > _LONGEST_NS:
                raise _fault(f"{name} with a sample that no run takes", f"whole ns from 1 to {_LONGEST_NS}")
    return tuple(map(len, samples))


def _check_shapes(shapes: Mapping[str, tuple[int, ...]], contended: Any) -> None:
    own = shapes["samples"]
    is_flags = isinstance(contended, list) and all(
        isinstance(process, list) and set(map(type, process)) <= {bool} for process in contended
    )
    if not is_flags or tuple(map(len, contended)) != own or shapes["reference_samples"] != own or 0 in own:
        raise _fault("samples, reference_samples and contended of different shapes", "the same blocks in each")
    twin = shapes["twin_samples"]
    if len(twin) != len(own) or any(found not in (0, blocks) for found, blocks in zip(twin, own, strict=True)):
        raise _fault("twin_samples of another shape", "all blocks of a process, or none")


def _check_words(document: Mapping[str, Any], *, num_processes: int) -> None:
    """Verdict, reason, session, and those parts of the protocol that are read when it is judged."""
    verdict, reason = document.get("verdict"), document.get("reason")
    if verdict not in _VERDICTS:
        raise _fault("a verdict that a device does not give", f"one of {', '.join(_VERDICTS)}")
    is_text = isinstance(reason, str) and 0 < len(reason) <= _REASON_LENGTH
    if is_text is (verdict == "valid") or (reason is not None and not is_text):
        raise _fault("a verdict that its reason does not fit", "a reason of one line unless it is valid")
    if verdict == "valid" and not num_processes:
        raise _fault("a valid measurement without samples", "samples, or the verdict failed")
    session = document.get("session")
    if not isinstance(session, str) or not _SESSION.fullmatch(session):
        raise _fault("no session, or an odd one", "up to 32 letters and digits")
    protocol = document.get("protocol")
    if not isinstance(document.get("fingerprint"), dict) or not isinstance(protocol, dict):
        raise _fault("a fingerprint or a protocol that is no object", "JSON objects")
    _check_protocol(protocol, num_processes=num_processes)


def _check_protocol(protocol: Mapping[str, Any], *, num_processes: int) -> None:
    health, processes = protocol.get("health"), protocol.get("processes", [])
    restarts, placement = protocol.get("restarts"), protocol.get("placement")
    is_health = isinstance(health, list) and len(health) == num_processes and all(map(_is_windows, health))
    is_processes = isinstance(processes, list) and all(
        isinstance(log, dict) and _is_number(log.get("memory_mib")) for log in processes
    )
    # A runtime that cannot tell says so in a word (core_ai.py).
    is_placement = isinstance(placement, str | None) or (
        isinstance(placement, dict) and all(type(count) is int for count in placement.values())
    )
    is_wanted = protocol.get("wanted_placement") is None or isinstance(protocol["wanted_placement"], str)
    if type(restarts) is not int or restarts < 1:
        raise _fault("a protocol without its restarts", "a whole number above 0")
    if not (is_health and is_processes and is_placement and is_wanted):
        raise _fault("a protocol of another form", "health by process, processes and placement as a worker has them")


def _is_windows(windows: Any) -> bool:
    return isinstance(windows, list) and all(
        isinstance(window, dict)
        and all(name in window and isinstance(window[name], str | None) for name in _WINDOW_WORDS)
        for window in windows
    )


def _is_number(value: Any) -> bool:
    return value is None or type(value) in (int, float)


def _check_time(measurements: Sequence[Measurement], terms: Terms) -> None:
    """All runs of a session were made one after the other, within the time that the job has."""
    own = sum(_sum(found.samples) for found in measurements)
    shared = max(_sum(found.reference_samples) for found in measurements)
    twin = max(_sum(found.twin_samples) for found in measurements)
    if own + shared + twin > (terms.max_s * _CLOCK_MARGIN + _SPARE_S) * 1e9:
        seconds = (own + shared + twin) / 1e9
        raise _fault(f"samples of {seconds:.0f} s together", f"{terms.max_s:g} s, which the job had,")


def _sum(samples: Iterable[Iterable[Iterable[int]]]) -> int:
    return sum(chain.from_iterable(chain.from_iterable(samples)))


def _count(document: Mapping[str, Any]) -> int:
    """Samples in all series, as far as they are lists."""
    processes = (process for name in _SERIES for process in _list(document.get(name)))
    return sum(len(_list(block)) for process in processes for block in _list(process))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _fault(got: str, allowed: str) -> ApiError:
    return ApiError(422, f"{got}; {allowed} is allowed; mend the agent")
