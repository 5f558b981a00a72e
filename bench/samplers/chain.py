"""One quantity over a space, learned from sources of rising worth: earlier tasks, low rungs, the top rung.

Each source is modelled as a share of what the sources before it say, plus a Gaussian process of what they do not say
(Kennedy and O'Hagan, "Predicting the output from a complex computer code when fast approximations are available",
2000, in the recursive form of Le Gratiet and Garnier, 2014). The last source is what is asked for. With a few points of
it the ranking is that of the sources below; with many, its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.samplers.axes import Floats, Ints
from bench.samplers.features import Layout
from bench.samplers.process import Process, fit_kernel

# Points that scales are fitted to, and points that a process holds: the work grows with their cube.
_MOST_FITTED = 256
_MOST_HELD = 1000
# A source is believed to be worth the one below, as surely as if this many points had shown it.
_TRUST = 3.0
# Fewer points of a source than this say where it lies and nothing about how it differs.
_LEAST = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One source: offset + slope * (the chain below) + process."""

    offset: float
    slope: float
    process: Process | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A modelled quantity; see the module."""

    links: tuple[Link, ...]

    @classmethod
    def fit(cls, sources: Sequence[tuple[Floats, Floats]], *, layout: Layout) -> Chain:
        """The model of the last of `sources`: features (n, c) and values (n,) of each, the most important points first.

        Sources without points are left out; one at least has some.
        """
        links: list[Link] = []
        for columns, values in sources:
            if len(values):
                links.append(_link(cls(links=tuple(links)), columns, values, layout=layout))
        return cls(links=tuple(links))

    def predict(self, columns: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation at `columns` (m, c), shape (m,) each."""
        mean, variance = np.zeros(len(columns)), np.zeros(len(columns))
        for link in self.links:
            mean, variance = link.offset + link.slope * mean, link.slope**2 * variance
            if link.process is not None:
                more, deviation = link.process.predict(columns)
                mean, variance = mean + more, variance + deviation**2
        return mean, np.sqrt(variance)

    def mean(self, columns: Floats) -> Floats:
        """The mean alone."""
        mean = np.zeros(len(columns))
        for link in self.links:
            mean = link.offset + link.slope * mean
            if link.process is not None:
                mean = mean + link.process.mean(columns)
        return mean

    def believing(self, columns: Floats) -> Chain:
        """The chain as it would be had `columns` (p, c) scored just what it says: surer there, and the same elsewhere.

        This is the kriging believer of Ginsbourger, Le Riche and Carraro (2010), for points that are being tried.
        """
        if not len(columns):
            return self
        links = []
        for link in self.links:
            process = link.process
            if process is not None:
                process = process.with_more(columns, process.mean(columns))
            links.append(Link(offset=link.offset, slope=link.slope, process=process))
        return Chain(links=tuple(links))


def _link(below: Chain, columns: Floats, values: Floats, *, layout: Layout) -> Link:
    slope, told = 0.0, np.zeros(len(values))
    if below.links:
        told = below.mean(columns)
        away, wanted = told - told.mean(), values - values.mean()
        variance = float(np.var(told)) or 1.0
        slope = max(0.0, float((away @ wanted + _TRUST * variance) / (away @ away + _TRUST * variance)))
    left = values - slope * told
    offset = float(left.mean())
    if len(values) < _LEAST and below.links:
        return Link(offset=offset, slope=slope, process=None)
    fitted, held = chosen(len(values), _MOST_FITTED), chosen(len(values), _MOST_HELD)
    kernel = fit_kernel(columns[fitted], left[fitted] - offset, layout=layout)
    process = Process.of(kernel, columns[held], left[held] - offset, layout=layout)
    return Link(offset=offset, slope=slope, process=process)


def chosen(number: int, most: int) -> Ints:
    """At most `most` of `number` rows that are in order of importance: half the first, half spread over the rest."""
    if number <= most:
        return np.arange(number)
    first = most // 2
    rest = np.linspace(first, number - 1, most - first).round().astype(np.int64)
    found: Ints = np.r_[np.arange(first), rest]
    return found
