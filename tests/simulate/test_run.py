"""Simulated searches: every proposal counts, equal networks come once, rungs cost what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_tables import made_rows, made_space

from bench.simulate import Evaluation, Fidelity, Noise, Settings, Task, curve_of, evaluations, usual_reduction
from bench.study.plan import Plan
from bench.study.proposer import SAMPLERS, Proposer

from .made import made_task


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return made_task(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def rungs(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return made_task(tmp_path_factory.mktemp("made"), fidelities=[Fidelity(column="accuracy_low", cost=0.1)])


def searched(
    task: Task, *, seed: int = 0, sampler: str = "random", budget: int = 40, **options: Any
) -> list[Evaluation]:
    return list(evaluations(task, Settings(sampler=sampler, budget=budget, **options), seed=seed))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_proposal_counts_and_is_another_network(task: Task, sampler: str) -> None:
    found = searched(task, sampler=sampler)
    assert [evaluation.number for evaluation in found] == list(range(40))
    assert len({evaluation.architecture_id for evaluation in found}) == 40
    assert [evaluation.spent for evaluation in found] == [float(number + 1) for number in range(40)]
    assert all(evaluation.is_top for evaluation in found)
    assert searched(task, sampler=sampler) == found
    assert searched(task, sampler=sampler, seed=1) != found


def test_a_search_of_all_networks_ends_with_the_whole_front(task: Task) -> None:
    found = searched(task, budget=1000)
    assert len(found) == len({row["network"] for row in made_rows()})
    curve = curve_of(task, found)
    for scale in ("tight", "wide"):
        assert (np.diff(curve.shares[scale]) >= 0).all()
        assert curve.shares[scale][-1] == pytest.approx(1.0)


def told_to(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, ...] | None]:
    """What every proposer is told from now on, by the proposer itself."""
    told: list[tuple[float, ...] | None] = []
    tell = Proposer.tell

    def listen(self: Proposer, number: int, values: Sequence[float] | None, **more: Any) -> None:
        told.append(None if values is None else tuple(values))
        tell(self, number, values, **more)

    monkeypatch.setattr(Proposer, "tell", listen)
    return told


def test_as_many_proposals_are_pending_as_are_asked_for(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    pending: list[int] = []
    next_job = Plan.next_job

    def listen(self: Plan) -> object:
        found = next_job(self)
        pending.append(len(self.running))
        return found

    monkeypatch.setattr(Plan, "next_job", listen)
    told = told_to(monkeypatch)
    found = searched(task, in_flight=4)
    assert max(pending) == 4
    # Always four but while the last ones end.
    assert pending.count(4) >= len(found) - 4
    assert [evaluation.number for evaluation in found] == list(range(40))
    assert len(told) == 40


def test_rows_without_a_value_fail_and_count(tmp_path: Path) -> None:
    rows = [{**row, "accuracy": ""} if row["op0"] == "conv3" else row for row in made_rows()]
    task = made_task(tmp_path, rows=rows)
    assert task.num_failing == 64
    found = searched(task, budget=60)
    failed = [evaluation for evaluation in found if evaluation.is_failed]
    assert failed
    assert len(found) == 60
    assert not any(evaluation.is_top for evaluation in failed)
    curve = curve_of(task, found)
    assert curve.end == 60.0
    for place, evaluation in enumerate(found[1:], start=1):
        if evaluation.is_failed:
            assert curve.shares["wide"][place] == curve.shares["wide"][place - 1]


def test_noise_is_told_and_not_counted(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    told = told_to(monkeypatch)
    noise = Noise(relative={"latency_ms": 0.05}, absolute={"accuracy": 0.5})
    found = searched(task, budget=100, noise=noise)
    truth = task.values[[evaluation.row for evaluation in found]]
    heard = np.array(told)
    assert np.std(heard[:, 0] - truth[:, 0]) == pytest.approx(0.5, rel=0.25)
    assert np.std(np.log(heard[:, 1] / truth[:, 1])) == pytest.approx(0.05, rel=0.25)
    # Random proposals do not depend on what is told, so that the curves are the same.
    plain = curve_of(task, searched(task, budget=100))
    assert curve_of(task, found).shares["wide"].tolist() == plain.shares["wide"].tolist()


@pytest.mark.parametrize("in_flight", [1, 4])
def test_halving_pays_for_what_it_trains(rungs: Task, in_flight: int) -> None:
    found = searched(rungs, budget=60, in_flight=in_flight)
    low = [evaluation for evaluation in found if evaluation.rung == 0]
    high = [evaluation for evaluation in found if evaluation.rung == 1]
    assert len(low) == 60
    assert 20 <= len(high) < 40
    assert {evaluation.number for evaluation in high} <= {evaluation.number for evaluation in low}
    assert found[-1].spent == pytest.approx(60 * 0.1 + len(high) * 0.9)
    # What was seen at the low rung alone is worth nothing yet.
    assert [evaluation.is_top for evaluation in found] == [evaluation.rung == 1 for evaluation in found]


def test_halving_promotes_by_what_the_low_rung_tells(rungs: Task) -> None:
    """Whoever is on the front of (low accuracy, latency) in the end has been trained fully."""
    found = searched(rungs, budget=60)
    lows = {evaluation.number: evaluation.row for evaluation in found if evaluation.rung == 0}
    trained = {evaluation.number for evaluation in found if evaluation.rung == 1}
    points = {number: (rungs.rung_accuracies[row, 0], rungs.values[row, 1]) for number, row in lows.items()}
    for number, (accuracy, latency) in points.items():
        if not any(a >= accuracy and c <= latency and (a, c) != (accuracy, latency) for a, c in points.values()):
            assert number in trained


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_sparse_table_is_searched_to_its_end(tmp_path: Path, sampler: str) -> None:
    """Most of what a sampler suggests has no row: the nearest one that is left stands in."""
    rows = made_rows()[3::13]
    space = made_space(tmp_path, rows=rows)
    task = made_task(tmp_path, rows=rows)
    networks = {row["network"] for row in rows}
    found = searched(task, sampler=sampler, budget=100)
    assert len(found) == len(networks)
    sources = {evaluation.source for evaluation in found}
    assert f"sampler:{sampler}" in sources
    assert space.row_of(space.at_row(found[0].row)) == found[0].row


def test_a_rung_lets_as_many_pass_as_it_is_cheaper() -> None:
    assert usual_reduction((0.1, 1.0)) == pytest.approx(10.0)
    assert usual_reduction((1 / 9, 1 / 3, 1.0)) == pytest.approx(3.0)
    assert usual_reduction((0.05, 0.1, 1.0)) == pytest.approx(20**0.5)
    assert usual_reduction((1.0,)) == 3.0
