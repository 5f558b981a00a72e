"""One score of two: NASWOT and multiply-adds.

Judged by short trainings of 40 networks of the FastViT space (results/measured/xeon-2cpu/zero_cost_value.json), NASWOT
is the only look without training that ranks at least as well as multiply-adds do, and none ranks better. SynFlow, which
is part of good sums of ranks on NAS-Bench-201, is worse than multiply-adds there, and among networks of one size the
wrong way round (tau -0.46). It likes depth, which may pay only later: with trainings of 12 networks that are twice
as long its tau is -0.2 and -0.1, which may be 0 (short_training_value.json); longer ones were not measured.

What the score of a study is told by is stored with the study, and is all that its later scores read: a study that began
with other parts keeps them.

Ranks need all networks at once; a search sees one after the other. So each part is told by where it lies among a few
networks drawn from the space, smoothly: the normal distribution function of its distance to their median, in units of
their spread (the interquartile range, as a standard deviation). The score is the mean of the two, between 0 and 1.
It is no accuracy.

That score follows size. Where a search is to leave out what looks hopeless before it is trained, small networks are not
to be left out for being small. There NASWOT is told by how far it lies above what is usual for a network of that many
multiply-adds: a straight line over their logarithm, through networks drawn from the space.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from bench.errors import SearchError

PARTS = ("naswot", "macs_g")
_AT_SIZE = ("naswot",)

# Median and spread of each part.
Standards = Mapping[str, tuple[float, float]]

# Slope and intercept over the logarithm of multiply-adds, and spread about that line, of each part.
SizeStandards = Mapping[str, tuple[float, float, float]]

_QUARTILES = 1.349  # interquartile range of a normal distribution of deviation 1


def standards_of(drawn: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """Where each part lies among the features of networks that were drawn from the space.

    Raises:
        SearchError: a part is not finite for any of them.
    """
    found = {}
    for name in PARTS:
        values = np.array([_told(name, features[name]) for features in drawn])
        values = values[np.isfinite(values)]
        if not len(values):
            raise SearchError(
                f"{name} is not finite for any of {len(drawn)} networks of the space; a zero-cost score needs it; "
                "search this space with short trainings"
            )
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        found[name] = (float(middle), float(high - low) / _QUARTILES)
    return found


def combine(features: Mapping[str, float], standards: Standards) -> float:
    """The score of a network between 0 and 1; 0.5 is usual for the space. NaN where a part is."""
    return sum(_place(_told(name, features[name]), *found) for name, found in standards.items()) / len(standards)


def size_standards_of(drawn: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float, float]]:
    """Where each part lies at each size among the features of networks that were drawn from the space.

    Raises:
        SearchError: a part is not finite for any of them.
    """
    found = {}
    for name in _AT_SIZE:
        rows = [each for each in drawn if math.isfinite(each[name])]
        if not rows:
            raise SearchError(
                f"{name} is not finite for any of {len(drawn)} networks of the space; a zero-cost score needs it; "
                "leave the constraint out"
            )
        sizes, values = np.log([each["macs_g"] for each in rows]), np.array([each[name] for each in rows])
        slope, middle = np.polyfit(sizes, values, 1) if np.ptp(sizes) > 0 else (0.0, np.median(values))
        low, high = np.quantile(values - (middle + slope * sizes), [0.25, 0.75])
        found[name] = (float(slope), float(middle), float(high - low) / _QUARTILES)
    return found


def combine_at_size(features: Mapping[str, float], standards: SizeStandards) -> float:
    """How a network looks beside others of its size, between 0 and 1; 0.5 is usual. NaN where a part is."""
    size, places = math.log(features["macs_g"]), []
    for name, (slope, middle, spread) in standards.items():
        places.append(_place(features[name], middle + slope * size, spread))
    return sum(places) / len(places)


def _told(name: str, value: float) -> float:
    # Sizes span orders of magnitude as the flow does, which is a logarithm already.
    return math.log(value) if name == "macs_g" else value


def _place(value: float, middle: float, spread: float) -> float:
    if spread <= 0:
        # All that were drawn are alike in this; what is not is better or worse, by how much cannot be told.
        return 0.5 if value == middle else float(value > middle)
    return 0.5 * (1.0 + math.erf((value - middle) / spread / math.sqrt(2.0)))
