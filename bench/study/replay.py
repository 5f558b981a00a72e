"""Proposes a study's architectures again from what it stored, to show that nothing else decided them."""

from __future__ import annotations

from bench.space import Architecture, parse_space
from bench.store import Store
from bench.study.config import StudyConfig
from bench.study.constraints import demands_of
from bench.study.objectives import study_objectives, values
from bench.study.proposer import Proposer
from bench.study.screening import costs_with, stored_model
from bench.study.stored import stored_candidates
from bench.study.warm_start import kept_earlier


def replay(store: Store, name: str) -> tuple[str, ...]:
    """Goes through the events of a study in order; one line for each proposal that comes out differently.

    Needs the versions of Optuna and NumPy that the study ran with.
    """
    study = store.study(name)
    config = StudyConfig.from_dict(study.config)
    objectives = study_objectives(config)
    proposer = Proposer(
        parse_space(study.space_text, source=f"space of study {name!r}"),
        objectives,
        sampler=config.sampler,
        seed=config.seed,
        budget=config.budget,
        costs=costs_with(stored_model(store, study.id)),
    )
    for earlier in kept_earlier(store, study.id):
        earlier.teach(proposer)
    demands = demands_of(config)
    trials = {trial.id: trial for trial in store.trials(study.id)}
    figures = {trial.id: found for trial, _, found, _ in stored_candidates(store, study)}
    told: set[int] = set()
    differences = []
    for event in store.events(study.id):
        trial = trials.get(event.trial_id or -1)
        if trial is None:
            continue
        if event.kind == "trial_added":
            architecture = Architecture.from_dict(trial.architecture)
            if trial.source.startswith("reference:"):
                proposal = proposer.propose_given(trial.number, architecture, trial.source)
            else:
                proposal = proposer.propose(trial.number)
            if proposal.architecture != architecture:
                differences.append(
                    f"trial {trial.number} is {architecture.id} and would be {proposal.architecture.id} now"
                )
        elif event.kind == "score":
            known = {**figures[trial.id], objectives[0].name: event.data["accuracy"]}
            proposer.tell(
                trial.number, values(objectives, known), rung=event.data["rung"], constraints=demands.told(known)
            )
            told.add(trial.number)
        elif event.kind == "trial_status" and event.data.get("to") == "stopped" and trial.number not in told:
            known = figures[trial.id]
            proposer.tell(trial.number, values(objectives, known), constraints=demands.told(known))
            told.add(trial.number)
        elif event.kind == "trial_status" and event.data.get("to") == "failed" and trial.number not in told:
            proposer.tell(trial.number, None)
    return tuple(differences)
