"""Strategies over seeds: how far studies of one search were after as many trials, in the median and its quartiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.pareto import Floats
from bench.report.points import Progress

_MOST_PLACES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One sampler.

    Attributes:
        name: of the sampler.
        studies: names of those that ran it.
        tried: architectures tried.
        median, low, high: of the hypervolume by then; low and high are quartiles over the studies.
    """

    name: str
    studies: tuple[str, ...]
    tried: tuple[int, ...]
    median: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def strategies(runs: Mapping[str, Sequence[tuple[str, Progress, int]]]) -> tuple[Strategy, ...]:
    """A strategy a sampler.

    Args:
        runs: by sampler its studies: name, progress against the one corner of all, architectures tried in all.
    """
    return tuple(_strategy(name, found) for name, found in sorted(runs.items()) if found)


def _strategy(name: str, runs: Sequence[tuple[str, Progress, int]]) -> Strategy:
    # As far as all of them went: beyond that the median would be of fewer, which makes it jump.
    last = min(tried for _, _, tried in runs)
    places = np.unique(np.linspace(1, max(last, 1), min(max(last, 1), _MOST_PLACES)).astype(int))
    curves = np.array([_at(progress, places) for _, progress, _ in runs])
    low, median, high = np.quantile(curves, [0.25, 0.5, 0.75], axis=0)
    return Strategy(
        name=name,
        studies=tuple(study for study, _, _ in runs),
        tried=tuple(int(place) for place in places),
        median=tuple(float(value) for value in median),
        low=tuple(float(value) for value in low),
        high=tuple(float(value) for value in high),
    )


def _at(progress: Progress, places: NDArray[np.int64]) -> Floats:
    """The hypervolume after as many trials; 0 before the first step."""
    found = np.searchsorted(np.array(progress.tried), places, side="right")
    return np.concatenate(([0.0], progress.hypervolume))[found]
