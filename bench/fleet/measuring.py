"""Measures on a registered runner as on one of this machine: a job goes out, judged measurements come back.

The device only records; verdicts are given here (bench.measure.protocol). A hub that does not answer, or a runner that
is away, is waited for: neither loses anything, since a job is submitted once under its key. A file of unknown origin is
looked into here before it is sent: not every device can.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Sequence

from bench.agent.answers import printable
from bench.errors import FleetError, MeasureError
from bench.fleet.client import HubClient
from bench.fleet.following import Sign, Told, follow, persistently
from bench.fleet.remote_runner import RemoteRunner, find_runner
from bench.fleet.shipping import key_of, pack, ship
from bench.measure.child import LostError, RefusedError
from bench.measure.inspection import Inspection
from bench.measure.job import Job
from bench.measure.measurement import Measurement
from bench.measure.protocol import judged
from bench.measure.session import Progress

__all__ = ["RemoteRunner", "find_runner", "in_order", "measure_remotely"]


def measure_remotely(
    job: Job,
    runner: str,
    client: HubClient,
    *,
    progress: Progress | None = None,
    told: Told | None = None,
    is_test: bool = False,
) -> tuple[Measurement, ...]:
    """Times every artifact of `job` on a registered runner; one judged measurement each, in the job's order.

    Waits for the hub and for a runner that is away as long as it takes; broken off, it cancels the job.

    Args:
        job: whose runner is the kind of that device; its files lie here.
        runner: name of the registered runner.
        client: of its hub.
        progress: is called with steps done and steps of all.
        told: hears how the job stands.
        is_test: it goes before all others, and to a quarantined runner too.

    Raises:
        MeasureError: a file of unknown origin does not pass its check, or the runner could not do the job.
        FleetError: the hub refuses it, or the runner was quarantined or removed meanwhile.
    """
    look_into_files(job)

    def tell(sign: Sign) -> None:
        if sign.state is not None and not is_test and (reason := sign.state.why_unusable):
            raise FleetError(reason)
        if told is not None:
            told(sign)
        if progress is not None and sign.total:
            progress(sign.done, sign.total)

    package = pack(job, runner=runner, priority=10 if is_test else 0, is_test=is_test)
    key, over = key_of(package, uuid.uuid4()), threading.Event()
    job_id = persistently(lambda: ship(package, client, key=key), told=tell, over=over)
    try:
        ended = follow(client, job_id, runner, told=tell, over=over)
    except BaseException:
        with contextlib.suppress(FleetError):  # what ended it is told, not this
            client.cancel(job_id)
        raise
    assert ended is not None  # nobody sets `over`
    if ended.status != "done":
        # The device's own words.
        why = printable(ended.reason or "no reason told")
        raise MeasureError(
            f"runner {runner!r} could not measure ({ended.kind or ended.status}: {why}); a sound device passes its "
            f"test; try `bench runners test {runner}`, then `bench runners show {runner}`"
        )
    return tuple(judged(found, target=job.target) for found in in_order(ended.measurements, job))


def look_into_files(job: Job) -> None:
    """Checks what was not made and checked by this process, in a child process.

    Raises:
        MeasureError: a file does not pass; the message is why.
    """
    with Inspection(job) as inspection:
        for artifact in (job.reference, *job.artifacts):
            if artifact.is_checked:
                continue
            try:
                inspection.check(artifact)
            except (LostError, RefusedError) as error:
                raise MeasureError(f"{artifact.label!r} is not sent: checking failed: {error}") from error


def in_order(measurements: Sequence[Measurement], job: Job) -> tuple[Measurement, ...]:
    """The measurements of a job in the order of its artifacts.

    Raises:
        FleetError: they are of something else.
    """
    found = {measurement.label: measurement for measurement in measurements}
    wanted = {artifact.label: artifact.sha256 for artifact in job.artifacts}
    if {label: measurement.artifact_sha256 for label, measurement in found.items()} != wanted:
        raise FleetError(
            f"a result of {', '.join(found) or 'nothing'} for a job of {', '.join(wanted)}; the same files are needed; "
            "update the agent of that runner"
        )
    return tuple(found[label] for label in wanted)
