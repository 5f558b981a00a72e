"""What a latency model learns from: measured architectures, each once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.errors import MeasureError
from bench.predict.features import Floats
from bench.space import Architecture

# Half of a 95 % interval, in standard deviations.
HALF_WIDTH = 1.959964
# Relative, one standard deviation: ratios of one network in two quick sessions differ by 0.022 * sqrt(2) (26 pairs, 2
# shared vCPUs of an AVX-512 Xeon, 2026). Intervals of three restarts are rough: none is believed to be better.
SESSION_ERROR = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """What was measured, each architecture once.

    Attributes:
        architectures: n different ones.
        latencies_ms: shape (n,).
        noise: relative half-widths of their 95 % intervals, shape (n,); 0 where nothing is known of them.
    """

    architectures: tuple[Architecture, ...]
    latencies_ms: Floats
    noise: Floats

    def __len__(self) -> int:
        return len(self.architectures)

    def part(self, indices: Sequence[int]) -> Observations:
        """Some of them."""
        chosen = list(indices)
        return Observations(
            architectures=tuple(self.architectures[i] for i in chosen),
            latencies_ms=self.latencies_ms[chosen],
            noise=self.noise[chosen],
        )


def observations(
    architectures: Sequence[Architecture],
    latencies_ms: Sequence[float] | Floats,
    noise: Sequence[float] | Floats | None,
) -> Observations:
    """Checked, and repeats of an architecture put together: the mean of logarithms, weighted by certainty.

    Raises:
        MeasureError: lengths that differ, or a latency that is not above zero.
    """
    values = np.asarray(latencies_ms, dtype=np.float64)
    widths = np.zeros_like(values) if noise is None else np.asarray(noise, dtype=np.float64)
    if not len(architectures) == len(values) == len(widths):
        raise MeasureError(
            f"{len(architectures)} architectures, {len(values)} latencies, {len(widths)} noises; "
            "a latency model needs one of each an architecture; give lists of one length"
        )
    is_fine = np.isfinite(values) & (values > 0) & np.isfinite(widths) & (widths >= 0)
    if not is_fine.all():
        worst = int(np.argmin(is_fine))
        raise MeasureError(
            f"latency {values[worst]} ms with noise {widths[worst]}; latencies above 0 and noises of 0 or more are "
            "allowed; leave out what was not measured"
        )
    return _merged(architectures, values, widths)


def random_parts(count: int, number: int, *, seed: int) -> list[list[int]]:
    """The indices below `count` in `number` random parts of nearly equal size, or in `count` parts of one."""
    order = np.random.default_rng(seed).permutation(count).tolist()
    return [sorted(order[i::number]) for i in range(min(number, count))]


def _merged(architectures: Sequence[Architecture], values: Floats, widths: Floats) -> Observations:
    places: dict[Architecture, list[int]] = {}
    for i, architecture in enumerate(architectures):
        places.setdefault(architecture, []).append(i)
    certainty = 1 / ((widths / HALF_WIDTH) ** 2 + SESSION_ERROR**2)
    groups = list(places.values())
    return Observations(
        architectures=tuple(places),
        latencies_ms=np.array([math.exp(np.average(np.log(values[g]), weights=certainty[g])) for g in groups]),
        noise=np.array([np.average(widths[g], weights=certainty[g]) / math.sqrt(len(g)) for g in groups]),
    )
