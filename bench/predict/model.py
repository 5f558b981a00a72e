"""Predicts the latency of an architecture on one runner from what was measured there; never reported as measured.

Two parts, the second on what the first leaves:

1. A price a column of `features.py`, none below zero, that minimises the squared relative error (non-negative least
   squares, Lawson and Hanson 1974): a lookup table by class of operator whose entries are learned from whole
   networks, so that no runner has to time single operators.
2. A Gaussian process on the logarithm of what is left (Matern 5/2 and white noise, Rasmussen and Williams 2006), for
   what does not add up, and for how sure a prediction is. It learns from errors on networks that the prices were not
   fitted to: errors on the others are too small.

The 90 % interval is where the next measurement of the same kind would fall, its noise included. Its width is scaled
such that the intervals of the training networks, each left out in turn, hold 90 % of them (in the way of normalised
conformal prediction, Lei et al. 2018).

A model is its data: `to_dict` holds what was measured, and `from_dict` fits again, to the same model.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import cho_solve
from scipy.optimize import nnls

from bench.errors import MeasureError
from bench.predict.features import FEATURES, Floats, features
from bench.predict.observations import HALF_WIDTH, Observations, observations, random_parts
from bench.space import Architecture

if TYPE_CHECKING:
    from sklearn.gaussian_process import GaussianProcessRegressor

MIN_ARCHITECTURES = 10
CONFIDENCE = 0.9

# Relative error that prices alone are thought to make: what was measured better than that gets no more weight.
_PRICE_ERROR = 0.02
_FOLDS = 10
# Keeps logarithms finite where nothing that a network has got a price; far below all that was measured.
_LEAST_SHARE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Latencies of some architectures, in their order.

    Attributes:
        ms: as likely too high as too low.
        low_ms: lower end of the 90 % interval of a measurement.
        high_ms: upper end.
    """

    ms: Floats
    low_ms: Floats
    high_ms: Floats


class LatencyModel:
    """A fitted model of one runner; made by `fit`."""

    def __init__(self, known: Observations, seed: int) -> None:
        self._known = known
        self._seed = seed
        # Unit-free from here on, so that a fast and a slow runner are fitted alike.
        self._unit_ms = float(np.median(known.latencies_ms))
        columns = features(known.architectures)
        values, noise = known.latencies_ms / self._unit_ms, known.noise / HALF_WIDTH
        self._prices = _prices(columns, values, noise)
        self._scale = _Scale.of(columns)
        left = _left_out_of_fold(columns, values, noise, seed=seed)
        # The variance of a measurement of the usual quality, beyond what the process finds by itself.
        self._usual_variance = float(np.median(noise)) ** 2
        self._process = _process(self._scale(columns), left, noise, seed=seed)
        self._width = _conformal_width(self._process, left, noise**2, self._usual_variance)

    @classmethod
    def fit(
        cls,
        architectures: Sequence[Architecture],
        latencies_ms: Sequence[float] | Floats,
        *,
        noise: Sequence[float] | Floats | None = None,
        seed: int = 0,
    ) -> LatencyModel:
        """The model of latencies that were measured under the same conditions.

        Args:
            architectures: repeats are allowed.
            latencies_ms: of each; any unit that is the same for all of them.
            noise: relative half-widths of their 95 % intervals; None: all alike.
            seed: of the folds.

        Raises:
            MeasureError: fewer than `MIN_ARCHITECTURES` different architectures, or values that cannot be.
            NetworkError: a family without features.
        """
        return cls.of(observations(architectures, latencies_ms, noise), seed=seed)

    @classmethod
    def of(cls, known: Observations, *, seed: int = 0) -> LatencyModel:
        """As `fit`, for what was checked before."""
        if len(known) < MIN_ARCHITECTURES:
            raise MeasureError(
                f"{len(known)} measured architectures; a latency model needs {MIN_ARCHITECTURES} or more, and is "
                "good from about 60 on; measure some with `bench calibrate`"
            )
        return cls(known, seed)

    def __len__(self) -> int:
        """How many architectures it has learned from."""
        return len(self._known)

    @property
    def prices(self) -> Mapping[str, float]:
        """Milliseconds a unit of each column of `FEATURES`; correlated columns share one price as it falls."""
        return dict(zip(FEATURES, (self._prices * self._unit_ms).tolist(), strict=True))

    def predict(self, architectures: Sequence[Architecture]) -> Prediction:
        """Milliseconds with 90 % intervals; takes about 0.4 ms an architecture, most of it to count operators."""
        if not architectures:
            none = np.zeros(0)
            return Prediction(ms=none, low_ms=none, high_ms=none)
        columns = features(architectures)
        mean, deviation = self._process.predict(self._scale(columns), return_std=True)
        middle = np.log(_told(columns, self._prices)) + mean
        half = self._width * np.sqrt(deviation**2 + self._usual_variance)
        low, ms, high = (self._unit_ms * np.exp(middle + sign * half) for sign in (-1, 0, 1))
        return Prediction(ms=ms, low_ms=low, high_ms=high)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data: what it was fitted to."""
        return {
            "architectures": [architecture.to_dict() for architecture in self._known.architectures],
            "latencies_ms": self._known.latencies_ms.tolist(),
            "noise": self._known.noise.tolist(),
            "seed": self._seed,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LatencyModel:
        """The model that `to_dict` was called on, fitted again.

        Raises:
            MeasureError: a key is missing, or as `fit`.
        """
        try:
            architectures = [Architecture.from_dict(mapping) for mapping in data["architectures"]]
            return cls.fit(architectures, data["latencies_ms"], noise=data["noise"], seed=int(data["seed"]))
        except KeyError as error:
            raise MeasureError(
                f"a latency model without {error}; architectures, latencies_ms, noise and seed are needed; fit it again"
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """Logarithms of columns, centred and scaled over the training networks."""

    least: Floats
    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, columns: Floats) -> _Scale:
        # Where a column is 0 in some networks its logarithm tells apart those that have it from those that do not.
        least = 1e-3 * columns.mean(axis=0) + np.finfo(np.float64).tiny
        logs = np.log(columns + least)
        spread = logs.std(axis=0)
        return cls(least=least, mean=logs.mean(axis=0), deviation=np.where(spread > 1e-9, spread, np.inf))

    def __call__(self, columns: Floats) -> Floats:
        scaled: Floats = (np.log(columns + self.least) - self.mean) / self.deviation
        return scaled


def _prices(columns: Floats, values: Floats, noise: Floats) -> Floats:
    """The prices of least squared relative error, each network weighted by how well it was measured."""
    weights = 1 / np.sqrt(noise**2 + _PRICE_ERROR**2)
    rows = columns * (weights / values)[:, None]
    scale = np.sqrt((rows**2).mean(axis=0))
    scale[scale == 0] = np.inf  # nothing to learn from: no price
    found: Floats = nnls(rows / scale, weights)[0] / scale
    return found


def _told(columns: Floats, prices: Floats) -> Floats:
    """What prices alone say, in the model's unit."""
    told: Floats = np.maximum(columns @ prices, _LEAST_SHARE)
    return told


