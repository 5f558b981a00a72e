"""What a study optimises: names, directions and how a trial's figures become objective values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.errors import ConfigError, nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One objective: where its value comes from and which way is better.

    Attributes:
        name: as in tables, flags and the store.
        maximise: whether more is better.
        is_measured: False for what is exact once the architecture is known.
        unit: for headings.
    """

    name: str
    maximise: bool
    is_measured: bool
    unit: str


OBJECTIVES: dict[str, Objective] = {
    objective.name: objective
    for objective in (
        Objective(name="accuracy", maximise=True, is_measured=True, unit="top-1"),
        Objective(name="latency_ms", maximise=False, is_measured=True, unit="ms"),
        Objective(name="params_m", maximise=False, is_measured=False, unit="M"),
        Objective(name="macs_g", maximise=False, is_measured=False, unit="G"),
        Objective(name="artifact_mb", maximise=False, is_measured=False, unit="MB"),
    )
}
ALIASES = {
    "latency": "latency_ms",
    "params": "params_m",
    "macs": "macs_g",
    "artifact": "artifact_mb",
    "size": "artifact_mb",
}


def parse_objectives(names: Sequence[str]) -> tuple[Objective, ...]:
    """Objectives by name or short name, accuracy first.

    Raises:
        ConfigError: an unknown or repeated name, accuracy missing, or nothing beside it.
    """
    found = []
    for name in names:
        full = ALIASES.get(name, name)
        if full not in OBJECTIVES:
            known = [*OBJECTIVES, *ALIASES]
            raise ConfigError(f"unknown objective {name!r}; known: {', '.join(known)}{nearest(name, known)}")
        found.append(OBJECTIVES[full])
    if len(set(found)) < len(found):
        raise ConfigError(f"objectives {', '.join(names)} repeat one; each may stand once; remove the second")
    if OBJECTIVES["accuracy"] not in found or len(found) < 2:
        raise ConfigError(
            f"objectives {', '.join(names) or 'none'}; a search needs accuracy and at least one cost "
            f"({', '.join(list(OBJECTIVES)[1:])}); add them"
        )
    return tuple(sorted(found, key=lambda objective: objective.name != "accuracy"))


def directions(objectives: Sequence[Objective]) -> tuple[bool, ...]:
    """`maximise` flags, as `bench.pareto` takes them."""
    return tuple(objective.maximise for objective in objectives)


def values(objectives: Sequence[Objective], figures: Mapping[str, float]) -> tuple[float, ...]:
    """One value an objective, NaN where the figure is not known yet."""
    return tuple(float(figures.get(objective.name, math.nan)) for objective in objectives)
