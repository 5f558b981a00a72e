"""A study's plan as it is before anything has happened, and its trials as the store holds them."""

from __future__ import annotations

from bench.networks.cost import cost_quantities
from bench.space import Architecture, CostFunction, Space
from bench.store import Reader, TrialRecord
from bench.study.config import StudyConfig
from bench.study.objectives import Objective
from bench.study.plan import Plan
from bench.study.proposer import Proposal, Proposer, reference_points

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
) -> Plan:
    """The plan of a study before anything has happened."""
    proposer = Proposer(
        space,
        objectives,
        sampler=config.sampler,
        seed=config.seed,
        budget=config.budget,
        costs=costs,
    )
    is_timed = any(objective.name == "latency_ms" for objective in objectives)
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
        timing_batch=(config.timing.batch or max(_LEAST_BATCH, concurrency)) if is_timed else None,
    )


def stored_candidates(
    store: Reader, study_id: int
) -> list[tuple[TrialRecord, Proposal, dict[str, float], dict[int, float]]]:
    """Trials by number with their proposal, figures and accuracy by rung."""
    accuracy: dict[int, dict[int, float]] = {}
    for score in store.study_scores(study_id):
        accuracy.setdefault(score.trial_id, {})[score.rung] = score.accuracy
    latency = {found.trial_id: found.latency["ms"] for found in store.study_measurements(study_id) if found.summary}
    result = []
    for trial in store.trials(study_id):
        proposal = Proposal(
            architecture=Architecture.from_dict(trial.architecture), source=trial.source, state=trial.proposal
        )
        figures = {name: float(value) for name, value in trial.costs.items()}
        if trial.id in latency:
            figures["latency_ms"] = latency[trial.id]
        result.append((trial, proposal, figures, accuracy.get(trial.id, {})))
    return result
