"""Whether a measurement can be believed: one word, with the reason in a sentence.

    failed             nothing was timed: a crash, a hang, a file that was refused
    wrong_output       it computes something else than the network it is said to be
    partial_placement  some operators ran elsewhere than on the device that was asked for
    throttled          the device slowed itself down, or became steadily slower
    contended          others used the CPU or GPU in so many blocks that too few clean ones are left
    not_converged      the interval is wider than the target, or restarts are missing, when the time was over
    noisy              the reference differs from itself by more than the target
    valid              none of these

The first that applies is told. All but the first two have figures: a disturbed measurement is data, and its ratio to
the reference mostly holds where its milliseconds do not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.measure.measurement import Measurement
from bench.measure.stats import block_medians, kept_of, noise_floor, summarise

VERDICTS = (
    "failed",
    "wrong_output",
    "partial_placement",
    "throttled",
    "contended",
    "not_converged",
    "noisy",
    "valid",
)

_STEADY_DRIFT = 0.02
_LEAST_FOR_DRIFT = 8
_THROTTLED_SHARE = 0.25


def misplaced(details: Mapping[str, Any]) -> str | None:
    """Which operators ran elsewhere than wanted; None where all ran there or the runtime does not tell."""
    placement, wanted = details.get("placement"), details.get("wanted_placement")
    if not isinstance(placement, Mapping) or wanted is None:
        return None
    elsewhere = {place: count for place, count in placement.items() if place != wanted}
    if not elsewhere:
        return None
    told = ", ".join(f"{count} on {place}" for place, count in elsewhere.items())
    return f"{placement.get(wanted, 0)} operators ran on {wanted}, {told}"


def judge(measurement: Measurement, *, target: float) -> tuple[str, str | None]:
    """Verdict and reason of a measurement whose samples are complete and whose output is right.

    Args:
        measurement: with any verdict that has figures, and a protocol that holds where operators ran ("placement",
            "wanted_placement") and what the health monitor said of each stretch of each restart ("health", with
            "contention" and "throttling" as words or None).
        target: half width of the ratio's interval that was aimed at.
    """
    windows = [window for restart in measurement.protocol["health"] for window in restart]
    if reason := misplaced(measurement.protocol):
        return "partial_placement", reason
    throttled = [window["throttling"] for window in windows if window["throttling"]]
    if len(throttled) > _THROTTLED_SHARE * len(windows):
        return "throttled", f"{throttled[-1]} (in {len(throttled)} of {len(windows)} stretches)"
    if reason := steady_drift(measurement):
        return "throttled", reason
    if reason := _contended(measurement, windows):
        return "contended", reason
    if reason := _not_converged(measurement, target):
        return "not_converged", reason
    floor = noise_floor(measurement)
    if floor is None and measurement.protocol.get("twin", "never") != "never":
        return "noisy", "the reference's twin could not be timed: what the session cannot tell apart is not known"
    if floor is not None and floor > target:
        return "noisy", f"the reference timed twice differs from itself by {100 * floor:.1f} %"
    if windows and all(window.get("others", 0.0) is None for window in windows):
        return "valid", "but what else used the CPU is not told by this system"
    return "valid", None


def steady_drift(measurement: Measurement) -> str | None:
    """Whether the reference became steadily slower over the session, by Theil and Sen's slope and its interval.

    Over the medians of processes: the blocks of one process share its luck, and a slope over them finds a drift in one
    session of ten where there is none.
    """
    processes = block_medians(measurement.reference_samples, kept_of(measurement))
    if len(processes) < _LEAST_FOR_DRIFT:
        return None
    # Half a second and 47 MB, which quick sessions and whoever only reads results do without.
    from scipy import stats as scipy_stats

    medians = np.log([float(np.median(blocks)) for blocks in processes])
    found = scipy_stats.theilslopes(medians, np.arange(len(medians)), alpha=0.99)
    if float(found.low_slope) * (len(medians) - 1) <= _STEADY_DRIFT:
        return None
    total = math.expm1(float(found.slope) * (len(medians) - 1))
    return f"the reference became steadily slower, by {100 * total:.0f} % from the first restart to the last"


def _not_converged(measurement: Measurement, target: float) -> str | None:
    wanted, made = int(measurement.protocol.get("restarts", 1)), len(measurement.samples)
    if made < wanted:
        return f"{made} restarts of at least {wanted} before the time was over; give it more, or time fewer at once"
    summary = summarise(measurement)
    half = math.log(summary.ratio_high / summary.ratio_low) / 2
    if half <= target:
        return None
    return f"the ratio is known to within {100 * half:.1f} %, aimed at were {100 * target:g} %, after {made} restarts"


def _contended(measurement: Measurement, windows: Sequence[Mapping[str, Any]]) -> str | None:
    kept = kept_of(measurement)
    if not any(measurement.contended[number][index] for number, blocks in enumerate(kept) for index in blocks):
        return None
    flags = [flag for process in measurement.contended for flag in process]
    reasons = [window["contention"] for window in windows if window["contention"]]
    return f"{reasons[-1]} ({sum(flags)} of {len(flags)} blocks)"
