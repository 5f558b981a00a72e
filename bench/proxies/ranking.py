"""How well one score ranks networks as another does: Kendall's tau with its interval, and the difference of two.

Tau-b (Kendall 1945): of all pairs of networks the share that both order alike minus the share that they order
differently, pairs that one of them ties left out of its side. 1: the same order; 0: none to be seen. With a tau of 0.7
without ties 85 % of all pairs stand in the same order.

Intervals are of the bootstrap over networks (Efron 1979; percentiles): as if other networks had been drawn from the
same space. Where two scores are compared with one truth, both are drawn together, so that what the networks have in
common does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

DRAWS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure over networks with its 95 % interval.

    Attributes:
        value: NaN where nothing can be told (a score that is the same for all, or fewer than two networks).
        low, high: of the interval; NaN with it.
        networks: behind it.
    """

    value: float
    low: float
    high: float
    networks: int

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def kendall(first: ArrayLike, second: ArrayLike) -> float:
    """Tau-b of two scores of the same networks; NaN where one of them is the same for all."""
    signs = _signs(first)
    return float(_taus(signs, _signs(second), np.ones((1, len(signs))))[0])


def tau(scores: ArrayLike, truth: ArrayLike, *, seed: int = 0, draws: int = DRAWS) -> Estimate:
    """Tau of a score and the truth, both (n,); or the mean over several (k, n), such as trainings of k seeds."""
    rows, true = [_signs(row) for row in _rows(scores)], _signs(truth)
    return _estimate(lambda drawn: _mean([_taus(row, true, drawn) for row in rows]), len(true), seed, draws)


def tau_between(scores: ArrayLike, *, seed: int = 0, draws: int = DRAWS) -> Estimate:
    """The mean tau over all pairs of the rows of `scores` (k, n), such as trainings of k seeds: the noise ceiling."""
    rows = [_signs(row) for row in _rows(scores)]
    pairs = [(a, b) for place, a in enumerate(rows) for b in rows[place + 1 :]]
    return _estimate(lambda drawn: _mean([_taus(a, b, drawn) for a, b in pairs]), len(rows[0]), seed, draws)


def tau_gain(score: ArrayLike, baseline: ArrayLike, truth: ArrayLike, *, seed: int = 0, draws: int = DRAWS) -> Estimate:
    """The tau of a score minus that of a baseline, both with the same truth and over the same draws of networks."""
    first, second, true = _signs(score), _signs(baseline), _signs(truth)
    return _estimate(lambda drawn: _taus(first, true, drawn) - _taus(second, true, drawn), len(true), seed, draws)


def beside_size(scores: ArrayLike, sizes: ArrayLike) -> Floats:
    """What is left of scores (n,) when a straight line over the logarithm of sizes (n,) is taken away.

    Two scores that rank networks of one size alike agree in this; two that both follow size alone do not.
    """
    values, logs = np.asarray(scores, dtype=np.float64), np.log(np.asarray(sizes, dtype=np.float64))
    away = logs - logs.mean()
    spread = float(away @ away)
    slope = float(away @ values) / spread if spread > 0 else 0.0
    left: Floats = values - values.mean() - slope * away
    # What lies on the line is tied, and not ordered by rounding.
    left[np.abs(left) <= 1e-12 * np.abs(values).max(initial=0.0)] = 0.0
    return left


def _estimate(statistic: Callable[[Floats], Floats], n: int, seed: int, draws: int) -> Estimate:
    """A figure of networks as often as the rows of (draws, n) say, in the mean over all and in draws of as many."""
    value = float(statistic(np.ones((1, n)))[0])
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1.0 / n), size=draws).astype(np.float64)
    found = np.array([]) if np.isnan(value) else statistic(drawn)
    # A draw of one network many times, or of equal ones, tells nothing.
    found = found[~np.isnan(found)]
    if not len(found):
        return Estimate(value=float("nan"), low=float("nan"), high=float("nan"), networks=n)
    low, high = np.quantile(found, [0.025, 0.975])
    return Estimate(value=value, low=float(low), high=float(high), networks=n)


def _rows(scores: ArrayLike) -> Floats:
    return np.atleast_2d(np.asarray(scores, dtype=np.float64))


def _signs(scores: ArrayLike) -> Floats:
    """(n, n): the order of every two networks, 0 where they are tied."""
    values = np.asarray(scores, dtype=np.float64)
    return np.sign(values[:, None] - values[None, :])


def _taus(first: Floats, second: Floats, drawn: Floats) -> Floats:
    """Tau-b for each row w of (draws, n), which says how often each network is there.

    With the order of every two networks as A and B: w'(A * B)w over the root of w'|A|w times w'|B|w.
    """

    def pairs(matrix: Floats) -> Floats:
        total: Floats = ((drawn @ matrix) * drawn).sum(axis=1)
        return total

    untied = pairs(np.abs(first)) * pairs(np.abs(second))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = pairs(first * second) / np.sqrt(untied)
    return found


def _mean(found: Sequence[Floats]) -> Floats:
    return np.asarray(np.mean(found, axis=0)) if found else np.array([np.nan])
