"""A table of trained networks as a space: its rows are the architectures, and nothing has to be built.

A space file of `family: table` (table_schema.py) says which columns are choices. Bound to a table (`TableSpace.bind`)
the space holds the rows that are there: what the choices would allow beyond them is not proposed. So a table may be
complete, such as a published benchmark, or hold the few hundred networks of a study.

Rows with one value in the identity column are the same network and have equal ids. They keep the choices that they were
found by, which is what a sampler chose.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from bench.errors import SpaceError
from bench.space.architecture import Architecture
from bench.space.compiler import Value
from bench.space.genes import choice_data, values_of
from bench.space.nearness import Nearness, nearness_of
from bench.space.rows import Places, Rows, options_of, rows_of
from bench.space.space import CostFunction, Space
from bench.space.table_file import Table
from bench.space.words import Family, show


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TableArchitecture(Architecture):
    """A row of a table.

    Attributes:
        network: its value in the identity column; None: it is told by its choices.
    """

    network: str | None = None

    def __post_init__(self) -> None:
        settings = dict(self.settings)
        known: object = settings if self.network is None else self.network
        identity = json.dumps([self.family, known], sort_keys=True, separators=(",", ":"), allow_nan=False)
        object.__setattr__(self, "settings", MappingProxyType(settings))
        object.__setattr__(self, "identity", identity)

    @classmethod
    def from_dict(cls, mapping: Mapping[str, object]) -> TableArchitecture:
        """The inverse of `to_dict`."""
        settings, network = mapping["settings"], mapping.get("network")
        assert isinstance(settings, Mapping)
        return cls(
            family=str(mapping["family"]),
            settings=settings,
            stages=(),
            network=None if network is None else str(network),
        )

    def to_dict(self) -> dict[str, object]:
        found: dict[str, object] = {"family": self.family, "settings": dict(self.settings), "stages": []}
        return found if self.network is None else {**found, "network": self.network}

    def summary(self) -> str:
        """One line for tables: all its choices."""
        return ", ".join(f"{name} {show(value)}" for name, value in self.settings.items())

    def __reduce__(self) -> tuple[Callable[[Mapping[str, object]], Architecture], tuple[dict[str, object]]]:
        return TableArchitecture.from_dict, (self.to_dict(),)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TableSpace(Space):
    """A space of `family: table`.

    Attributes:
        words: the vocabulary that its columns are.
        identity: the column that is equal where rows are the same network.
        rows: of the table that it is bound to; None: it is bound to none, and holds whatever its choices allow.
        valid: which of the rows obey the rules; empty where it is not bound.
    """

    words: Family
    identity: str | None
    rows: Rows | None = None
    valid: Places = field(init=False, repr=False)
    _nearness: Nearness = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "valid", _valid(self))
        places = np.empty((0, len(self.genes)), dtype=np.int64) if self.rows is None else self.rows.places[self.valid]
        sizes = [len(options_of(gene)) for gene in self.genes]
        ordered = [bool(gene.word.is_ordered) for gene in self.genes]
        object.__setattr__(self, "_nearness", nearness_of(places, sizes=sizes, ordered=ordered))

    @property
    def vocabulary(self) -> Family:
        return self.words

    @property
    def columns(self) -> tuple[str, ...]:
        """Those that are choices."""
        return tuple(gene.name for gene in self.genes)

    @property
    def known(self) -> tuple[str, ...]:
        """Columns that are known before anything is trained; rules read them, and models of the space may."""
        return tuple(self.words.quantities)

    @property
    def hash(self) -> str:
        meaning = {
            "name": self.name,
            "columns": {gene.name: [gene.word.is_ordered, choice_data(gene.choice)] for gene in self.genes},
            "identity": self.identity,
            "known": self.known,
            "rules": self.rules,
            "table": None if self.rows is None else self.rows.table.sha256,
        }
        return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()

    def bind(self, table: Table) -> TableSpace:
        """The same space holding the rows of a table.

        Raises:
            SpaceError: a column that is not there or cannot be read, two rows with the same choices, or no row among
                the choices.
        """
        return replace(self, rows=rows_of(self.name, self.genes, table, identity=self.identity, known=self.known))

    def assemble(self, values: Mapping[str, Value]) -> Architecture:
        key = tuple(values[name] for name in self.columns)
        row = None if self.rows is None else self.rows.index.get(key)
        return self._architecture(key, row)

    def at_row(self, row: int) -> Architecture:
        """The architecture of a row of `rows`."""
        choices = zip(self.genes, self._bound.places[row], strict=True)
        return self._architecture(tuple(options_of(gene)[place] for gene, place in choices), row)

    def row_of(self, architecture: Architecture) -> int | None:
        """The row of `rows` that an architecture is; None where there is none."""
        values = values_of(architecture)
        return None if self.rows is None else self.rows.index.get(tuple(values.get(name) for name in self.columns))

    def costs(self, architecture: Architecture) -> Mapping[str, float]:
        """The known columns of an architecture; nothing where there is no such row."""
        row = self.row_of(architecture)
        return {} if row is None else {name: float(numbers[row]) for name, numbers in self._bound.known.items()}

    def broken_rules(self, architecture: Architecture, costs: CostFunction | None = None) -> tuple[str, ...]:
        """As of any space; a combination without a row counts as breaking a rule. `costs` are the table's own."""
        if self.rows is None:
            _refuse_unknown(self)
            return Space.broken_rules(self, architecture, costs)
        row = self.row_of(architecture)
        if row is None:
            return (f"{self.rows.table.source} has a row for it",)
        known = {**values_of(architecture), **self.costs(architecture)}
        return tuple(rule.text for rule in self.conditions if not rule.holds(known))

    def nearest(
        self, architecture: Architecture, random: np.random.Generator, *, other_than: Container[str]
    ) -> Architecture | None:
        """The row that obeys the rules and is nearest to an architecture of these columns (see nearness.py).

        Args:
            other_than: ids that are not asked for.
        """
        chosen = values_of(architecture)
        places = [options_of(gene).index(chosen[gene.name]) for gene in self.genes]
        for row in self._nearness.order(places, random):
            found = self.at_row(int(self.valid[row]))
            if found.id not in other_than:
                return found
        return None

    def __reduce__(self) -> tuple[Callable[..., Space], tuple[object, ...]]:
        return _rebind, (self.text, self.source, None if self.rows is None else self.rows.table)

    @property
    def _bound(self) -> Rows:
        assert self.rows is not None
        return self.rows

    def _architecture(self, key: Sequence[Value], row: int | None) -> Architecture:
        return TableArchitecture(
            family=self.family,
            settings={name: value for name, value in zip(self.columns, key, strict=True) if value is not None},
            stages=(),
            network=None if row is None else self._bound.networks[row],
        )


