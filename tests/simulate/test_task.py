"""What may be searched: objectives and fidelities that make sense together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_tables import made_rows, made_space

from bench.errors import BenchError
from bench.simulate import Fidelity, make_task
from bench.space import TableSpace

GOOD: dict[str, Any] = {"maximize": "accuracy", "minimize": ["latency_ms"]}


@pytest.fixture
def space(tmp_path: Path) -> TableSpace:
    return made_space(tmp_path)


def test_costs_that_are_known_are_said_to_be_exact(space: TableSpace) -> None:
    task = make_task(space, maximize="accuracy", minimize=["latency_ms", "macs_m"])
    assert [(found.name, found.maximise, found.is_measured) for found in task.objectives] == [
        ("accuracy", True, True),
        ("latency_ms", False, True),
        ("macs_m", False, False),
    ]
    assert [len(scale.point) for scale in task.scales] == [3, 3]


def test_rungs_stand_in_the_order_of_their_cost(space: TableSpace) -> None:
    fidelities = [Fidelity(column="macs_m", cost=0.5), Fidelity(column="accuracy_low", cost=0.1)]
    task = make_task(space, **GOOD, fidelities=fidelities)
    assert task.rung_costs == (0.1, 0.5, 1.0)
    row = made_rows()[0]
    assert task.rung_accuracies[0].tolist() == [row["accuracy_low"], row["macs_m"], row["accuracy"]]


def test_rules_bound_what_the_scales_count(space: TableSpace) -> None:
    ruled = space.with_rules(["macs_m <= 8"])
    assert isinstance(ruled, TableSpace)
    task = make_task(ruled, **GOOD)
    wide = task.scales[1]
    kept = [row for row in made_rows() if row["macs_m"] <= 8]
    assert wide.point == (min(row["accuracy"] for row in kept), max(row["latency_ms"] for row in kept))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({**GOOD, "minimize": []}, "no cost to minimize; .*; give --minimize COLUMN"),
        ({**GOOD, "minimize": ["accuracy"]}, "objectives accuracy, accuracy; allowed: one accuracy to maximize"),
        ({**GOOD, "minimize": ["latency"]}, r"objective 'latency' is no column of .*; did you mean 'latency_ms'\?"),
        ({**GOOD, "minimize": ["op0"]}, r"line 2: op0 is 'none'|line 66: op0 is 'skip'; allowed: a finite number"),
        ({**GOOD, "fidelities": [Fidelity(column="accuracy_low", cost=2)]}, "costs 2 full trainings; allowed: above 0"),
        (
            {**GOOD, "fidelities": [Fidelity(column=name, cost=0.5) for name in ("accuracy_low", "macs_m")]},
            "two fidelities cost the same",
        ),
        ({**GOOD, "reference": [1.0]}, "--reference has 1 values; one for each of accuracy, latency_ms"),
    ],
)
def test_what_makes_no_sense_is_refused(space: TableSpace, options: dict[str, Any], message: str) -> None:
    with pytest.raises(BenchError, match=message):
        make_task(space, **options)


def test_rules_that_leave_no_row_are_refused(space: TableSpace) -> None:
    ruled = space.with_rules(["macs_m < 0"])
    assert isinstance(ruled, TableSpace)
    with pytest.raises(BenchError, match=r"no row of .* obeys macs_m < 0; some have to; loosen a rule"):
        make_task(ruled, **GOOD)
