"""The front of a study after it was trained again: who is on it, and how sure its scores are.

A front is picked from many noisy scores, so that those on it are there in part by luck: the best of 200 short trainings
scores less when it is trained again. What a study ends with is therefore told by fresh seeds, at the highest fidelity
(Lindauer and Hutter, "Best Practices for Scientific Research on Neural Architecture Search", 2020). Until that is done
its front is provisional.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import pareto
from bench.pareto import Floats

# Student's t: half of a 95 % interval in standard errors, by number of seeds.
_HALF_WIDTHS = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
_OF_MANY = 2.262
# The same on one side, by degrees of freedom of two sets of seeds.
_ONE_SIDED = {2: 2.920, 3: 2.353, 4: 2.132, 5: 2.015, 6: 1.943, 7: 1.895, 8: 1.860, 9: 1.833, 10: 1.812}
_OF_MANY_ONE_SIDED = 1.812

# Of a trial of the provisional front that is not on the final one: it reached the top rung as the dominated did, and
# may lie beyond the attained line, which is drawn at the scores of the search.
FELL_OUT = "fell out when trained again"
_MOST_NAMED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrained:
    """What came of training a trial again.

    Attributes:
        scores: of the seeds that succeeded.
        reasons: why the others did not.
        images_seen: by each.
        seconds: of all.
    """

    scores: tuple[float, ...]
    reasons: tuple[str, ...]
    images_seen: int
    seconds: float

    @property
    def mean(self) -> float:
        """NaN where no seed succeeded."""
        total = 0.0
        for score in self.scores:  # in this order and rounded so, as columns add them up
            total += score
        return total / len(self.scores) if self.scores else math.nan

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the mean over seeds; None where there are not two."""
        if len(self.scores) < 2:
            return None
        error = statistics.stdev(self.scores) / math.sqrt(len(self.scores))
        half = _HALF_WIDTHS.get(len(self.scores), _OF_MANY) * error
        return self.mean - half, self.mean + half

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data."""
        low, high = self.interval or (None, None)
        return {
            "mean": self.mean if self.scores else None,
            "low": low,
            "high": high,
            "scores": list(self.scores),
            "failed": list(self.reasons),
            "images_seen": self.images_seen,
        }


def lower_difference(first: Retrained, second: Retrained) -> float | None:
    """Lower 95 % bound of how much more the first scores than the second: Student's t, one-sided, of two samples with
    one variance. None where either has fewer than two seeds."""
    sizes = len(first.scores), len(second.scores)
    if min(sizes) < 2:
        return None
    freedom = sum(sizes) - 2
    squares = sum(size * statistics.pvariance(found.scores) for size, found in zip(sizes, (first, second), strict=True))
    error = math.sqrt(squares / freedom * sum(1.0 / size for size in sizes))
    return first.mean - second.mean - _ONE_SIDED.get(freedom, _OF_MANY_ONE_SIDED) * error


def num_seeds(config: Mapping[str, Any]) -> int:
    """How often a study trains its front again; 0 where it does not."""
    return int((config.get("retrain") or {}).get("seeds") or 0)


def standing(
    *, is_final: bool, is_trained: bool, is_over: bool, seeds: int, images: int, fell_out: Sequence[int]
) -> str:
    """Whether a front is final or provisional, in words: the same in a terminal, on a page and in a figure.

    Args:
        is_trained: whether the scores of the search come from trainings, which alone can be repeated.
        is_over: whether the study is complete.
        seeds: that it is trained again with when its search is over; 0: it is not.
        images: pictures seen in that.
        fell_out: numbers of the trials of the provisional front that are not on the final one.
    """
    again = "one fresh seed" if seeds == 1 else f"{seeds} fresh seeds"
    if not is_trained:
        return "provisional front: its scores come without a training of these networks"
    if not is_final and seeds and is_over:
        return f"provisional front: no training of it with {again} succeeded"
    if not is_final and seeds:
        return f"provisional front: not yet trained again with {again}"
    if not is_final:
        return "provisional front: not trained again with fresh seeds (bench search --retrain-seeds 3)"
    named = ", ".join(f"#{number}" for number in fell_out[:_MOST_NAMED]) or "none"
    more = f" and {len(fell_out) - _MOST_NAMED} more" if len(fell_out) > _MOST_NAMED else ""
    fallen = f"{named}{more} of the provisional one fell out"
    return f"final front: trained again with {again} at {images:,} pictures; {fallen}"


def final_front(
    values: Floats,
    means: Floats,
    done: NDArray[np.int64],
    *,
    is_provisional: pareto.Mask,
    seeds: int,
    maximise: Sequence[bool],
) -> pareto.Mask | None:
    """Who of a provisional front is on the final one; None until all of it has been trained again, or if none could be.

    Args:
        values: objectives of the trials, shape (n, m), the score first.
        means: over the seeds that succeeded, NaN where none did, shape (n,).
        done: seeds with a result of either kind, shape (n,).
        is_provisional: mask of the front by the scores of the search.
        seeds: that each is trained again with.
    """
    rows = np.flatnonzero(is_provisional)
    if not seeds or not len(rows) or (done[rows] < seeds).any() or np.isnan(means[rows]).all():
        return None
    told = values[rows].copy()
    # Who could not be trained again (a worker died) is no worse for it: the score of the search stands.
    told[:, 0] = np.where(np.isnan(means[rows]), told[:, 0], means[rows])
    mask = np.zeros(len(values), dtype=bool)
    mask[rows[pareto.front(told, maximise=maximise)]] = True
    return mask