def nearest_row(
    space: Space, architecture: Architecture, random: np.random.Generator, *, other_than: Container[str]
) -> Architecture | None:
    """What stands in for a combination that a table has no row for; None in any other space, or where it has one."""
    if not isinstance(space, TableSpace) or space.rows is None or space.row_of(architecture) is not None:
        return None
    return space.nearest(architecture, random, other_than=other_than)


def _valid(space: TableSpace) -> Places:
    if space.rows is None:
        return np.arange(0)
    every = np.arange(len(space.rows))
    if not space.conditions:
        return every
    rows = [row for row in every.tolist() if not space.broken_rules(space.at_row(row))]
    return np.array(rows, dtype=np.int64)


def _refuse_unknown(space: TableSpace) -> None:
    """Without a table nothing is known of a column that is no choice."""
    for rule in space.conditions:
        if rule.needs_costs:
            raise SpaceError(
                f"rule {rule.text!r} reads {sorted(rule.quantities)[0]}, which only the table of {space.name!r} knows; "
                "allowed without it: rules on the choices; give --table"
            )


def _rebind(text: str, source: str, table: Table | None) -> Space:
    from bench.space.schema import parse_space  # it makes spaces, so it imports this module

    space = parse_space(text, source=source)
    assert isinstance(space, TableSpace)
    return space if table is None else space.bind(table)
