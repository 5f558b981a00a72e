"""What is shown of a measurement, derived from its raw samples.

The unit is the process: a block is the median of its iterations, a process the median of its blocks, the
figure the median of its processes. Inside one process an interval lies, because it knows nothing of what a
restart changes: of 45 pairs of processes that timed the same file, 29 had 95 % intervals that did not
overlap.

- Milliseconds: from `FULL_RESTARTS` processes on by order statistics (with 6 processes, smallest to largest
  hold the true median with 96.9 %, whatever the distribution); with fewer by the hierarchical bootstrap.
- Ratio to the reference: blocks are pairs, so what slows both cancels. The logarithms of the pairs' ratios,
  by hierarchical bootstrap (processes are drawn, then blocks inside each; percentiles).

Blocks during which others used the CPU are left aside where enough clean ones were made in their place, and so are
whole processes with too few of them; they stay in the record. Single samples are never dropped: how many lie far out
is told (Tukey's fences).

With fewer than `FULL_RESTARTS` processes intervals are marked "quick": of 95 % intervals over simulated
processes, 3 restarts covered the truth in 85 to 99 %, 6 and more in 93 to 99 % (tests/measure/test_stats.py
repeats it, and for sessions that stop when they are precise enough).
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
# Fewer clean blocks than this in a process do not stand for it.
LEAST_CLEAN_BLOCKS = 2

_NUM_DRAWS = 2000
_NS_PER_MS = 1e6
_MILD, _SEVERE = 1.5, 3.0

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
        p90_ms: of single runs.
        p99_ms: of single runs.
        spread: interquartile range of single runs over their median.
        outliers_mild: runs beyond 1.5 interquartile ranges from the quartiles of their process.
        outliers_severe: beyond 3; not counted as mild.
        autocorrelation: of neighbouring runs (lag 1) around their process's median; near 0 when they are independent.
        noise_floor: by how much the reference timed twice differs from itself in this session, as a share; None
            without a twin.
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
    p90_ms: float
    p99_ms: float
    spread: float
    outliers_mild: int
    outliers_severe: int
    autocorrelation: float
    noise_floor: float | None
    num_samples: int
    interval_kind: str


def summarise(measurement: Measurement, *, confidence: float = 0.95, seed: int = 0) -> Summary:
    """The summary of a measurement that has figures; the same for the same samples and seed.

    Raises:
        MeasureError: the measurement has none.
    """
    if not measurement.has_figures:
        raise MeasureError(
            f"{measurement.label!r} has no figures ({measurement.reason}); "
            "only what was timed and computed the right output is summarised; measure it again"
        )
    kept = kept_of(measurement)
    own = [blocks / _NS_PER_MS for blocks in block_medians(measurement.samples, kept)]
    is_full = len(own) >= FULL_RESTARTS
    processes = np.array([float(np.median(blocks)) for blocks in own])
    low, high = (
        order_interval(processes, confidence=confidence)
        if is_full
        else bootstrap_interval(own, confidence=confidence, seed=seed)
    )
    ratios = log_ratios(measurement.samples, measurement.reference_samples, kept)
    log_low, log_high = bootstrap_interval(ratios, confidence=confidence, seed=seed)
    runs = [_runs(process, blocks) for process, blocks in zip(measurement.samples, kept, strict=True) if blocks]
    together = np.concatenate(runs)
    quartiles = np.quantile(together, [0.25, 0.5, 0.75])
    mild, severe = _outliers(runs)
    return Summary(
        median_ms=float(np.median(processes)),
        low_ms=low,
        high_ms=high,
        ratio_to_reference=math.exp(hierarchical_median(ratios)),
        ratio_low=math.exp(log_low),
        ratio_high=math.exp(log_high),
        best_observed_ms=float(together.min()) / _NS_PER_MS,
        p90_ms=float(np.quantile(together, 0.9)) / _NS_PER_MS,
        p99_ms=float(np.quantile(together, 0.99)) / _NS_PER_MS,
        spread=float((quartiles[2] - quartiles[0]) / quartiles[1]),
        outliers_mild=mild,
        outliers_severe=severe,
        autocorrelation=_autocorrelation(runs),
        noise_floor=noise_floor(measurement),
        num_samples=len(together),
        interval_kind="full" if is_full else "quick",
    )


def kept_of(*measurements: Measurement) -> list[list[int]]:
    """`kept_blocks` of measurements of one session, where a block counts that was clean for all of them."""
    flags = [
        [any(pair) for pair in zip(*processes, strict=True)]
        for processes in zip(*(found.contended for found in measurements), strict=True)
    ]
    return kept_blocks(flags, least=int(measurements[0].protocol.get("restarts", len(flags))))


def kept_blocks(contended: Sequence[Sequence[bool]], *, least: int) -> list[list[int]]:
    """Indices of the blocks that count, by process.

    The clean ones, of processes that have enough of them, if those are `least` processes or more; else all blocks of
    all processes. A process that does not count has no index.
    """
    clean = [[index for index, is_contended in enumerate(process) if not is_contended] for process in contended]
    enough = [blocks if is_clean(process) else [] for blocks, process in zip(clean, contended, strict=True)]
    if sum(bool(blocks) for blocks in enough) >= min(least, len(contended)):
        return enough
    return [list(range(len(process))) for process in contended]


def is_clean(process: Sequence[bool]) -> bool:
    """Whether enough blocks of a process were undisturbed for them to stand for it."""
    return sum(not is_contended for is_contended in process) >= min(LEAST_CLEAN_BLOCKS, len(process))


def block_medians(samples: Samples, kept: Sequence[Sequence[int]]) -> list[Floats]:
    """Medians over iterations in ns: for each process that counts an array over its kept blocks."""
    return [
        np.array([float(np.median(process[index])) for index in blocks])
        for process, blocks in zip(samples, kept, strict=True)
        if blocks
    ]


def log_ratios(first: Samples, second: Samples, kept: Sequence[Sequence[int]]) -> list[Floats]:
    """Logarithms of first over second, pair by pair of the kept blocks, by process."""
    pairs = zip(block_medians(first, kept), block_medians(second, kept), strict=True)
    return [np.log(own / other) for own, other in pairs]


def noise_floor(measurement: Measurement) -> float | None:
    """By how much the reference differs from its twin, as a share; None where no process that counts has one."""
    kept = kept_of(measurement)
    with_twin = [index for index, process in enumerate(measurement.twin_samples) if process and kept[index]]
    if not with_twin:
        with_twin = [index for index, process in enumerate(measurement.twin_samples) if process]
        kept = [list(range(len(process))) for process in measurement.twin_samples]
    if not with_twin:
        return None
    ratios = log_ratios(
        tuple(measurement.twin_samples[index] for index in with_twin),
        tuple(measurement.reference_samples[index] for index in with_twin),
        [kept[index] for index in with_twin],
    )
    return abs(math.expm1(hierarchical_median(ratios)))


def hierarchical_median(blocks: Sequence[Floats]) -> float:
    """The median over processes of the medians of their blocks."""
    return float(np.median([np.median(process) for process in blocks]))


def bootstrap_interval(
    blocks: Sequence[Floats] | Floats, *, confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of `hierarchical_median` over draws of processes, and of blocks inside each.

    Args:
        blocks: for each process an array over its blocks.
        confidence: between 0 and 1.
        seed: of the draws.
    """
    random = np.random.default_rng(seed)
    count = len(blocks)
    # For each process what its median may be when its blocks are drawn again; a draw of processes takes from these.
    inner = np.stack([np.median(random.choice(process, size=(_NUM_DRAWS, len(process))), axis=1) for process in blocks])
    processes = random.integers(count, size=(_NUM_DRAWS, count))
    drawn = np.median(inner[processes, random.integers(_NUM_DRAWS, size=(_NUM_DRAWS, count))], axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    # Interpolated percentiles of few distinct values could leave the estimate itself out by a rounding error.
    middle = hierarchical_median(list(blocks))
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


def _runs(process: Sequence[Sequence[int]], kept: Sequence[int]) -> Floats:
    return np.array([sample for index in kept for sample in process[index]], dtype=np.float64)


def _outliers(runs: Sequence[Floats]) -> tuple[int, int]:
    """How many runs lie beyond Tukey's inner fences and within the outer, and how many beyond the outer."""
    mild = severe = 0
    for process in runs:
        low, high = np.quantile(process, [0.25, 0.75])
        out = np.maximum(low - process, process - high)
        severe += int((out > _SEVERE * (high - low)).sum())
        mild += int((out > _MILD * (high - low)).sum())
    return mild - severe, severe


def _autocorrelation(runs: Sequence[Floats]) -> float:
    centred = [process - np.median(process) for process in runs]
    power = sum(float(np.dot(process, process)) for process in centred)
    lagged = sum(float(np.dot(process[:-1], process[1:])) for process in centred)
    return lagged / power if power else 0.0
