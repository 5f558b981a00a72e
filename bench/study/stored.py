"""A study's plan as it is before anything has happened, and its trials as the store holds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.networks.cost import cost_quantities
from bench.space import Architecture, CostFunction, Space
from bench.store import Reader, StudyRecord, TrialRecord, latency_figure
from bench.study.config import StudyConfig
from bench.study.constraints import demands_of
from bench.study.objectives import Objective, is_timed
from bench.study.plan import Plan
from bench.study.proposer import Proposal, Proposer, reference_points

if TYPE_CHECKING:
    from bench.study.warm_start import EarlierSearch

# Candidates timed together at least. Forty in one session took 0.43 of the time of forty sessions (results/measured);
# most of that comes with the first few, and each more is proposed before the scores of those before it are known.
_LEAST_BATCH = 4


def make_plan(
    config: StudyConfig,
    space: Space,
    objectives: tuple[Objective, ...],
    rungs: tuple[int, ...],
    *,
    concurrency: int,
    costs: CostFunction = cost_quantities,
    earlier: Sequence[EarlierSearch] = (),
) -> Plan:
    """The plan of a study before anything has happened; `earlier` is what other studies have found."""
    proposer = Proposer(
        space,
        objectives,
        sampler=config.sampler,
        seed=config.seed,
        budget=config.budget,
        costs=costs,
    )
    for found in earlier:
        found.teach(proposer)
    demands = demands_of(config)
    # Preparing several together gains nothing where nothing is timed.
    timing_batch = (config.timing.batch or max(_LEAST_BATCH, concurrency)) if is_timed(objectives) else None
    tried, _ = reference_points(space, costs) if config.try_reference_points else ({}, {})
    return Plan(
        proposer,
        objectives,
        rungs=rungs,
        reduction=config.proxy.reduction,
        budget=config.budget,
        concurrency=concurrency,
        references=tried,
        max_failures=config.max_failures,
        demands=demands,
        timing_batch=1 if timing_batch is None and demands.figures else timing_batch,
    )


def stored_candidates(
    store: Reader, study: StudyRecord
) -> list[tuple[TrialRecord, Proposal, dict[str, float], dict[int, float]]]:
    """Trials by number with their proposal, figures and accuracy by rung."""
    accuracy: dict[int, dict[int, float]] = {}
    for score in store.study_scores(study.id):
        accuracy.setdefault(score.trial_id, {})[score.rung] = score.accuracy
    latencies: dict[int | None, dict[str, float]] = {}
    for found in store.study_measurements(study.id):
        if found.summary:
            latencies.setdefault(found.trial_id, {})[latency_figure(found.runner, study.runners)] = found.latency["ms"]
    result = []
    for trial in store.trials(study.id):
        proposal = Proposal(
            architecture=Architecture.from_dict(trial.architecture), source=trial.source, state=trial.proposal
        )
        figures = {name: float(value) for name, value in trial.costs.items()}
        figures |= latencies.get(trial.id, {})
        result.append((trial, proposal, figures, accuracy.get(trial.id, {})))
    return result
