"""Counting, listing and drawing the rows of a table, and making rows from rows.

What the functions of sampling.py do for a space of choices, they do for a table by what is registered here.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import replace

import numpy as np

from bench.errors import SpaceError
from bench.space import sampling
from bench.space.architecture import Architecture
from bench.space.describe import ChoiceRow, describe
from bench.space.sampling import Estimate, NoneFound
from bench.space.space import CostFunction, Space
from bench.space.table import TableSpace

# Mutations and crosses that are tried as they are before the row nearest to one is taken.
_TRIES = 8
# Where the table has fewer than one in so many of the combinations, that would be in vain.
_SPARSE = 64


@describe.register
def _(space: TableSpace) -> tuple[ChoiceRow, ...]:
    return tuple(replace(row, scope="column") for row in describe.dispatch(Space)(space))


@sampling.count.register
def _(space: TableSpace) -> int:
    """Rows of the table; combinations of choices where it is bound to none."""
    return sampling.count.dispatch(Space)(space) if space.rows is None else len(space.rows)


@sampling.at.register
def _(space: TableSpace, index: int) -> Architecture:
    if space.rows is None:
        return sampling.at.dispatch(Space)(space, index)
    if not 0 <= index < len(space.rows):
        raise SpaceError(f"index is {index}; {space.name} has {len(space.rows)} rows; use 0 to {len(space.rows) - 1}")
    return space.at_row(index)


@sampling.every.register
def _(space: TableSpace, costs: CostFunction | None = None) -> Iterator[Architecture]:
    """The networks of all rows that obey the rules, each once."""
    if space.rows is None:
        yield from sampling.every.dispatch(Space)(space, costs)
        return
    seen: set[str] = set()
    for row in space.valid.tolist():
        found = space.at_row(row)
        if found.id not in seen:
            seen.add(found.id)
            yield found


@sampling.estimate_valid.register
def _(space: TableSpace, costs: CostFunction | None = None, *, samples: int = 2000, seed: int = 0) -> Estimate:
    if space.rows is None:
        return sampling.estimate_valid.dispatch(Space)(space, costs, samples=samples, seed=seed)
    number = sum(1 for _ in sampling.every(space))
    return Estimate(estimate=number, low=number, high=number, is_exact=True)


@sampling.draw.register
def _(
    space: TableSpace,
    random: np.random.Generator,
    costs: CostFunction | None = None,
    *,
    max_tries: int = sampling.MAX_TRIES,
) -> Architecture:
    """Uniform over the rows that obey the rules: a network with many rows comes as often."""
    if space.rows is None:
        return sampling.draw.dispatch(Space)(space, random, costs, max_tries=max_tries)
    _refuse_empty(space)
    return space.at_row(int(space.valid[random.integers(len(space.valid))]))


@sampling.mutate.register
def _(
    space: TableSpace,
    architecture: Architecture,
    random: np.random.Generator,
    costs: CostFunction | None = None,
    *,
    max_tries: int = sampling.MAX_CHILD_TRIES,
) -> Architecture:
    """A mutation of the choices, or the row nearest to one where the table has none for it."""
    generic = sampling.mutate.dispatch(Space)
    if space.rows is None:
        return generic(space, architecture, random, costs, max_tries=max_tries)
    free = _free(space)
    found = _row_near(space, lambda: generic(free, architecture, random), random, other_than={architecture.id})
    if found is None:
        raise NoneFound(f"the rows of {space.name!r} that obey the rules are one network; it needs more; loosen a rule")
    return found


@sampling.cross_over.register
def _(
    space: TableSpace,
    first: Architecture,
    second: Architecture,
    random: np.random.Generator,
    costs: CostFunction | None = None,
    *,
    max_tries: int = sampling.MAX_CHILD_TRIES,
) -> Architecture:
    """A cross of the choices, or the row nearest to one where the table has none for it."""
    generic = sampling.cross_over.dispatch(Space)
    if space.rows is None:
        return generic(space, first, second, random, costs, max_tries=max_tries)
    free = _free(space)
    found = _row_near(space, lambda: generic(free, first, second, random), random, other_than=set())
    assert found is not None
    return found


def _row_near(
    space: TableSpace, make: Callable[[], Architecture], random: np.random.Generator, *, other_than: Container[str]
) -> Architecture | None:
    """The first of a few children that the table has, else the row nearest to the last of them."""
    _refuse_empty(space)
    child = make()
    is_sparse = len(space.valid) * _SPARSE < sampling.count.dispatch(Space)(space)
    for _ in range(0 if is_sparse else _TRIES):
        row = space.row_of(child)
        if row is not None and not space.broken_rules(child):
            found = space.at_row(row)
            if found.id not in other_than:
                return found
        child = make()
    return space.nearest(child, random, other_than=other_than)


def _free(space: TableSpace) -> TableSpace:
    """Its choices alone."""
    return replace(space, rows=None, conditions=())


def _refuse_empty(space: TableSpace) -> None:
    if not len(space.valid):
        raise NoneFound(
            f"no row of {space.name!r} obeys the rules {'; '.join(space.rules)}; "
            "allowed: rules that leave some; loosen one"
        )
