"""Counts a space, draws from it, and makes new architectures from known ones.

Why `draw` is uniform:

1. `unrank` maps the integers below `count(space)` one to one to the leaves of the decision tree: at every
   step the completions of the options are consecutive intervals of exactly counted length.
2. Different leaves are different architectures: two leaves first differ at one word, whose values there are
   distinct as networks (`stage1` and its number are merged, MLP ratios of one hidden width are refused, words
   that do not apply have no value at all). A uniform integer therefore gives a uniform architecture, rules
   aside. (Stages that continue each other without a stride can be cut in several ways: where a family allows
   that, its space has a rule against it.)
3. Every try is independent and gives each valid architecture with the same probability 1 / `count(space)`, so
   trying again until all rules hold leaves all valid architectures equally likely. What cannot be built, since
   its words do not agree (`needs` in space.py), counts as breaking a rule.
4. `_below` takes uniform bits and rejects what is out of range, so the integer itself has no bias beyond the
   generator's.

`mutate` and `cross_over` are not uniform over anything and do not claim to be.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from bench.errors import SpaceError
from bench.space.architecture import Architecture
from bench.space.compiler import Value, Values
from bench.space.genes import values_of
from bench.space.space import CostFunction, Space, broken_structure, needs
from bench.space.tree import Row, Step, size, unrank, walk

MAX_TRIES = 20_000
MAX_CHILD_TRIES = 2_000  # parents that obey the rules have far more valid children than one in that many


class NoneFound(SpaceError):
    """No try gave an architecture that obeys the rules; any other error of a space is an error of its writer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number of architectures with its 95 % interval; `is_exact` where all were looked at."""

    estimate: float
    low: float
    high: float
    is_exact: bool


@singledispatch
def count(space: Space) -> int:
    """How many architectures the choices allow, exactly, before any rule."""
    return size(space.tree)


@singledispatch
def at(space: Space, index: int) -> Architecture:
    """Architecture number `index` of `count(space)`, rules aside; every index is another network."""
    if not 0 <= index < count(space):
        raise SpaceError(
            f"index is {index}; {space.name} has {count(space)} architectures; use 0 to {count(space) - 1}"
        )
    return space.assemble(unrank(space.tree, index))


@singledispatch
def every(space: Space, costs: CostFunction | None = None) -> Iterator[Architecture]:
    """All valid architectures, in the order of their index. For small spaces: it goes through all of them."""
    for index in range(count(space)):
        architecture = at(space, index)
        if not space.broken_rules(architecture, costs):
            yield architecture


@singledispatch
def estimate_valid(space: Space, costs: CostFunction | None = None, *, samples: int = 2000, seed: int = 0) -> Estimate:
    """How many architectures obey the rules and can be built: exact where the space is no larger than `samples`.

    Else the share of `samples` uniform draws, with the interval of Wilson (1927), times `count(space)`.
    """
    total = count(space)
    is_bound = bool(space.rules or needs(space.family))
    if not is_bound or total <= samples:
        exact = sum(1 for _ in every(space, costs)) if is_bound else total
        return Estimate(estimate=exact, low=exact, high=exact, is_exact=True)
    random = np.random.default_rng(seed)
    valid = sum(not space.broken_rules(at(space, _below(random, total)), costs) for _ in range(samples))
    low, high = _wilson(valid, samples)
    return Estimate(estimate=total * valid / samples, low=total * low, high=total * high, is_exact=False)


@singledispatch
def draw(
    space: Space,
    random: np.random.Generator,
    costs: CostFunction | None = None,
    *,
    max_tries: int = MAX_TRIES,
) -> Architecture:
    """A valid architecture, uniform over all of them (the module says why).

    Raises:
        NoneFound: no valid architecture in `max_tries` tries; names the rule that was broken most.
        SpaceError: a rule reads what `costs` does not give.
    """
    total = count(space)
    return _first_valid(space, costs, lambda: unrank(space.tree, _below(random, total)), max_tries=max_tries)


@singledispatch
def mutate(
    space: Space,
    architecture: Architecture,
    random: np.random.Generator,
    costs: CostFunction | None = None,
    *,
    max_tries: int = MAX_CHILD_TRIES,
) -> Architecture:
    """A valid architecture that differs from the given one in few decisions.

    One of its n decisions, picked at random, takes another value; each of the others does so too with
    probability 1 / n, so that every valid architecture can be reached. Decisions whose choices depend on what
    changed keep their value where it is still allowed, else take the nearest number or, where there is none,
    a random choice. The given architecture may lie outside the choices and should obey the rules.
    Raises like `draw`.
    """
    values = _checked_values(space, architecture)

    def change() -> dict[str, Value]:
        # Which decisions there are depends on what was chosen before, so the forced one is picked among those
        # of the given architecture; one that is no longer there leaves the change that removed it.
        names = _decided(space, values)
        forced = names[int(random.integers(len(names)))] if names else ""

        def choose(step: Step, row: Row) -> int:
            kept = _keep(step, row, values, random)
            if step.gene.name == forced or random.random() * len(names) < 1:
                return (kept + 1 + int(random.integers(len(row.values) - 1))) % len(row.values)
            return kept

        return walk(space.tree, choose)

    return _first_valid(space, costs, change, max_tries=max_tries, other_than=architecture)


@singledispatch
def cross_over(
    space: Space,
    first: Architecture,
    second: Architecture,
    random: np.random.Generator,
    costs: CostFunction | None = None,
    *,
    max_tries: int = MAX_CHILD_TRIES,
) -> Architecture:
    """A valid architecture whose every decision comes from one of two parents, each as likely.

    This is uniform crossover. Where the value of the chosen parent is not allowed in its new context, that of
    the other is taken, else the nearest number or a random choice. The parents may lie outside the
    choices and should obey the rules; a child may equal a parent. Raises like `draw`.
    """
    parents = (_checked_values(space, first), _checked_values(space, second))

    def combine() -> dict[str, Value]:
        def choose(step: Step, row: Row) -> int:
            side = int(random.integers(2))
            index = _find(step, row, parents[side])
            if index is None:
                index = _keep(step, row, parents[1 - side], random)
            return index

        return walk(space.tree, choose)

    return _first_valid(space, costs, combine, max_tries=max_tries)


def _first_valid(
    space: Space,
    costs: CostFunction | None,
    propose: Callable[[], Values],
    *,
    max_tries: int,
    other_than: Architecture | None = None,
) -> Architecture:
    broken: Counter[str] = Counter()
    # A small space proposes the same again and again: 20,000 tries of one that no rule leaves alone took seconds.
    known: dict[tuple[object, ...], Sequence[str]] = {}
    for _ in range(max_tries):
        values = propose()
        key = tuple(values.items())
        if failed := known.get(key):
            broken.update(failed)
            continue
        # Cheap rules first: most tries of a tightly ruled space end here, before an architecture is made.
        if failed := broken_structure(space, values):
            broken.update(failed)
            continue
        architecture = space.assemble(values)
        if architecture == other_than:
            continue
        if failed := space.broken_rules(architecture, costs):
            known[key] = failed
            broken.update(failed)
            continue
        return architecture
    raise NoneFound(_none_found(space, broken, max_tries, is_alone=other_than is not None))


def _none_found(space: Space, broken: Counter[str], tries: int, *, is_alone: bool) -> str:
    if not broken:
        what = "another architecture" if is_alone else "an architecture"
        return f"no try of {tries} gave {what} of {space.name!r}; it needs more than one; widen the choices"
    rule, times = broken.most_common(1)[0]
    if rule in needs(space.family):
        return (
            f"no architecture of {tries} tries in space {space.name!r} can be built, {times} broke {rule!r}; "
            f"allowed: what every {space.family} obeys; change the choices of these words"
        )
    return (
        f"no architecture of {tries} tries in space {space.name!r} obeys the rules, {times} broke {rule!r}; "
        "allowed: rules that leave a findable share of the space; loosen that rule or narrow the choices"
    )


def _checked_values(space: Space, architecture: Architecture) -> Values:
    if architecture.family != space.family:
        raise SpaceError(
            f"the architecture is of family {architecture.family}; "
            f"space {space.name!r} is of {space.family}; use one of that family"
        )
    return values_of(architecture)


def _decided(space: Space, values: Values) -> list[str]:
    """The genes with a decision on the way of these values."""
    names: list[str] = []

    def choose(step: Step, row: Row) -> int:
        names.append(step.gene.name)
        return _find(step, row, values) or 0

    walk(space.tree, choose)
    return names


def _find(step: Step, row: Row, values: Values) -> int | None:
    """Which of the row's values makes the network that `values` describes; None if no one does."""
    wanted = values.get(step.gene.name)
    for i, value in enumerate(row.values):
        if step.gene.resolve(value, values) == wanted:
            return i
    return None


