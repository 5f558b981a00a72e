from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import pareto
from bench.networks.cost import cost_quantities
from bench.space import load_space
from bench.study.objectives import parse_objectives
from bench.study.plan import Plan, PlannedTiming, PlannedTraining
from bench.study.proposer import Proposer, reference_points

RUNGS = (32, 96, 288)
OBJECTIVES = parse_objectives(("accuracy", "macs"))


def plan_of(
    *,
    budget: int = 6,
    concurrency: int = 1,
    rules: tuple[str, ...] = (),
    max_failures: int = 10,
    timing_batch: int | None = None,
) -> Plan:
    space = load_space("smoke").with_rules(rules)
    proposer = Proposer(space, OBJECTIVES, sampler="random", seed=0, budget=budget, costs=cost_quantities)
    return Plan(
        proposer,
        OBJECTIVES,
        rungs=RUNGS,
        reduction=3.0,
        budget=budget,
        concurrency=concurrency,
        references=reference_points(space, cost_quantities)[0],
        max_failures=max_failures,
        timing_batch=timing_batch,
    )


def finish(plan: Plan, accuracy: Callable[[PlannedTraining], float | None]) -> list[PlannedTraining]:
    """Runs a plan to its end, one job after the other; None fails the job."""
    jobs: list[PlannedTraining] = []
    while not plan.is_done:
        job = plan.next_job()
        if job is None:
            continue
        assert isinstance(job, PlannedTraining)
        jobs.append(job)
        assert len(jobs) < 500
        if (value := accuracy(job)) is None:
            plan.failed(job.number, "scripted")
        else:
            plan.figures(job.number, cost_quantities(job.architecture))
            plan.scored(job.number, job.rung, value)
    return jobs


def half(job: PlannedTraining) -> float | None:
    return 0.5


def test_reference_points_come_first_and_count() -> None:
    jobs = [job for job in finish(plan_of(budget=5), half) if job.proposal]
    sources = [job.proposal.source for job in jobs if job.proposal]
    assert sources[:2] == ["reference:smoke_repmixer", "reference:smoke_attention"]
    assert len({job.architecture.id for job in jobs}) == 5
    assert [job.number for job in jobs] == list(range(5))


def test_a_budget_below_the_reference_points_is_kept() -> None:
    assert len(finish(plan_of(budget=1), half)) == 3  # one candidate on three rungs


def test_a_budget_above_the_space_ends_with_the_reason() -> None:
    plan = plan_of(budget=100, rules=("macs_g <= 0.0006",))
    jobs = finish(plan, half)
    tried = {job.architecture.id for job in jobs}
    assert 3 < len(tried) < 30
    assert plan.stop_reason is None
    assert plan.exhausted_reason
    assert "used up" in plan.exhausted_reason


def test_no_more_jobs_than_places() -> None:
    plan = plan_of(budget=6, concurrency=3)
    assert [plan.next_job() is not None for _ in range(4)] == [True, True, True, False]
    assert len(plan.running) == 3
    plan.failed(1, "scripted")
    assert plan.next_job() is not None
    assert plan.next_job() is None


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)), min_size=8, max_size=8))
def test_the_front_of_every_rung_reaches_the_next(scores: list[tuple[int, int, int]]) -> None:
    plan = plan_of(budget=8)
    finish(plan, lambda job: scores[job.number][job.rung] / 5)
    for rung in range(len(RUNGS) - 1):
        reached = {n: c for n, c in plan.candidates.items() if rung in c.accuracy}
        points = [(c.accuracy[rung], c.figures["macs_g"]) for c in reached.values()]
        mask = pareto.front(points, maximise=(True, False))
        front = {number for number, is_front in zip(reached, mask, strict=True) if is_front}
        assert front <= {number for number, c in plan.candidates.items() if rung + 1 in c.accuracy}


def test_who_is_dominated_from_the_start_is_not_trained_to_the_top() -> None:
    plan = plan_of(budget=24)
    # The larger, the worse: only the smallest is ever on a front.
    jobs = finish(plan, lambda job: 1.0 - cost_quantities(job.architecture)["macs_g"] * 100)
    trained = sum(RUNGS[job.rung] - (RUNGS[job.rung - 1] if job.rung else 0) for job in jobs)
    assert trained < 24 * RUNGS[-1] / 3
    smallest = min(plan.candidates.values(), key=lambda candidate: candidate.figures["macs_g"])
    assert len(smallest.accuracy) == len(RUNGS)


def test_ten_failures_in_a_row_stop_with_the_reason() -> None:
    plan = plan_of(budget=30)
    jobs = finish(plan, lambda job: None)
    assert len(jobs) == 10
    assert plan.stop_reason == "10 failed trials in a row, the last because: scripted"
    assert plan.next_job() is None


def test_a_success_ends_a_row_of_failures() -> None:
    plan = plan_of(budget=30)
    finish(plan, lambda job: 0.5 if job.number in (9, 19) else None)
    assert plan.stop_reason is not None
    assert len(plan.candidates) == 30


