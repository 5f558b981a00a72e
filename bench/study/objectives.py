"""What a study optimises: names, directions and how a trial's figures become objective values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench.errors import ConfigError, nearest
from bench.store import ACCURACY, LATENCY, SCORES, SUPERNET, ZERO_COST, is_latency, latency_figure

if TYPE_CHECKING:
    from bench.study.config import StudyConfig


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
        Objective(name=ACCURACY, maximise=True, is_measured=True, unit="top-1"),
        Objective(name=ZERO_COST, maximise=True, is_measured=False, unit="score"),
        Objective(name=SUPERNET, maximise=True, is_measured=False, unit="top-1"),
        Objective(name=LATENCY, maximise=False, is_measured=True, unit="ms"),
        Objective(name="params_m", maximise=False, is_measured=False, unit="M"),
        Objective(name="macs_g", maximise=False, is_measured=False, unit="G"),
        Objective(name="artifact_mb", maximise=False, is_measured=False, unit="MB"),
    )
}
ALIASES = {
    "zero-cost": ZERO_COST,
    "latency": LATENCY,
    "params": "params_m",
    "macs": "macs_g",
    "artifact": "artifact_mb",
    "size": "artifact_mb",
}

# Score -> the --proxy that gives it; every other study scores by accuracy.
_PROXIES = {ZERO_COST: "zero-cost", SUPERNET: "supernet"}


def parse_objectives(
    names: Sequence[str], *, runners: Sequence[str] = (), score: str = ACCURACY
) -> tuple[Objective, ...]:
    """Objectives by name or short name, the score first.

    Args:
        names: of the user; accuracy stands for whatever the study scores by, `latency:NAME` is that on one runner.
        runners: where candidates are timed; with several, latency is one objective a runner.
        score: of `SCORES`: what candidates are scored by.

    Raises:
        ConfigError: an unknown or repeated name, the score missing, or nothing beside it.
    """
    found: list[Objective] = []
    for name in names:
        word, _, runner = name.partition(":")
        full = ALIASES.get(word, word)
        if full not in OBJECTIVES or (runner and full != LATENCY):
            known = [*OBJECTIVES, *ALIASES, f"{LATENCY}:RUNNER"]
            raise ConfigError(f"unknown objective {name!r}; known: {', '.join(known)}{nearest(name, known)}")
        if runner and runners and runner not in runners:
            raise ConfigError(
                f"objective {name!r}; the study is timed on {', '.join(runners)}; add --runner {runner}, or name one "
                "of these"
            )
        if full in SCORES and full not in (ACCURACY, score):
            scored = "trains its candidates" if score == ACCURACY else f"has --proxy {_PROXIES[score]}"
            raise ConfigError(
                f"objective {name!r}; a study that {scored} scores them by {score}; name that, or add "
                f"--proxy {_PROXIES[full]}"
            )
        objective = OBJECTIVES[score if full in SCORES else full]
        found += _on_each(objective, (runner,) if runner else runners, runners)
    if len(set(found)) < len(found):
        raise ConfigError(f"objectives {', '.join(names)} repeat one; each may stand once; remove the second")
    if OBJECTIVES[score] not in found or len(found) < 2:
        raise ConfigError(
            f"objectives {', '.join(names) or 'none'}; a search needs {score} and at least one cost "
            f"({', '.join(name for name in OBJECTIVES if name not in SCORES)}); add them"
        )
    unread = set(latencies_of(runners, runners)) - {objective.name for objective in found}
    if unread and is_timed(found):
        raise ConfigError(
            f"objectives {', '.join(names)} leave out {', '.join(sorted(unread))}, which is measured all the same; "
            "name it too, or leave its runner out"
        )
    return tuple(sorted(found, key=lambda objective: objective.name not in SCORES))


def latencies_of(wanted: Sequence[str], runners: Sequence[str]) -> tuple[str, ...]:
    """Names of the latencies on some of the runners of a study."""
    return tuple(dict.fromkeys(latency_figure(runner, runners) for runner in wanted))


def study_objectives(config: StudyConfig) -> tuple[Objective, ...]:
    """The objectives of a study, its score first; errors as for `parse_objectives`."""
    score = next((name for name, kind in _PROXIES.items() if kind == config.proxy.kind), ACCURACY)
    return parse_objectives(config.objectives, runners=config.timing.names, score=score)


def is_timed(objectives: Iterable[Objective]) -> bool:
    """Whether a latency is among them."""
    return any(is_latency(objective.name) for objective in objectives)


def directions(objectives: Sequence[Objective]) -> tuple[bool, ...]:
    """`maximise` flags, as `bench.pareto` takes them."""
    return tuple(objective.maximise for objective in objectives)


def values(objectives: Sequence[Objective], figures: Mapping[str, float]) -> tuple[float, ...]:
    """One value an objective, NaN where the figure is not known yet."""
    return tuple(float(figures.get(objective.name, math.nan)) for objective in objectives)


def _on_each(objective: Objective, wanted: Sequence[str], runners: Sequence[str]) -> tuple[Objective, ...]:
    if objective.name != LATENCY:
        return (objective,)
    return tuple(replace(objective, name=name) for name in latencies_of(wanted, runners)) or (objective,)
