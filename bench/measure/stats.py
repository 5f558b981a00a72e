"""What is shown of a measurement, derived from its raw samples.

The unit is the process: a block is the median of its iterations, a process the median of its blocks, the
figure the median of its processes. Inside one process an interval lies, because it knows nothing of what a
restart changes: of 45 pairs of processes that timed the same file, 29 had 95 % intervals that did not
overlap.

- Milliseconds: from `FULL_RESTARTS` processes on by order statistics (with 6 processes, smallest to largest
  hold the true median with 96.9 %, whatever the distribution); with fewer by the hierarchical bootstrap.
- Ratio to the reference: blocks are pairs, so what slows both cancels. The logarithms of the pairs' ratios,
  by hierarchical bootstrap (processes are drawn, then blocks inside each; percentiles).

With fewer than `FULL_RESTARTS` processes both are marked "quick": of 95 % intervals over simulated
processes, 3 restarts covered the truth in 85 to 99 %, 6 and more in 93 to 99 % (tests/measure/test_stats.py
repeats it).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from bench.errors import MeasureError
from bench.measure.measurement import Measurement, Samples

FULL_RESTARTS = 6

_NUM_DRAWS = 2000
_NS_PER_MS = 1e6

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Figures of one measurement: milliseconds are local, the ratio to the reference is what travels.

    Attributes:
        median_ms: median of the processes' medians.
        low_ms: lower end of its 95 % interval.
        high_ms: upper end.
        ratio_to_reference: median over processes of the blocks' ratios; 2.0 is twice as slow as the
            reference.
        ratio_low: lower end of its 95 % interval.
        ratio_high: upper end.
        best_observed_ms: fastest single run; a lucky state of the machine, not an estimate.
        num_samples: timed runs of the artifact.
        interval_kind: "full", or "quick" with fewer than `FULL_RESTARTS` processes.
    """

    median_ms: float
    low_ms: float
    high_ms: float
    ratio_to_reference: float
    ratio_low: float
    ratio_high: float
    best_observed_ms: float
    num_samples: int
    interval_kind: str


def summarise(measurement: Measurement, *, confidence: float = 0.95, seed: int = 0) -> Summary:
    """The summary of a valid measurement; the same for the same samples and seed.

    Raises:
        MeasureError: the measurement has failed.
    """
    if not measurement.is_valid:
        raise MeasureError(
            f"{measurement.label!r} has no valid measurement ({measurement.reason}); "
            "only valid ones are summarised; measure it again"
        )
    own, reference = block_medians(measurement.samples), block_medians(measurement.reference_samples)
    milliseconds = own / _NS_PER_MS
    is_full = len(own) >= FULL_RESTARTS
    processes = np.median(milliseconds, axis=1)
    low, high = (
        order_interval(processes, confidence=confidence)
        if is_full
        else bootstrap_interval(milliseconds, confidence=confidence, seed=seed)
    )
    ratios = np.log(own / reference)
    log_low, log_high = bootstrap_interval(ratios, confidence=confidence, seed=seed)
    flat = [sample for process in measurement.samples for block in process for sample in block]
    return Summary(
        median_ms=float(np.median(processes)),
        low_ms=low,
        high_ms=high,
        ratio_to_reference=math.exp(hierarchical_median(ratios)),
        ratio_low=math.exp(log_low),
        ratio_high=math.exp(log_high),
        best_observed_ms=min(flat) / _NS_PER_MS,
        num_samples=len(flat),
        interval_kind="full" if is_full else "quick",
    )


def block_medians(samples: Samples) -> Floats:
    """Medians over iterations, shape (processes, blocks), in ns."""
    return np.array([[float(np.median(block)) for block in process] for process in samples])


def hierarchical_median(blocks: Floats) -> float:
    """The median over processes of the medians of their blocks."""
    return float(np.median(np.median(blocks, axis=1)))


def bootstrap_interval(blocks: Floats, *, confidence: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Percentile interval of `hierarchical_median` over draws of processes, and of blocks inside each.

    Args:
        blocks: shape (processes, blocks).
        confidence: between 0 and 1.
        seed: of the draws.
    """
    random = np.random.default_rng(seed)
    num_processes, num_blocks = blocks.shape
    processes = random.integers(num_processes, size=(_NUM_DRAWS, num_processes, 1))
    inner = random.integers(num_blocks, size=(_NUM_DRAWS, num_processes, num_blocks))
    drawn = np.median(np.median(blocks[processes, inner], axis=2), axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    # Interpolated percentiles of few distinct values could leave the estimate itself out by a rounding error.
    middle = hierarchical_median(blocks)
    return min(float(low), middle), max(float(high), middle)


def order_interval(values: Sequence[float] | Floats, *, confidence: float = 0.95) -> tuple[float, float]:
    """The narrowest symmetric pair of order statistics that holds the median with `confidence`.

    Distribution-free: the number of values below the median is binomial with p = 1/2. With too few values for
    `confidence` it is the smallest and the largest.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    count = len(ordered)
    is_spare = special.bdtr(np.arange(count // 2), count, 0.5) <= (1 - confidence) / 2
    spare = max(int(np.count_nonzero(is_spare)) - 1, 0)
    return float(ordered[spare]), float(ordered[count - 1 - spare])