def test_a_failure_at_a_higher_rung_leaves_the_front() -> None:
    plan = plan_of(budget=4)
    finish(plan, lambda job: None if job.rung == 2 and job.number == 0 else 0.5)
    assert plan.candidates[0].is_failed
    assert plan.stop_reason is None
    assert sum(not candidate.is_failed for candidate in plan.candidates.values()) == 3


def test_the_order_of_arrival_does_not_decide_who_goes_on(tmp_path: Path) -> None:
    """Else a study taken up again, which reads its scores by number, would go another way."""
    promoted = []
    for order in ((0, 1, 2, 3, 4, 5), (5, 3, 1, 0, 2, 4)):
        plan = plan_of(budget=6, concurrency=6)
        jobs = [plan.next_job() for _ in range(6)]
        for number in order:
            job = jobs[number]
            assert isinstance(job, PlannedTraining)
            plan.figures(number, cost_quantities(job.architecture))
            # A front of all six: the dearer, the more accurate, so that only ties have to be broken.
            plan.scored(number, 0, cost_quantities(job.architecture)["params_m"])
        following = plan.next_job()
        assert isinstance(following, PlannedTraining)
        promoted.append(following.number)
    assert promoted[0] == promoted[1]


def test_a_job_without_all_objectives_is_an_error() -> None:
    plan = plan_of()
    job = plan.next_job()
    assert isinstance(job, PlannedTraining)
    with pytest.raises(Exception, match="ended without a value for each objective"):
        plan.scored(job.number, 0, 0.5)


def test_one_batch_at_a_time_is_timed_while_others_train() -> None:
    plan = plan_of(budget=10, concurrency=2, timing_batch=4)
    first = plan.next_job()
    assert isinstance(first, PlannedTiming)
    assert first.numbers == (0, 1, 2, 3)
    assert plan.next_job() is None  # nothing can be trained yet, and no second batch is begun
    for number in first.numbers:
        plan.figures(number, {**cost_quantities(plan.candidates[number].architecture), "latency_ms": 1.0})
        plan.timed(number)
    trained = [plan.next_job() for _ in range(3)]
    assert [isinstance(job, PlannedTraining) and job.number for job in trained] == [0, 1, False]
    plan.failed(0, "scripted")
    plan.failed(1, "scripted")
    # Two wait and two places are free: no place would be without work.
    following = plan.next_job()
    assert isinstance(following, PlannedTraining)
    second = plan.next_job()
    assert isinstance(second, PlannedTiming)
    assert second.numbers == (4, 5, 6, 7)


def test_a_batch_fails_as_one_place_and_ends_with_its_last_candidate() -> None:
    plan = plan_of(budget=4, timing_batch=4, max_failures=3)
    batch = plan.next_job()
    assert isinstance(batch, PlannedTiming)
    for number in batch.numbers:
        assert not plan.is_done
        plan.failed(number, f"reason {number}")
    assert plan.is_done
    assert plan.stop_reason == "3 failed trials in a row, the last because: reason 2"


def test_what_is_away_takes_no_place_and_bounds_how_far_ahead_the_study_goes() -> None:
    plan = plan_of(budget=10, concurrency=2, timing_batch=2)
    for expected in ((0, 1), (2, 3)):
        batch = plan.next_job()
        assert isinstance(batch, PlannedTiming)
        assert batch.numbers == expected
        for number in batch.numbers:
            plan.sent(number)
    assert (plan.running, plan.away) == ([], [0, 1, 2, 3])
    assert plan.next_job() is None
    assert not plan.is_done
    for number in (0, 1):
        plan.timed(number)
    # What is timed is trained first; one batch away is far enough ahead while there is something to train.
    trained = [plan.next_job() for _ in range(3)]
    assert [isinstance(job, PlannedTraining) and job.number for job in trained] == [0, 1, False]
    plan.failed(0, "scripted")
    third = plan.next_job()
    assert isinstance(third, PlannedTiming)
    assert third.numbers == (4, 5)


def test_one_that_comes_back_without_its_time_is_prepared_again() -> None:
    plan = plan_of(budget=4, timing_batch=2)
    batch = plan.next_job()
    assert isinstance(batch, PlannedTiming)
    for number in batch.numbers:
        plan.sent(number)
    plan.untimed(1)
    again = plan.next_job()
    assert isinstance(again, PlannedTiming)
    assert (again.numbers, again.proposals) == ((1,), {})


def test_a_stopped_plan_waits_for_what_runs_and_not_for_what_is_away() -> None:
    plan = plan_of(budget=4, concurrency=2, timing_batch=2)
    batch = plan.next_job()
    assert isinstance(batch, PlannedTiming)
    plan.sent(0)
    plan.timed(1)
    assert isinstance(plan.next_job(), PlannedTraining)
    plan.stop("the runner is gone")
    plan.stop("and so is another")
    assert plan.next_job() is None
    assert not plan.is_done
    plan.failed(1, "scripted")
    assert plan.is_done
    assert (plan.stop_reason, plan.away) == ("the runner is gone", [0])
