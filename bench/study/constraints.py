"""What a search demands of the networks that it ends with: `--constraint "latency_ms<=12"`.

What is known without trying anything (parameters, multiply-adds, memory) becomes a rule of the space: such a network is
not built at all. What has to be built, timed or trained is told to the sampler with each trial, as its excess over the
bound, so that it models where networks are feasible (Gardner et al., "Bayesian Optimization with Inequality
Constraints", 2014). A candidate whose file, zero-cost score or latency breaks a constraint is not trained, as soon as
that is known, and none that breaks one is on the front.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.errors import ConfigError, nearest
from bench.report.constraints import Constraint, read_constraint
from bench.space.words import QUANTITIES
from bench.store import ACCURACY, LATENCY, SCORES, is_latency, score_figure
from bench.study.objectives import ALIASES, OBJECTIVES, Objective, latencies_of, study_objectives
from bench.study.untrained import ZERO_COST_AT_SIZE

if TYPE_CHECKING:
    from bench.study.config import StudyConfig

# What an architecture alone tells.
STATIC = frozenset(QUANTITIES) - {LATENCY}
_MEASURED = (frozenset(OBJECTIVES) - STATIC) | {ZERO_COST_AT_SIZE}


def checked_constraints(
    texts: Iterable[str], *, objectives: Sequence[Objective], runners: Sequence[str]
) -> tuple[str, ...]:
    """The constraints as they are stored: full names, one a runner where a latency names none of several.

    Raises:
        ConfigError: an unknown figure, or one that the study does not find out.
    """
    found = [
        each for text in texts for each in _named(read_constraint(text), text, objectives=objectives, runners=runners)
    ]
    return tuple(dict.fromkeys(each.text for each in found))


def rules_of(config: StudyConfig) -> tuple[str, ...]:
    """The rules that a study adds to its space: its own, and constraints that need no trial."""
    constraints = [read_constraint(text) for text in config.constraints]
    return (*config.rules, *(found.text for found in constraints if found.figure in STATIC))


def measured_constraints(texts: Iterable[str]) -> tuple[Constraint, ...]:
    """Those that only a trial can tell of."""
    found = map(read_constraint, texts)
    return tuple(each for each in found if each.figure not in STATIC)


def reads_zero_cost(texts: Iterable[str]) -> bool:
    """Whether a constraint asks how candidates look untrained beside others of their size."""
    return any(read_constraint(text).figure == ZERO_COST_AT_SIZE for text in texts)


def latency_rules(texts: Iterable[str]) -> tuple[str, ...]:
    """Upper bounds of the one latency of a study, as rules that a prediction of it can be held to."""
    found = [read_constraint(text) for text in texts]
    return tuple(each.text for each in found if each.figure == LATENCY and each.is_upper)


class Demands:
    """Constraints as a plan uses them.

    Args:
        constraints: measured ones.
        score: what the study scores by, which is known last.
        has_rungs: whether there is more than one: then the score of the first says little about a bound of the last.
    """

    def __init__(
        self, constraints: Sequence[Constraint] = (), *, score: str = ACCURACY, has_rungs: bool = False
    ) -> None:
        self._of_costs = tuple(found for found in constraints if found.figure != score)
        self._told = self._of_costs if has_rungs else tuple(constraints)

    @property
    def figures(self) -> frozenset[str]:
        """Those that are known before a training, which begins only if they are in bounds."""
        return frozenset(found.figure for found in self._of_costs)

    def broken(self, figures: Mapping[str, float]) -> str | None:
        """The first constraint that costs and latencies break, in words; None as far as they can be told."""
        for found in self._of_costs:
            if found.excess(figures) > 0.0:
                return f"breaks {found.text}: {figures[found.figure]:.4g}"
        return None

    def told(self, figures: Mapping[str, float]) -> dict[str, float]:
        """What the sampler is told of a trial: 0 or less where a constraint is met; nothing of what is unknown."""
        told = {found.text: found.excess(figures) for found in self._told}
        return {text: excess for text, excess in told.items() if math.isfinite(excess)}


def demands_of(config: StudyConfig) -> Demands:
    """What a study demands of figures that only a trial can tell."""
    return Demands(
        measured_constraints(config.constraints),
        score=score_figure(objective.name for objective in study_objectives(config)),
        has_rungs=config.proxy.rungs > 1,
    )


def _named(
    found: Constraint, text: str, *, objectives: Sequence[Objective], runners: Sequence[str]
) -> tuple[Constraint, ...]:
    word, _, runner = found.figure.partition(":")
    base = ALIASES.get(word, word)
    score = objectives[0].name
    if base not in STATIC | _MEASURED or (runner and base != LATENCY):
        known = [*OBJECTIVES, ZERO_COST_AT_SIZE, *sorted(STATIC - OBJECTIVES.keys()), *ALIASES]
        raise ConfigError(
            f"constraint {text!r} reads {found.figure!r}; known: {', '.join(known)}, latency:RUNNER"
            f"{nearest(found.figure, known)}"
        )
    if base in (*SCORES, ZERO_COST_AT_SIZE):
        if base in SCORES and base != score:
            raise ConfigError(f"constraint {text!r}; this study scores by {score}; bound that, or leave it out")
        if not 0.0 <= found.bound <= 1.0:
            raise ConfigError(f"constraint {text!r}; a score lies between 0 and 1; give {base} as a share")
        return (replace(found, figure=base),)
    if base != LATENCY:
        return (replace(found, figure=base),)
    if not any(is_latency(objective.name) for objective in objectives):
        raise ConfigError(f"constraint {text!r} and latency is no objective, so nothing is timed; add it to both")
    if runner and runner not in runners:
        raise ConfigError(
            f"constraint {text!r}; the study is timed on {', '.join(runners)}; name one of these, or add "
            f"--runner {runner}"
        )
    return tuple(replace(found, figure=name) for name in latencies_of((runner,) if runner else runners, runners))