def _keep(step: Step, row: Row, values: Values, random: np.random.Generator) -> int:
    """The index of the value in `values`, else of the nearest number, else a random one."""
    index = _find(step, row, values)
    if index is not None:
        return index
    wanted = values.get(step.gene.name)
    if isinstance(wanted, int | float) and row.decision is not None and row.decision.is_ordered:
        distances = [abs(float(choice) - wanted) for choice in row.decision.choices]
        return distances.index(min(distances))
    return int(random.integers(len(row.values)))


def _below(random: np.random.Generator, bound: int) -> int:
    """A uniform integer below `bound`, which may exceed 64 bits."""
    bits = bound.bit_length()
    while True:
        drawn = int.from_bytes(random.bytes((bits + 7) // 8), "little") & ((1 << bits) - 1)
        if drawn < bound:
            return drawn


def _wilson(successes: int, samples: int) -> tuple[float, float]:
    """The 95 % interval of a proportion: E. B. Wilson, "Probable inference", JASA 1927."""
    z = 1.959964  # the 97.5 % quantile of the normal distribution
    share = successes / samples
    centre = share + z * z / (2 * samples)
    spread = z * math.sqrt(share * (1 - share) / samples + z * z / (4 * samples * samples))
    scale = 1 + z * z / samples
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
