"""Which measured figures break a study's rules: a rule on latency holds for a prediction until it is timed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from bench.errors import SpaceError
from bench.space.expressions import Expression, compile_rule
from bench.space.vocabulary import FAMILIES, find_family


def figure_rules(rules: Sequence[str]) -> tuple[Expression, ...]:
    """Of a study's rules those that read figures alone; what cannot be read by this version is left out."""
    family = find_family(next(iter(FAMILIES)))  # words of a family play no part in them
    found = []
    for text in rules:
        try:
            rule = compile_rule(text, family)
        except SpaceError:
            continue  # it reads words of another family
        if rule.names == rule.quantities:
            found.append(rule)
    return tuple(found)


def broken(rules: Sequence[Expression], figures: Mapping[str, float]) -> str | None:
    """The first rule that a trial's figures break; None where all hold, as far as they can be told."""
    for rule in rules:
        known = {name: figures[name] for name in rule.names if math.isfinite(figures.get(name, math.nan))}
        if len(known) == len(rule.names) and not rule.holds(known):
            return rule.text
    return None
