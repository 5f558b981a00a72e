"""The protocol: restarts x interleaved blocks x iterations, with the reference in every block.

Ten processes that timed the same file beside other work gave medians from 9.8 to 19.8 ms, while pairs
interleaved in one process agreed within 1 %. Hence every block visits each artifact and the reference in
turn, in a seeded random order whose reverse the next block takes (a drift then cancels within two blocks),
and fresh processes sample what is fixed for the life of one: memory layout, thread placement (`restart.py`).
Restarts go on until the ratio to the reference is known as well as was asked for, or the time is over. All raw
samples are kept; statistics are derived when read (`stats.py`), and `verdict.py` says how far to believe them.

`session.py` is what runs, here or on a device; what is enough and what to think of it is decided here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench.measure.child import WORKER
from bench.measure.job import Job
from bench.measure.measurement import Measurement
from bench.measure.session import Progress, record_session
from bench.measure.stats import bootstrap_interval, is_clean, kept_of, log_ratios
from bench.measure.verdict import judge

# How sure a look at whether the target is met has to be: a wider interval than the one that is told.
_STOP_CONFIDENCE = 0.98


def measure(job: Job, *, progress: Progress | None = None) -> tuple[Measurement, ...]:
    """Times every artifact of `job`; one measurement each, in the job's order.

    An artifact that cannot be timed gives the verdict "failed" and never an exception. Nothing else may use
    the CPU meanwhile: hold `exclusive`.
    """
    return _measure(job, command=WORKER, progress=progress)


def is_precise(measurements: Sequence[Measurement], *, restarts: int, target: float) -> bool:
    """Whether enough restarts were undisturbed and every ratio is as well known as was asked for.

    Args:
        measurements: of one session so far; those that failed are left aside.
        restarts: undisturbed ones, at least.
        target: half width of the interval of each ratio.
    """
    for found in measurements:
        if not found.has_figures:
            continue
        if sum(is_clean(process) for process in found.contended) < restarts:
            return False
        ratios = log_ratios(found.samples, found.reference_samples, kept_of(found))
        low, high = bootstrap_interval(ratios, confidence=_STOP_CONFIDENCE)
        if (high - low) / 2 > target:
            return False
    return True


def judged(measurement: Measurement, *, target: float) -> Measurement:
    """The measurement of a session with its verdict."""
    if measurement.reason is not None:
        return measurement
    verdict, reason = judge(measurement, target=target)
    return replace(measurement, verdict=verdict, reason=reason)


def _measure(job: Job, *, command: Sequence[str], progress: Progress | None) -> tuple[Measurement, ...]:
    found = record_session(
        job,
        is_enough=lambda known: is_precise(known, restarts=job.restarts, target=job.target),
        command=command,
        progress=progress,
    )
    return tuple(judged(measurement, target=job.target) for measurement in found)
