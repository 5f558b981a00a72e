"""Genes: what a space file says about each word, and which values that allows in a given context.

A gene belongs to one word of one stage, or to one setting. Its choice is a tree whose inner nodes are
conditions on other words, so the values it allows depend on those words, its parents.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.errors import SpaceError
from bench.space.architecture import Architecture, applies, identity_value
from bench.space.compiler import Value, Values
from bench.space.expressions import Expression
from bench.space.vocabulary import find_family
from bench.space.words import Family, Scalar, Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Values to choose from; a single one is fixed."""

    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One choice where a condition holds, another elsewhere."""

    condition: Expression
    then: Choice
    otherwise: Choice


Choice = Options | Branch


@dataclass(frozen=True, slots=True, kw_only=True)
class Gene:
    """What a space allows for one word.

    Attributes:
        name: the full name, such as "stage3.width" or "activation".
        stage: 0 for the first; None for a setting.
        choice: the tree of conditions and values.
        origin: where it was said, for messages: "smoke.yaml, line 12".
    """

    name: str
    word: Word
    stage: int | None
    choice: Choice
    origin: str

    @property
    def parents(self) -> tuple[str, ...]:
        """The full names whose values decide which values this gene allows, sorted."""
        names = {name for condition in _conditions(self.choice) for name in condition.names}
        if self.word.only_if:
            names.add(self.full(self.word.only_if[0]))
        names.update(self.full(word) for word in (self.word.divides, self.word.scales) if word)
        names.update(f"stage{stage + 1}.{word}" for stage, word in (self.word.follows or {}).values())
        return tuple(sorted(names))

    @property
    def scope(self) -> str:
        """Where the word stands: "settings", "stage1", ..."""
        return "settings" if self.stage is None else f"stage{self.stage + 1}"

    def full(self, word: str) -> str:
        """The full name of another word of the same scope."""
        return word if self.stage is None else f"{self.scope}.{word}"

    def said(self, values: Values) -> tuple[Scalar, ...]:
        """The values that the file names for where the parents have these values."""
        choice = self.choice
        while isinstance(choice, Branch):
            choice = choice.then if choice.condition.holds(values) else choice.otherwise
        return choice.values

    def options(self, values: Values) -> tuple[Value, ...]:
        """The values allowed where the parents have these values; `(None,)` where the word does not apply."""
        if not applies(self.word, self.stage, lambda word: values.get(self.full(word))):
            return (None,)
        said = self.said(values)
        if self.word.divides:
            whole = values.get(self.full(self.word.divides))
            assert isinstance(whole, int)
            return tuple(part for part in said if isinstance(part, int) and whole % part == 0)
        # `stage1` and the number it stands for are one value; the first one written is kept.
        distinct: dict[Value, Scalar] = {}
        for value in said:
            distinct.setdefault(self.resolve(value, values), value)
        return tuple(distinct.values())

    def resolve(self, value: Value, values: Values) -> Value:
        """The number that a name such as `stage1` stands for; any other value itself."""
        if self.word.follows and isinstance(value, str):
            stage, word = self.word.follows[value]
            return values[f"stage{stage + 1}.{word}"]
        return value

    def same(self, first: Value, second: Value, values: Values) -> bool:
        """Whether two values of this gene make the same network."""
        if first is None or second is None:
            return first is second
        known = [
            identity_value(self.word, value, lambda word: values.get(self.full(word))) for value in (first, second)
        ]
        return known[0] == known[1]

    def check_distinct(self, options: Sequence[Value], values: Values) -> None:
        """Refuses two values that make one network, which would count and draw it twice.

        Raises:
            SpaceError: such as MLP ratios that give one hidden width.
        """
        if self.word.scales is None:
            return
        for i, second in enumerate(options):
            for first in options[:i]:
                if self.same(first, second, values):
                    scaled = self.full(self.word.scales)
                    raise SpaceError(
                        f"{self.origin}: {self.name} has the choices {first:g} and {second:g}, which are one "
                        f"network where {scaled} is {values[scaled]}; allowed: choices that differ at every "
                        f"{self.word.scales}; remove one of them"
                    )


def arranged(genes: Sequence[Gene]) -> tuple[Gene, ...]:
    """The genes in an order in which parents come first, else as given.

    Raises:
        SpaceError: conditions that depend on each other in a circle.
    """
    by_name = {gene.name: gene for gene in genes}
    done: dict[str, Gene] = {}

    def visit(gene: Gene, path: tuple[str, ...]) -> None:
        if gene.name in done:
            return
        if gene.name in path:
            circle = " -> ".join((*path[path.index(gene.name) :], gene.name))
            raise SpaceError(
                f"{gene.origin}: the choices depend on each other in a circle: {circle}; "
                "allowed: conditions on words that do not depend back; remove one of the conditions"
            )
        for parent in gene.parents:
            visit(by_name[parent], (*path, gene.name))
        done[gene.name] = gene

    for gene in genes:
        visit(gene, ())
    return tuple(done.values())


def values_of(architecture: Architecture) -> dict[str, Scalar]:
    """The values of an architecture by full name; words that do not apply are missing."""
    values = dict(architecture.settings)
    for i, stage in enumerate(architecture.stages):
        values.update({f"stage{i + 1}.{name}": value for name, value in stage.items()})
    return values


def assemble(family: str, values: Values) -> Architecture:
    """The architecture of values by full name, the inverse of `values_of`."""
    vocabulary: Family = find_family(family)
    settings = {w.name: value for w in vocabulary.settings if (value := values.get(w.name)) is not None}
    stages = tuple(
        {w.name: value for w in vocabulary.stage if (value := values.get(f"stage{i + 1}.{w.name}")) is not None}
        for i in range(vocabulary.num_stages)
    )
    return Architecture(family=family, settings=settings, stages=stages)


def choice_data(choice: Choice) -> object:
    """A choice as plain data, for hashes and listings."""
    match choice:
        case Options(values=values):
            return list(values)
        case Branch(condition=condition, then=then, otherwise=otherwise):
            return {"when": condition.text, "choices": choice_data(then), "otherwise": choice_data(otherwise)}


def _conditions(choice: Choice) -> Iterator[Expression]:
    if isinstance(choice, Branch):
        yield choice.condition
        yield from _conditions(choice.then)
        yield from _conditions(choice.otherwise)
