"""What is searched: a table, its objectives, its rungs, and the scales on which a search of it is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.errors import ConfigError
from bench.pareto import Floats
from bench.simulate.scales import Scale, scales
from bench.space import TableSpace
from bench.study.objectives import Objective

# What a study calls the first objective, whatever its column is called here.
_ACCURACY = "accuracy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """A shorter training: the column with its accuracy, and its cost as a share of a full one, between 0 and 1."""

    column: str
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """A search to be simulated.

    Attributes:
        space: bound to its table, with all rules.
        columns: of the objectives, the one to maximise first.
        objectives: as a study has them.
        values: true values of the space's rows, shape (rows, objectives); NaN where one is not known.
        rung_costs: of a training up to each rung, in full trainings; the last is 1.
        rung_accuracies: shape (rows, rungs), the last as in `values`.
        scales: on which it is judged.
    """

    space: TableSpace
    columns: tuple[str, ...]
    objectives: tuple[Objective, ...]
    values: Floats = field(repr=False)
    rung_costs: tuple[float, ...]
    rung_accuracies: Floats = field(repr=False)
    scales: tuple[Scale, ...]

    @property
    def num_failing(self) -> int:
        """Rows that obey the rules and lack a value."""
        return int(np.isnan(self.values[self.space.valid]).any(axis=1).sum())


def make_task(
    space: TableSpace,
    *,
    maximize: str,
    minimize: Sequence[str],
    fidelities: Sequence[Fidelity] = (),
    reference: Sequence[float] | None = None,
) -> Task:
    """The task of finding the front of (`maximize`, `minimize`) among the rows of a space that obey its rules.

    Args:
        space: bound to a table.
        maximize: column of the accuracy after a full training.
        minimize: columns of one or more costs.
        fidelities: shorter trainings, in any order; none: every network is trained fully.
        reference: a reference point in place of the tight and the wide one.

    Raises:
        ConfigError: objectives, costs or a reference point that make no sense together.
        SpaceError: a column that the table does not have, or that holds what is no number.
    """
    columns = (maximize, *minimize)
    _check(columns, fidelities, reference)
    rows = space.rows
    assert rows is not None
    ordered = sorted(fidelities, key=lambda fidelity: fidelity.cost)
    told = {name: rows.table.numbers(name, what="objective")[rows.numbers] for name in columns}
    lower = [rows.table.numbers(found.column, what="fidelity")[rows.numbers] for found in ordered]
    values = np.stack([told[name] for name in columns], axis=1)
    objectives = (
        Objective(name=_ACCURACY, maximise=True, is_measured=True, unit=""),
        *(Objective(name=name, maximise=False, is_measured=name not in space.known, unit="") for name in minimize),
    )
    if not len(space.valid):
        raise ConfigError(f"no row of {rows.table.source} obeys {'; '.join(space.rules)}; some have to; loosen a rule")
    flags = tuple(objective.maximise for objective in objectives)
    return Task(
        space=space,
        columns=columns,
        objectives=objectives,
        values=values,
        rung_costs=(*(fidelity.cost for fidelity in ordered), 1.0),
        rung_accuracies=np.stack([*lower, told[maximize]], axis=1),
        scales=scales(values[space.valid], maximise=flags, given=reference),
    )


def _check(columns: Sequence[str], fidelities: Sequence[Fidelity], reference: Sequence[float] | None) -> None:
    if len(columns) < 2:
        raise ConfigError("no cost to minimize; one accuracy and one or more costs are needed; give --minimize COLUMN")
    if len(set(columns)) < len(columns) or _ACCURACY in columns[1:]:
        raise ConfigError(
            f"objectives {', '.join(columns)}; allowed: one accuracy to maximize and other columns to minimize, each "
            "once; leave one out"
        )
    for fidelity in fidelities:
        if not 0 < fidelity.cost < 1:
            raise ConfigError(
                f"fidelity {fidelity.column} costs {fidelity.cost:g} full trainings; allowed: above 0 and below 1; "
                "such as 0.06 for 12 of 200 epochs"
            )
    if len({fidelity.cost for fidelity in fidelities}) < len(fidelities):
        raise ConfigError("two fidelities cost the same; each rung has to cost more than the one below; change one")
    if reference is not None and len(reference) != len(columns):
        raise ConfigError(
            f"--reference has {len(reference)} values; one for each of {', '.join(columns)} is needed, separated by "
            "commas"
        )
