"""Which figures break what a study demands: its constraints, and rules on latency, which hold for a prediction until it
is timed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.errors import ConfigError, SpaceError
from bench.report.constraints import Constraint, read_constraint
from bench.space.expressions import Expression, compile_rule
from bench.space.vocabulary import FAMILIES, find_family


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the trials of a study have to keep to be on its front.

    Attributes:
        rules: those that read figures alone.
        constraints: bounds of single figures.
    """

    rules: tuple[Expression, ...] = ()
    constraints: tuple[Constraint, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rules or self.constraints)

    def broken(self, figures: Mapping[str, float]) -> str | None:
        """The first that a trial's figures break, as text; None where all are kept, as far as they can be told."""
        for rule in self.rules:
            known = {name: figures[name] for name in rule.names if math.isfinite(figures.get(name, math.nan))}
            if len(known) == len(rule.names) and not rule.holds(known):
                return rule.text
        return next((found.text for found in self.constraints if found.excess(figures) > 0.0), None)


def limits_of(config: Mapping[str, Any]) -> Limits:
    """Of a study's settings; what cannot be read by this version is left out."""
    family = find_family(next(iter(FAMILIES)))  # words of a family play no part in rules of figures
    rules, constraints = [], []
    for text in config.get("rules") or ():
        try:
            rule = compile_rule(text, family)
        except SpaceError:
            continue  # it reads words of another family
        if rule.names == rule.quantities:
            rules.append(rule)
    for text in config.get("constraints") or ():
        try:
            constraints.append(read_constraint(text))
        except ConfigError:
            continue  # of a later version
    return Limits(rules=tuple(rules), constraints=tuple(constraints))
