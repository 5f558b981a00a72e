"""Several spaces searched as one: first the space is chosen, then an architecture of it.

What the functions of encoding.py and sampling.py do for a space, they do for a union by what is registered here.
The space comes first: one of 10^15 networks would otherwise leave one of 10^6 never drawn. Within each, drawing is as
uniform as sampling.py says.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from bench.errors import SpaceError
from bench.space import encoding, sampling
from bench.space.architecture import Architecture
from bench.space.describe import ChoiceRow, describe
from bench.space.sampling import Estimate, NoneFound
from bench.space.space import CostFunction, Space
from bench.space.tree import Decision

# Stands between the texts of two spaces: a new YAML document, told apart from one of added rules by its comment.
SEPARATOR = "--- # another space\n"

# What decides which parts have anything to draw: the costs that rules read, and the tries.
_Asked = tuple[CostFunction | None, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpaceUnion(Space):
    """Spaces of different families as one; it has no choices but theirs.

    Attributes:
        parts: two or more spaces, each of another family.
    """

    parts: tuple[Space, ...]
    _drawable: dict[_Asked, tuple[Space, ...]] = field(init=False, repr=False, default_factory=dict)

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules of all parts, each once."""
        return tuple(dict.fromkeys(rule for part in self.parts for rule in part.rules))

    @property
    def hash(self) -> str:
        return hashlib.sha256(json.dumps([part.hash for part in self.parts]).encode()).hexdigest()

    def part_of(self, architecture: Architecture) -> Space | None:
        """The part of the architecture's family."""
        return next((part for part in self.parts if part.family == architecture.family), None)

    def with_rules(self, extra: Sequence[str]) -> Space:
        """The same under further rules, which hold in every part."""
        if not extra:
            return self
        parts = []
        for part in self.parts:
            try:
                parts.append(part.with_rules(extra))
            except SpaceError as error:
                raise SpaceError(f"{error} (in space {part.name!r}; a rule holds in all that are searched)") from None
        return unite(parts)

    def outside(self, architecture: Architecture) -> tuple[str, ...]:
        part = self.part_of(architecture)
        if part is None:
            return (f"its family is {architecture.family}; the spaces are of {self.family}",)
        return part.outside(architecture)

    def broken_rules(self, architecture: Architecture, costs: CostFunction | None = None) -> tuple[str, ...]:
        part = self.part_of(architecture)
        return () if part is None else part.broken_rules(architecture, costs)


def unite(spaces: Sequence[Space]) -> Space:
    """The spaces as one; a single space is itself.

    Raises:
        SpaceError: two of one family, or two reference points of one name.
    """
    parts = tuple(itertools.chain.from_iterable(s.parts if isinstance(s, SpaceUnion) else (s,) for s in spaces))
    if len(parts) == 1:
        return parts[0]
    points: dict[str, Architecture] = {}
    for i, part in enumerate(parts):
        twin = next((other for other in parts[:i] if other.family == part.family), None)
        if twin is not None:
            raise SpaceError(
                f"spaces {twin.name!r} and {part.name!r} are both of family {part.family}; "
                "allowed together: spaces of different families; write one file with the choices of both"
            )
        for name, point in part.reference_points.items():
            if name in points:
                raise SpaceError(
                    f"reference point {name!r} stands in {part.name!r} and in a space before it; "
                    "allowed: different names; rename one"
                )
            points[name] = point
    return SpaceUnion(
        name="+".join(part.name for part in parts),
        family=", ".join(part.family for part in parts),
        description="; or ".join(part.description for part in parts),
        text=SEPARATOR.join(part.text if part.text.endswith("\n") else part.text + "\n" for part in parts),
        source=", ".join(part.source for part in parts),
        genes=(),
        conditions=tuple(condition for part in parts for condition in part.conditions),
        reference_points=MappingProxyType(points),
        tree=(),
        parts=parts,
    )


def _decision(union: SpaceUnion) -> Decision:
    return Decision(name="space", choices=tuple(part.name for part in union.parts), is_ordered=False)


def _within(part: Space, decision: Decision) -> Decision:
    """A decision of a part under a name that no other part has."""
    return replace(decision, name=f"{part.name}: {decision.name}")


def _part(union: SpaceUnion, architecture: Architecture) -> Space:
    part = union.part_of(architecture)
    if part is None:
        raise SpaceError(
            f"the architecture is of family {architecture.family}; the spaces are of {union.family}; use one of these"
        )
    return part


@encoding.compose.register
def _(space: SpaceUnion, choose: Callable[[Decision], int]) -> Architecture:
    index = choose(_decision(space))
    if not 0 <= index < len(space.parts):
        raise SpaceError(f"choice {index} of space; it has {len(space.parts)}; choose 0 to {len(space.parts) - 1}")
    part = space.parts[index]
    return encoding.compose(part, lambda decision: choose(_within(part, decision)))


@encoding.decide.register
def _(space: SpaceUnion, choose: Callable[[Decision], int]) -> dict[str, int]:
    index = choose(_decision(space))
    part = space.parts[index]
    found = encoding.decide(part, lambda decision: choose(_within(part, decision)))
    return {"space": index} | {f"{part.name}: {name}": chosen for name, chosen in found.items()}


@encoding.decisions.register
def _(space: SpaceUnion, architecture: Architecture) -> dict[str, int]:
    part = _part(space, architecture)
    found = encoding.decisions(part, architecture)
    return {"space": space.parts.index(part)} | {f"{part.name}: {name}": index for name, index in found.items()}


