"""Two measurements of one session as a pair: who is faster, by how much, and whether that can be told."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.errors import MeasureError
from bench.measure.fingerprint import same_conditions
from bench.measure.measurement import Measurement
from bench.measure.stats import bootstrap_interval, hierarchical_median, kept_of, log_ratios, noise_floor

# Nothing below this is claimed, however narrow the interval: the floor that interleaved copies of one file showed.
LEAST_MARGIN = 0.01
# "Equal" is a claim too. A session whose reference differs from itself by more than twice the usual floor tells nothing
# apart that is nearer than that, and must not call it equal.
MOST_MARGIN_OF_EQUAL = 2 * LEAST_MARGIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The second network's latency over the first's.

    Attributes:
        ratio: 1.05 is 5 % slower than the first.
        low, high: ends of its 95 % interval.
        margin: differences below this share are not claimed: 1 %, or more where the reference differed from itself.
        verdict: "slower", "faster", "equal" (wholly within a margin of at most `MOST_MARGIN_OF_EQUAL`) or "undecided".
        num_restarts: processes behind the ratio; with fewer than three the interval knows little of what a restart
            changes.
    """

    ratio: float
    low: float
    high: float
    margin: float
    verdict: str
    num_restarts: int


def compare(first: Measurement, second: Measurement, *, seed: int = 0) -> Comparison:
    """The ratio of `second` to `first` from the blocks that both were timed in.

    Raises:
        MeasureError: they are not of one session, or one of them has no figures.
    """
    for measurement in (first, second):
        if not measurement.has_figures:
            raise MeasureError(
                f"{measurement.label!r} has no figures ({measurement.reason}); two that were timed are compared; "
                "measure it again"
            )
    if first.session != second.session:
        raise MeasureError(
            f"{first.label!r} and {second.label!r} were timed in different sessions; only interleaved ones are "
            "pairs; measure them together, or compare their ratios to the reference"
        )
    clocks = [(found.fingerprint.get("loaded") or {}).get("clock", "wall") for found in (first, second)]
    if clocks[0] != clocks[1]:
        raise MeasureError(
            f"{first.label!r} was timed by {clocks[0]} and {second.label!r} by {clocks[1]}; figures of one clock "
            "compare; time them on one runtime"
        )
    if len(first.samples) != len(second.samples):
        raise MeasureError(
            f"{first.label!r} was timed in {len(first.samples)} restarts and {second.label!r} in "
            f"{len(second.samples)}; pairs have the same; measure them again"
        )
    ratios = log_ratios(second.samples, first.samples, kept_of(first, second))
    low, high = (math.exp(end) for end in bootstrap_interval(ratios, seed=seed))
    floors = [noise_floor(measurement) or 0.0 for measurement in (first, second)]
    margin = max(LEAST_MARGIN, *floors)
    return Comparison(
        ratio=math.exp(hierarchical_median(ratios)),
        low=low,
        high=high,
        margin=margin,
        verdict=_verdict(low, high, margin),
        num_restarts=len(ratios),
    )


def why_not_comparable(first: Measurement, second: Measurement) -> tuple[str, ...]:
    """What differs between the conditions of two measurements, one line each; empty where their ratios compare.

    Machine, limits, runtime, versions, threads, precision, exporter and opset have to agree, and the resolution. Of one
    architecture the operators that ran after all optimisation have to agree too: the same weights exported at opset
    18 take 1.19 to 1.26 times as long as at opset 20, because ONNX Runtime does not fuse what the exporter took apart.
    """
    lines = list(same_conditions(first.fingerprint, second.fingerprint))
    if first.resolution != second.resolution:
        lines.append(f"resolution: {first.resolution} and {second.resolution}")
    if first.architecture_id is not None and first.architecture_id == second.architecture_id:
        operators = [found.protocol.get("operators") or {} for found in (first, second)]
        if all(operators):
            lines += same_conditions({"operators": operators[0]}, {"operators": operators[1]})
    return tuple(lines)


def _verdict(low: float, high: float, margin: float) -> str:
    if low > 1 + margin:
        return "slower"
    if high < 1 - margin:
        return "faster"
    is_within = 1 - margin <= low and high <= 1 + margin
    return "equal" if is_within and margin <= MOST_MARGIN_OF_EQUAL else "undecided"
