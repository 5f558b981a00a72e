"""Architectures as decisions, for samplers that propose them, and as numbers, for models of a space.

For several spaces at once see union.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import singledispatch

import numpy as np
import numpy.typing as npt

from bench.errors import SpaceError
from bench.space.architecture import Architecture
from bench.space.compiler import Value
from bench.space.genes import Gene, values_of
from bench.space.space import Space
from bench.space.tree import Decision, Row, Step, walk
from bench.space.words import show


@singledispatch
def compose(space: Space, choose: Callable[[Decision], int]) -> Architecture:
    """The architecture that `choose` leads to, which is asked for the index of a choice in each decision.

    Decisions depend on those before, and what has a single possible value is not asked for. Every answer
    leads to an architecture of the space; rules are another question.

    Raises:
        SpaceError: an index that is out of range.
    """

    def checked(_: Step, row: Row) -> int:
        assert row.decision is not None
        index = choose(row.decision)
        if not 0 <= index < len(row.values):
            raise SpaceError(
                f"choice {index} of {row.decision.name}; it has {len(row.values)}; choose 0 to {len(row.values) - 1}"
            )
        return index

    return space.assemble(walk(space.tree, checked))


@singledispatch
def decide(space: Space, choose: Callable[[Decision], int]) -> dict[str, int]:
    """The decisions that `choose` leads to, by name: what `compose` asks for, without making the architecture."""
    chosen: dict[str, int] = {}

    def noted(_: Step, row: Row) -> int:
        assert row.decision is not None
        chosen[row.decision.name] = index = choose(row.decision)
        return index

    walk(space.tree, noted)
    return chosen


@singledispatch
def decisions(space: Space, architecture: Architecture) -> dict[str, int]:
    """The index chosen in each decision, by name: the inverse of `compose`.

    Raises:
        SpaceError: the architecture is not among the choices.
    """
    reasons = space.outside(architecture)
    if reasons:
        raise SpaceError(
            f"architecture {architecture.id} is not in space {space.name!r}: {reasons[0]}; "
            "widen the choices or take another architecture"
        )
    values = values_of(architecture)
    chosen: dict[str, int] = {}

    def choose(step: Step, row: Row) -> int:
        assert row.decision is not None
        wanted = values.get(step.gene.name)
        index = next(
            i for i, value in enumerate(row.values) if step.gene.same(step.gene.resolve(value, values), wanted, values)
        )
        chosen[row.decision.name] = index
        return index

    walk(space.tree, choose)
    return chosen


@singledispatch
def all_decisions(space: Space) -> tuple[Decision, ...]:
    """Every decision that any architecture of the space may need, in the order in which they are asked."""
    found = {row.decision.name: row.decision for step in space.tree for row in step.rows.values() if row.decision}
    return tuple(found.values())


@singledispatch
def feature_names(space: Space) -> tuple[str, ...]:
    """The columns of `features`: a number's gene, or "gene=value" for each value of a word."""
    return tuple(name for name, _, _ in _columns(space))


@singledispatch
def features(space: Space, architectures: Sequence[Architecture]) -> npt.NDArray[np.float64]:
    """Numbers that models of the space learn from, one row an architecture, one column a feature name.

    Numbers are scaled to 0..1 over the values of the space, words in order by their place, other words (and numbers
    that are mere names) are one-hot, a word that does not apply is all 0 (the columns of the word it depends on tell).
    What follows from the rest has no column.
    Architectures outside the space are allowed: numbers then leave 0..1.
    """
    columns = _columns(space)
    known = [values_of(architecture) for architecture in architectures]
    data = [[measure(values.get(gene.name)) for _, gene, measure in columns] for values in known]
    return np.array(data, dtype=np.float64).reshape(len(known), len(columns))


def _columns(space: Space) -> list[tuple[str, Gene, Callable[[Value], float]]]:
    columns: list[tuple[str, Gene, Callable[[Value], float]]] = []
    for step in space.tree:
        gene = step.gene
        if not any(row.decision for row in step.rows.values()):
            continue
        values = _possible(step)
        numbers = [float(v) for v in values if isinstance(v, int | float)]
        if numbers and gene.word.is_ordered is not False:
            columns.append((gene.name, gene, _scaled(min(numbers), max(numbers))))
        elif gene.word.is_ordered:
            columns.append((gene.name, gene, _place(values)))
        else:
            columns += [(f"{gene.name}={show(value)}", gene, _is(value)) for value in values]
    return columns


def _possible(step: Step) -> list[Value]:
    """The values that the gene takes anywhere in the space, names such as `stage1` in numbers."""
    found: dict[Value, None] = {}
    for state, row in step.rows.items():
        known = dict(zip(step.live, state, strict=True))
        found.update(dict.fromkeys(step.gene.resolve(value, known) for value in row.values))
    found.pop(None, None)
    return list(found)


def _scaled(low: float, high: float) -> Callable[[Value], float]:
    return lambda value: (float(value) - low) / (high - low) if isinstance(value, int | float) else 0.0


def _place(values: Sequence[Value]) -> Callable[[Value], float]:
    places = {value: place / max(1, len(values) - 1) for place, value in enumerate(values)}
    return lambda value: places.get(value, 0.0)


def _is(wanted: Value) -> Callable[[Value], float]:
    return lambda value: float(value == wanted)
