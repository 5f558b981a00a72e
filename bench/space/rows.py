"""The rows of a table that are among the choices of a space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bench.errors import SpaceError
from bench.space.compiler import Value
from bench.space.genes import Gene, Options
from bench.space.table_file import Table, choice_places
from bench.space.words import Scalar, show

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Those rows of a table that are among the choices of a space.

    Attributes:
        table: where they come from.
        numbers: of its rows, shape (n,).
        places: the choice of each column, counted from 0, shape (n, columns).
        index: row of `places` by choices.
        networks: the identity of each; None: the space has no identity column.
        known: the known columns, shape (n,) each.
        num_outside: rows of the table that are not among the choices.
    """

    table: Table
    numbers: Places
    places: Places
    index: Mapping[tuple[Value, ...], int] = field(repr=False)
    networks: tuple[str | None, ...] = field(repr=False)
    known: Mapping[str, Floats] = field(repr=False)
    num_outside: int

    def __len__(self) -> int:
        return len(self.numbers)


def options_of(gene: Gene) -> tuple[Scalar, ...]:
    """The choices of a column of a table."""
    assert isinstance(gene.choice, Options)  # a file of a table has no conditions on choices
    return gene.choice.values


def rows_of(name: str, genes: Sequence[Gene], table: Table, *, identity: str | None, known: Sequence[str]) -> Rows:
    """The rows of `table` that are among the choices of `genes`, the columns of space `name`.

    Raises:
        SpaceError: a column that is not there or cannot be read, two rows with the same choices, or no row among the
            choices.
    """
    columns = [
        choice_places(table.column(gene.name, what=f"column of space {name!r}"), options_of(gene)) for gene in genes
    ]
    places = np.array(columns, dtype=np.int64).T
    inside = np.flatnonzero((places >= 0).all(axis=1))
    if not len(inside):
        raise SpaceError(f"no row of {table.source} is among the choices of {name!r}; {_first_outside(genes, table)}")
    places = places[inside]
    options = [options_of(gene) for gene in genes]
    index: dict[tuple[Value, ...], int] = {}
    for row, chosen in enumerate(places.tolist()):
        key = tuple(values[place] for values, place in zip(options, chosen, strict=True))
        if key in index:
            first, second = (table.lines[inside[i]] for i in (index[key], row))
            raise SpaceError(
                f"{table.source}, line {second}: the choices of line {first} once more; allowed: a row a combination; "
                "remove one, or name the column that tells them apart among the choices"
            )
        index[key] = row
    networks: tuple[str | None, ...] = (None,) * len(inside)
    if identity is not None:
        cells = table.column(identity, what=f"identity of space {name!r}")
        networks = tuple(cells[i] or None for i in inside)
    figures = {column: table.numbers(column, what=f"known column of space {name!r}")[inside] for column in known}
    for column, numbers in figures.items():
        if np.isnan(numbers).any():
            line = table.lines[inside[int(np.flatnonzero(np.isnan(numbers))[0])]]
            raise SpaceError(
                f"{table.source}, line {line}: {column} is empty; a known column has a number in every row; fill "
                "it in, or take it out of known"
            )
    return Rows(
        table=table,
        numbers=inside,
        places=places,
        index=index,
        networks=networks,
        known=figures,
        num_outside=len(table) - len(inside),
    )


def _first_outside(genes: Sequence[Gene], table: Table) -> str:
    """Where the first row is not among the choices."""
    for gene in genes:
        cell, options = table.cells[gene.name][0], options_of(gene)
        if choice_places([cell], options) == [-1]:
            return (
                f"in line {table.lines[0]} column {gene.name} holds {cell!r}, the space allows "
                f"{', '.join(map(show, options[:8]))}; correct the choices"
            )
    return "each differs in another column; correct the choices"
