"""Successive halving that respects every objective.

Asynchronous promotion (Li et al., "A System for Massively Parallel Hyperparameter Tuning", 2020) with three changes.
Nobody goes on while one in `reduction` of a rung has (delayed promotion, Li et al., "Hyper-Tune", 2022): else each new
best takes a place that another has used already, and over 200 candidates a quarter instead of a ninth is trained to
the top of three rungs. The order at a rung is by non-dominated rank and spread over (accuracy so far, costs) instead of
by accuracy, which would stop every small, fast network. And when nothing new is left to try, whatever is on the front
of its rung goes on: a network on the front of (accuracy so far, cost) is never stopped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench import pareto

_BEYOND = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One rung: pictures seen there, and the objective values of each trial that reached it.

    Attributes:
        images: pictures seen.
        values: by trial number, in the order of arrival.
        promoted: numbers that went on to the next rung.
    """

    images: int
    values: Mapping[int, tuple[float, ...]]
    promoted: frozenset[int]


def rung_images(images: int, *, rungs: int, reduction: float, batch_size: int) -> tuple[int, ...]:
    """Pictures seen at each rung, the lowest first; whole batches, strictly rising."""
    sizes: list[int] = []
    for level in range(rungs):
        steps = max(1, round(images / reduction ** (rungs - 1 - level) / batch_size))
        if not sizes or steps * batch_size > sizes[-1]:
            sizes.append(steps * batch_size)
    return tuple(sizes)


def next_promotion(
    rungs: Sequence[Rung], *, maximise: Sequence[bool], reduction: float, is_last_call: bool
) -> tuple[int, int] | None:
    """The trial to train on and the rung it goes to, or None.

    Args:
        rungs: the lowest first; nothing is promoted from the last.
        is_last_call: nothing new will be tried, so the front of each rung goes on, the lowest rung first, so that a
            front is known before it is used. Before that, one in `reduction` of those that reached a rung goes on,
            the highest rung first.
    """
    levels = range(len(rungs) - 1)
    for level in levels if is_last_call else reversed(levels):
        rung = rungs[level]
        # By number, so that the order in which jobs happened to end decides no tie.
        numbers = sorted(rung.values)
        points = [rung.values[number] for number in numbers]
        if is_last_call:
            chosen = [numbers[row] for row in _front_adding_most(rung, numbers, points, maximise)]
        else:
            places = int(len(numbers) / reduction)
            if sum(number in rung.promoted for number in numbers) >= places:
                continue
            order = pareto.best_first(points, maximise=maximise)
            chosen = [numbers[row] for row in order[:places]]
        waiting = [number for number in chosen if number not in rung.promoted]
        if waiting:
            return waiting[0], level + 1
    return None


def _front_adding_most(
    rung: Rung, numbers: Sequence[int], points: Sequence[tuple[float, ...]], maximise: Sequence[bool]
) -> list[int]:
    """Rows of the front that have not gone on; first the one that adds most hypervolume to those that have.

    The volume is that over the worst values of the rung and a tenth of its range beyond them, so that the ends of the
    front count. A search that is ended early, or looked at meanwhile, then has most of the front: on tables, after the
    same cost, 0.01 to 0.02 more of the whole volume than with those first that stand alone.
    """
    values = np.array(points, dtype=np.float64).reshape(-1, len(maximise))
    front = pareto.front(values, maximise=maximise)
    waiting = [row for row in np.flatnonzero(front).tolist() if numbers[row] not in rung.promoted]
    if len(waiting) < 2:
        return waiting
    gone = [row for row, number in enumerate(numbers) if number in rung.promoted]
    low, high = values.min(axis=0), values.max(axis=0)
    beyond = _BEYOND * (high - low)
    worst = np.where(np.array(maximise), low - beyond, high + beyond)
    volume = {row: pareto.hypervolume(values[[*gone, row]], worst, maximise=maximise) for row in waiting}
    return sorted(waiting, key=lambda row: (-volume[row], row))