@encoding.all_decisions.register
def _(space: SpaceUnion) -> tuple[Decision, ...]:
    inner = (_within(part, decision) for part in space.parts for decision in encoding.all_decisions(part))
    return (_decision(space), *inner)


@encoding.feature_names.register
def _(space: SpaceUnion) -> tuple[str, ...]:
    inner = (f"{part.name}: {name}" for part in space.parts for name in encoding.feature_names(part))
    return (*(f"space={part.name}" for part in space.parts), *inner)


@encoding.features.register
def _(space: SpaceUnion, architectures: Sequence[Architecture]) -> npt.NDArray[np.float64]:
    # A part's columns are 0 for architectures of another one.
    owners = [_part(space, architecture) for architecture in architectures]
    blocks = [np.array([[owner is part for part in space.parts] for owner in owners], dtype=np.float64)]
    for part in space.parts:
        rows = [i for i, owner in enumerate(owners) if owner is part]
        block = np.zeros((len(owners), len(encoding.feature_names(part))))
        block[rows] = encoding.features(part, [architectures[i] for i in rows])
        blocks.append(block)
    return np.hstack([block.reshape(len(owners), -1) for block in blocks])


@describe.register
def _(space: SpaceUnion) -> tuple[ChoiceRow, ...]:
    return tuple(replace(row, scope=f"{part.name}: {row.scope}") for part in space.parts for row in describe(part))


@sampling.count.register
def _(space: SpaceUnion) -> int:
    return sum(sampling.count(part) for part in space.parts)


@sampling.at.register
def _(space: SpaceUnion, index: int) -> Architecture:
    before = 0
    for part in space.parts:
        size = sampling.count(part)
        if before <= index < before + size:
            return sampling.at(part, index - before)
        before += size
    raise SpaceError(f"index is {index}; {space.name} has {before} architectures; use 0 to {before - 1}")


@sampling.estimate_valid.register
def _(space: SpaceUnion, costs: CostFunction | None = None, *, samples: int = 2000, seed: int = 0) -> Estimate:
    found = [sampling.estimate_valid(part, costs, samples=samples, seed=seed) for part in space.parts]
    # Sums of the ends are wider than the interval of the sum: never too sure.
    return Estimate(
        estimate=sum(part.estimate for part in found),
        low=sum(part.low for part in found),
        high=sum(part.high for part in found),
        is_exact=all(part.is_exact for part in found),
    )


@sampling.every.register
def _(space: SpaceUnion, costs: CostFunction | None = None) -> Iterator[Architecture]:
    for part in space.parts:
        yield from sampling.every(part, costs)


@sampling.draw.register
def _(
    space: SpaceUnion,
    random: np.random.Generator,
    costs: CostFunction | None = None,
    *,
    max_tries: int = sampling.MAX_TRIES,
) -> Architecture:
    """Every part as likely that the rules leave anything of, then uniform in it."""
    parts = _drawable_parts(space, costs, max_tries)
    reasons: list[NoneFound] = []
    for i in random.permutation(len(parts)):
        try:
            return sampling.draw(parts[int(i)], random, costs, max_tries=max_tries)
        except NoneFound as error:  # there is little left of it
            reasons.append(error)
    raise reasons[0]


def _drawable_parts(space: SpaceUnion, costs: CostFunction | None, max_tries: int) -> tuple[Space, ...]:
    """The parts in which one round of tries finds something; looked for once, since an empty part takes all of them.

    The round has a seed of its own: whether a part is drawn from must not depend on what was drawn before, or a study
    taken up again would draw something else.

    Raises:
        NoneFound: there is none; the reason of the first.
    """
    asked = (costs, max_tries)
    if asked not in space._drawable:
        found: list[Space] = []
        reasons: list[NoneFound] = []
        for part in space.parts:
            try:
                sampling.draw(part, np.random.default_rng(0), costs, max_tries=max_tries)
            except NoneFound as error:
                reasons.append(error)
            else:
                found.append(part)
        if not found:
            raise reasons[0]
        space._drawable[asked] = tuple(found)
    return space._drawable[asked]


@sampling.mutate.register
def _(
    space: SpaceUnion,
    architecture: Architecture,
    random: np.random.Generator,
    costs: CostFunction | None = None,
    *,
    max_tries: int = sampling.MAX_CHILD_TRIES,
) -> Architecture:
    """As in its part: a mutation stays in the family."""
    return sampling.mutate(_part(space, architecture), architecture, random, costs, max_tries=max_tries)


@sampling.cross_over.register
def _(
    space: SpaceUnion,
    first: Architecture,
    second: Architecture,
    random: np.random.Generator,
    costs: CostFunction | None = None,
    *,
    max_tries: int = sampling.MAX_CHILD_TRIES,
) -> Architecture:
    """Parents of different families have no decision in common: the child is one of them."""
    part = _part(space, first)
    if part is not _part(space, second):
        return first if random.integers(2) == 0 else second
    return sampling.cross_over(part, first, second, random, costs, max_tries=max_tries)


def split_text(text: str) -> Mapping[int, str] | None:
    """The texts of a union's parts by the number of lines before each; None for the text of a single space."""
    lines = text.splitlines(keepends=True)
    marks = [i for i, line in enumerate(lines) if line.rstrip("\r\n") == SEPARATOR.rstrip("\n")]
    if not marks:
        return None
    bounds = [-1, *marks, len(lines)]
    return {begin + 1: "".join(lines[begin + 1 : end]) for begin, end in itertools.pairwise(bounds)}
