"""One simulated search: the plan of a study whose trainings are looked up in a table.

`Plan`, its halving and its `Proposer` are those of `bench search`; this file stands where workers and devices stand
there. Jobs end in the order in which they began, so that a seed gives the same search again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.simulate.task import Task
from bench.space import Architecture
from bench.study.plan import Plan, PlannedTraining
from bench.study.proposer import Proposer


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How far what is told is from the truth: standard deviations by column.

    Attributes:
        relative: of a lognormal factor: 0.05 is 5 %.
        absolute: of a normal sum, in the column's own unit.
    """

    relative: Mapping[str, float] = field(default_factory=dict)
    absolute: Mapping[str, float] = field(default_factory=dict)

    def of(self, column: str, value: float, random: np.random.Generator) -> float:
        """What is told in place of a true value; two numbers are drawn whatever is set."""
        factor, sum_ = random.standard_normal(2)
        factor, sum_ = factor * self.relative.get(column, 0.0), sum_ * self.absolute.get(column, 0.0)
        return float(value * np.exp(factor) + sum_)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a task is searched.

    Attributes:
        sampler: a key of `bench.study.proposer.SAMPLERS`.
        budget: proposals; every one counts, failed ones too.
        in_flight: proposals that are pending at a time.
        reduction: with fidelities, one in so many goes on to the next rung.
        noise: on what the search is told; it is judged by the truth.
    """

    sampler: str
    budget: int
    in_flight: int = 1
    reduction: float = 3.0
    noise: Noise = field(default_factory=Noise)


def usual_reduction(rung_costs: Sequence[float]) -> float:
    """How many come to a rung for each that goes on, so that each rung costs about what the next one does.

    That is what successive halving does (Jamieson and Talwalkar, 2016) and what a study's rungs of pictures do: with a
    short training that costs a seventeenth, three in fifty go on. The geometric mean where there are several steps; 3
    where there is none.
    """
    steps = len(rung_costs) - 1
    return float((rung_costs[-1] / rung_costs[0]) ** (1.0 / steps)) if steps else 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A training that has ended.

    Attributes:
        number: of the proposal, from 0.
        architecture_id: of the network.
        row: of the task's values.
        source: who proposed it.
        rung: that it reached, from 0.
        spent: on all trainings so far, in full ones.
        is_top: whether it was a full training that succeeded: what counts for the hypervolume.
        is_failed: whether the table lacks a value.
    """

    number: int
    architecture_id: str
    row: int
    source: str
    rung: int
    spent: float
    is_top: bool
    is_failed: bool


def evaluations(task: Task, settings: Settings, *, seed: int) -> Iterator[Evaluation]:
    """The trainings of one search, in the order in which they end.

    Raises:
        ConfigError: a sampler that is not known.
    """
    proposer = Proposer(
        task.space,
        task.objectives,
        sampler=settings.sampler,
        seed=seed,
        budget=settings.budget,
        costs=task.space.costs,
    )
    plan = Plan(
        proposer,
        task.objectives,
        rungs=range(1, len(task.rung_costs) + 1),
        reduction=settings.reduction,
        budget=settings.budget,
        concurrency=settings.in_flight,
        references={},
        max_failures=settings.budget + 1,
        timing_batch=None,
    )
    pending: deque[PlannedTraining] = deque()
    spent = 0.0
    while True:
        while (job := plan.next_job()) is not None:
            assert isinstance(job, PlannedTraining)  # nothing is timed
            pending.append(job)
        if not pending:
            return
        job = pending.popleft()
        below = task.rung_costs[job.rung - 1] if job.rung else 0.0
        spent += task.rung_costs[job.rung] - below
        row = _row(task, job.architecture)
        reason = _end(plan, task, settings, job, row=row, seed=seed)
        yield Evaluation(
            number=job.number,
            architecture_id=job.architecture.id,
            row=row,
            source=plan.candidates[job.number].source,
            rung=job.rung,
            spent=spent,
            is_top=reason is None and job.rung == len(task.rung_costs) - 1,
            is_failed=reason is not None,
        )


def _end(plan: Plan, task: Task, settings: Settings, job: PlannedTraining, *, row: int, seed: int) -> str | None:
    """Tells the plan what the table says of a training; the reason where it failed."""
    random = np.random.default_rng([seed, job.number, job.rung])
    accuracy, costs = task.rung_accuracies[row, job.rung], task.values[row, 1:]
    if np.isnan(accuracy) or np.isnan(costs).any():
        reason = "the table lacks a value of it"
        plan.failed(job.number, reason)
        return reason
    told = settings.noise.of(task.columns[0], float(accuracy), random)
    if job.rung == 0:
        figures = {
            name: settings.noise.of(name, float(value), random)
            for name, value in zip(task.columns[1:], costs, strict=True)
        }
        plan.figures(job.number, figures)
    plan.scored(job.number, job.rung, told)
    return None


def _row(task: Task, architecture: Architecture) -> int:
    row = task.space.row_of(architecture)
    assert row is not None  # what has no row is not proposed
    return row