def _left_out_of_fold(columns: Floats, values: Floats, noise: Floats, *, seed: int) -> Floats:
    """Logarithms of measured over told, each by prices that were fitted without it."""
    left = np.empty_like(values)
    for held in random_parts(len(values), _FOLDS, seed=seed):
        rest = np.setdiff1d(np.arange(len(values)), held)
        prices = _prices(columns[rest], values[rest], noise[rest])
        left[held] = np.log(values[held] / _told(columns[held], prices))
    return left


def _process(points: Floats, left: Floats, noise: Floats, *, seed: int) -> GaussianProcessRegressor:
    # Imported here: it takes as long as everything else of a short command.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    # Amplitudes are variances of logarithms, so about squares of relative errors. Standardised points lie some
    # sqrt(2 * columns) apart; a length far above that is a slope.
    far = math.sqrt(points.shape[1])
    matern = Matern(length_scale=3 * far, length_scale_bounds=(0.3 * far, 100 * far), nu=2.5)
    kernel = ConstantKernel(1e-3, (1e-6, 1.0)) * matern + WhiteKernel(4e-4, (1e-6, 1.0))
    process = GaussianProcessRegressor(kernel, alpha=noise**2 + 1e-10, random_state=seed)
    with warnings.catch_warnings():
        # A parameter at its bound is an answer here: that nothing is left to learn, or no noise.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return process.fit(points, left)


def _conformal_width(
    process: GaussianProcessRegressor, left: Floats, variances: Floats, usual_variance: float
) -> float:
    """Standard deviations within which the wanted share of the training networks lies, each left out in turn.

    Leaving one out of a Gaussian process has a closed form (Rasmussen and Williams 2006, equations 5.10 to 5.12).
    Each is judged as a network to come is, of which it is not known how well it will be measured.
    """
    inverse = cho_solve((process.L_, True), np.eye(len(left)))
    precisions = np.diag(inverse)
    errors = np.abs(inverse @ left) / precisions
    deviations = np.sqrt(np.maximum(1 / precisions - variances, 0) + usual_variance)
    rank = min(math.ceil(CONFIDENCE * (len(left) + 1)), len(left))
    return float(np.sort(errors / deviations)[rank - 1])
