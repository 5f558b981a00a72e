"""A Gaussian process over grouped columns, with one length scale a group.

The kernel is amplitude * exp(-sum over groups of theta_g * d_g(x, y)), d_g the squared distance in the columns of group
g: on indicator columns the Hamming kernel with a scale a choice, on numbers the squared exponential (Rasmussen and
Williams, "Gaussian Processes for Machine Learning", 2006, chapters 2 and 5). Scales, amplitude and noise are those of
largest posterior density, with log-normal priors, found by L-BFGS with exact gradients: always from the same start, so
that the same observations give the same model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, solve_triangular
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

from bench.samplers.axes import Floats, Ints
from bench.samplers.features import Layout

_JITTER = 1e-8
_NOISE, _NOISE_SPREAD = 1e-2, 1.5  # of the variance; it is learned, so it may be off by a factor of 20
# How much of what alike points do not explain is the point's own, and not luck when it was tried: told once each, they
# cannot be told apart.
_LOCAL = 0.5
_SAME = 1e-9  # squared distance, of two rows for one point
_SPREAD = 1.0  # of logarithms of theta and of the amplitude
_STEPS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """Hyperparameters of a process.

    Attributes:
        theta: inverse squared length scale of each group, shape (g,).
        amplitude: prior variance of what alike points share.
        local: variance of what is a point's own, however alike others are.
        noise: variance of what is told around the truth.
    """

    theta: Floats
    amplitude: float
    local: float
    noise: float

    def __call__(self, first: Floats, second: Floats, layout: Layout) -> Floats:
        """Covariances, shape (n, m)."""
        weights = np.sqrt(self.theta[layout.groups])
        a, b = first * weights, second * weights
        squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)
        # In place: of a whole space this is the largest array there is.
        squares -= 2.0 * (a @ b.T)
        is_same = squares < _SAME
        np.maximum(squares, 0.0, out=squares)
        np.negative(squares, out=squares)
        np.exp(squares, out=squares)
        squares *= self.amplitude
        squares[is_same] += self.local
        found: Floats = squares
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A Gaussian process that has seen `values` at `columns`; mean 0 where it knows nothing."""

    kernel: Kernel
    layout: Layout
    columns: Floats
    values: Floats
    factor: Floats
    weights: Floats

    @classmethod
    def of(cls, kernel: Kernel, columns: Floats, values: Floats, *, layout: Layout) -> Process:
        """The posterior of given hyperparameters, of `values` (n,) at `columns` (n, c)."""
        covariance = kernel(columns, columns, layout)
        covariance[np.diag_indices_from(covariance)] += kernel.noise + _JITTER * (1.0 + kernel.amplitude)
        factor = np.linalg.cholesky(covariance).astype(np.float64, copy=False)
        weights = cho_solve((factor, True), values, check_finite=False)
        return cls(kernel=kernel, layout=layout, columns=columns, values=values, factor=factor, weights=weights)

    def with_more(self, columns: Floats, values: Floats) -> Process:
        """The same process having also seen `values` (p,) at `columns` (p, c)."""
        return Process.of(
            self.kernel, np.vstack([self.columns, columns]), np.r_[self.values, values], layout=self.layout
        )

    def predict(self, columns: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the truth (without noise) at `columns` (m, c), shape (m,) each."""
        across = self.kernel(self.columns, columns, self.layout)
        mean: Floats = self.weights @ across
        explained = solve_triangular(self.factor, across, lower=True, check_finite=False, overwrite_b=True)
        variance = self.kernel.amplitude + self.kernel.local - np.einsum("ij,ij->j", explained, explained)
        return mean, np.sqrt(np.maximum(variance, 1e-12 * self.kernel.amplitude))

    def mean(self, columns: Floats) -> Floats:
        """The mean alone, which is much cheaper."""
        found: Floats = self.kernel(columns, self.columns, self.layout) @ self.weights
        return found


def fit_kernel(columns: Floats, values: Floats, *, layout: Layout) -> Kernel:
    """The hyperparameters of largest posterior density.

    Args:
        columns: shape (n, c).
        values: shape (n,), of about unit variance.
        layout: of the columns.
    """
    theta = layout.theta
    apart = _squares(columns, layout.groups, num_groups=len(theta))
    middle = np.log(np.r_[theta, 1.0, _NOISE])
    spread = np.r_[np.full(len(theta) + 1, _SPREAD), _NOISE_SPREAD]
    num, flat = len(values), apart.reshape(len(theta), -1)

    def loss(logs: Floats) -> tuple[float, Floats]:
        """Negative log posterior density and its gradient (their equations 5.8 and 5.9)."""
        scales, amplitude, noise = np.exp(logs[:-2]), np.exp(logs[-2]), np.exp(logs[-1])
        signal = amplitude * np.exp(-(scales @ flat)).reshape(num, num)
        covariance = signal.copy()
        covariance[np.diag_indices(num)] += noise + _JITTER * (1.0 + amplitude)
        factor = np.linalg.cholesky(covariance)
        # From the factor, which takes a third of the time of solving for the columns of an identity matrix.
        lower, _ = dpotri(factor, lower=True)
        inverse = lower + np.tril(lower, -1).T
        weights = inverse @ values
        away = (logs - middle) / spread
        density = 0.5 * values @ weights + np.log(np.diag(factor)).sum() + 0.5 * away @ away
        push = 0.5 * (inverse - np.outer(weights, weights))
        pull = push * signal
        gradient = np.r_[-scales * (flat @ pull.ravel()), pull.sum(), noise * np.trace(push)]
        return float(density), gradient + away / spread

    bounds = list(zip(middle - 4 * spread, middle + 4 * spread, strict=True))
    found = minimize(loss, middle, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _STEPS}).x
    amplitude, unexplained = np.exp(found[-2:]).tolist()
    return Kernel(
        theta=np.exp(found[:-2]), amplitude=amplitude, local=_LOCAL * unexplained, noise=(1.0 - _LOCAL) * unexplained
    )


def _squares(columns: Floats, groups: Ints, *, num_groups: int) -> Floats:
    """Squared distances of the rows in each group of columns, shape (g, n, n)."""
    found = np.empty((num_groups, len(columns), len(columns)))
    for group in range(num_groups):
        part = columns[:, groups == group]
        squares = (part * part).sum(axis=1)
        found[group] = np.maximum(squares[:, None] + squares - 2.0 * (part @ part.T), 0.0)
    return found
