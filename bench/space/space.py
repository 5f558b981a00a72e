"""A space: what may be chosen, the rules that bound the whole, and named reference points."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.errors import SpaceError
from bench.space.architecture import Architecture
from bench.space.compiler import Value, Values
from bench.space.expressions import Expression, compile_rule
from bench.space.genes import Gene, assemble, choice_data, values_of
from bench.space.tree import Step
from bench.space.vocabulary import find_family
from bench.space.words import QUANTITIES, Family, show

CostFunction = Callable[[Architecture], Mapping[str, float]]
"""Computes what rules may read of a whole architecture in deploy form: `params_m`, `macs_g`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Space:
    """A parsed space file; spaces of equal meaning compare equal.

    Attributes:
        text: the file, with rules that were added since; parsing it gives this space again.
        source: where the text came from, for messages.
        hash: SHA-256 of what the space means; comments and layout do not change it.
        rules: the text of every rule.
        reference_points: named architectures; they need not be among the choices (see `outside`).
        tree: the decision tree of the choices, without the rules.
    """

    name: str
    family: str
    description: str
    text: str
    source: str
    genes: tuple[Gene, ...]
    conditions: tuple[Expression, ...]
    reference_points: Mapping[str, Architecture]
    tree: tuple[Step, ...]

    @property
    def rules(self) -> tuple[str, ...]:
        return tuple(condition.text for condition in self.conditions)

    @property
    def vocabulary(self) -> Family:
        """The words that its files and rules are written with."""
        return find_family(self.family)

    @property
    def hash(self) -> str:
        meaning = {
            "name": self.name,
            "family": self.family,
            "genes": {gene.name: choice_data(gene.choice) for gene in self.genes},
            "rules": self.rules,
            "reference_points": {name: point.to_dict() for name, point in self.reference_points.items()},
        }
        return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()

    def with_rules(self, extra: Sequence[str]) -> Space:
        """The same space under further rules, which its text then carries as one more YAML document.

        Raises:
            SpaceError: a rule that cannot be read.
        """
        if not extra:
            return self
        conditions = tuple(compile_rule(rule, self.vocabulary) for rule in extra)
        ended = self.text if self.text.endswith("\n") else self.text + "\n"
        added = f"---\n# Rules added to the file.\nrules: {json.dumps([c.text for c in conditions])}\n"
        return dataclasses.replace(self, text=ended + added, conditions=self.conditions + conditions)

    def assemble(self, values: Mapping[str, Value]) -> Architecture:
        """The architecture of values by full name, as a walk of the tree gives them."""
        return assemble(self.family, values)

    def outside(self, architecture: Architecture) -> tuple[str, ...]:
        """Why an architecture is not among the choices, one reason a word; empty where it is.

        Rules are another question: see `broken_rules`.
        """
        if architecture.family != self.family:
            return (f"its family is {architecture.family}; the space is of {self.family}",)
        values = values_of(architecture)
        return tuple(reason for gene in self.genes if (reason := _outside(gene, values)))

    def contains(self, architecture: Architecture) -> bool:
        """Whether an architecture is among the choices, whatever the rules say."""
        return not self.outside(architecture)

    def broken_rules(self, architecture: Architecture, costs: CostFunction | None = None) -> tuple[str, ...]:
        """The rules that an architecture breaks; also what its family needs, in words, where it cannot be built.

        Costs are computed only where a rule reads them, every other rule holds and the network can be built.

        Raises:
            SpaceError: a rule reads a cost and `costs` is not given.
        """
        values = values_of(architecture)
        return broken_structure(self, values) or self._broken_costs(architecture, values, costs)

    def _broken_costs(self, architecture: Architecture, values: Values, costs: CostFunction | None) -> tuple[str, ...]:
        rules = [rule for rule in self.conditions if rule.needs_costs]
        if not rules:
            return ()
        if costs is None:
            raise SpaceError(
                f"rule {rules[0].text!r} reads a cost and no cost function is given; "
                f"allowed: a function that gives {', '.join(QUANTITIES)}; pass costs="
            )
        known = {**values, **costs(architecture)}
        for rule in rules:
            if "latency_ms" in rule.text and "latency_ms" not in known:
                raise SpaceError(
                    f"rule {rule.text!r} reads a latency; only a search on a calibrated runner knows one; "
                    "run `bench calibrate`, and give the rule to `bench search`"
                )
        return tuple(rule.text for rule in rules if not rule.holds(known))

    def __eq__(self, other: object) -> bool:
        return self.hash == other.hash if isinstance(other, Space) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.hash)

    def __reduce__(self) -> tuple[Callable[..., Space], tuple[object, ...]]:
        # Compiled rules are closures, which cannot be pickled; the text can.
        return _reparse, (self.text, self.source)


def broken_structure(space: Space, values: Values) -> tuple[str, ...]:
    """The broken rules among those that need no costs, for values by full name; first why there is no such network."""
    broken = tuple(r.text for r in space.conditions if not r.needs_costs and not r.holds(values))
    return impossible(space.family, values) + broken


def impossible(family: str, values: Values) -> tuple[str, ...]:
    """What of `needs(family)` does not hold of an architecture, given by full name; empty where it can be built."""
    return tuple(meaning for meaning, rule in needs(family).items() if not rule.holds(values))


@functools.cache
def needs(family: str) -> Mapping[str, Expression]:
    """What every network of a family obeys, in words and as a rule; no file says it and no space can loosen it."""
    vocabulary = find_family(family)
    return {found.meaning: compile_rule(found.rule, vocabulary) for found in vocabulary.constraints}


def _reparse(text: str, source: str) -> Space:
    from bench.space.schema import parse_space  # it makes spaces, so it imports this module

    return parse_space(text, source=source)


def _outside(gene: Gene, values: Values) -> str | None:
    value = values.get(gene.name)
    options = gene.options(values)
    if any(gene.same(value, gene.resolve(option, values), values) for option in options):
        return None
    # An architecture says every word that applies to it, so the word applies here and options are values.
    return f"{gene.name} is {show(value)}; the space allows {', '.join(map(show, options)) or 'nothing there'}"
