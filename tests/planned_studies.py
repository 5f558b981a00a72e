"""Studies of any size with plausible figures, made from a seed and written straight through the store.

    python -m planned_studies big.db --trials 100000      (in the folder tests)

Each trial is the same whether it is written with thousands of others (`write_study`) or one by one, as a search does
(`tell_trial`): what it is follows from the seed and its number.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from made_fields import score_fields, timing_fields
from made_studies import create_study, made_store
from plans import TOP_RUNG, Plan, Trial, trial
from sqlalchemy import func, insert, select

from bench.store import Store, StudyRecord, TrialRecord, latency_figure
from bench.store.tables import EventRow, MeasurementRow, ScoreRow, TrialRow
from bench.study.config import StudyConfig

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
IMAGES = (896, 2656, 8000)
REFERENCE_MS = 20.0
CORNER = {"accuracy": 0.0, "latency_ms": 60.0, "params_m": 40.0, "macs_g": 8.0, "artifact_mb": 160.0}
_CHUNK = 2000


def write_study(path: Path, plan: Plan) -> None:
    """Adds the study with all its trials to a database, thousands of rows a transaction."""
    now = BEGIN
    with made_store(path, clock=lambda: now) as store:
        study = add_study(store, plan)
        with store._reading() as session:
            first = 1 + (session.scalar(select(func.max(TrialRow.id))) or 0)
        for begin in range(0, plan.num_trials, _CHUNK):
            numbers = range(begin, min(begin + _CHUNK, plan.num_trials))
            _write(store, study, plan, [trial(plan, number) for number in numbers], first_id=first + begin)
        now = _moment(plan.num_trials)
        if plan.status is not None:
            store.set_study_status(study.id, plan.status)  # type: ignore[arg-type]  # a plan of a test says which


def add_study(store: Store, plan: Plan) -> StudyRecord:
    """The study without trials, with its worst corner stated."""
    config = StudyConfig.from_dict(
        {
            "space": "fastvit",
            "budget": max(plan.num_trials, 1),
            "rules": list(plan.rules),
            "sampler": plan.sampler,
            "seed": plan.seed,
            "proxy": {"images": IMAGES[-1], "rungs": TOP_RUNG + 1},
            "timing": {"runners": list(plan.runners)} if len(plan.runners) > 1 else {"runner": plan.runners[0]},
            "data": {"source": plan.data},
        }
    )
    names = [name for each in plan.objectives for name in _on_each(each, plan.runners)]
    return create_study(
        store,
        plan.name,
        config,
        names,
        corner={name: CORNER[name.partition(":")[0]] for name in names},
        reference_ms={"256": REFERENCE_MS},
        fingerprint={"machine": {"cpu": plan.machine, "logical_cpus": 2}, "software": {"torch": "2.14.1"}},
    )


def tell_trial(store: Store, study: StudyRecord, plan: Plan, number: int) -> TrialRecord:
    """Tells of one trial as a search does, from its proposal to its end."""
    found = trial(plan, number)
    record = store.add_trial(
        study.id,
        architecture_id=found.architecture_id,
        architecture=found.architecture,
        source=found.source,
        seed=number,
        proposal={},
    )
    store.start_trial(record.id)
    store.record_costs(record.id, found.costs)
    for runner, ms in found.latencies.items():
        store.record_measurement(
            trial_id=record.id,
            architecture_id=record.architecture_id,
            runner=runner,
            **_timing(number, ms),
        )
    store.add_stage_seconds(record.id, {"time": 4.0, "train": 9.0 * max(len(found.scores), 1)})
    for rung, accuracy in enumerate(found.scores):
        store.record_score(record.id, accuracy=accuracy, **score_fields(rung, images_seen=IMAGES[rung]))
    return store.set_trial_status(record.id, found.status, reason=found.reason)  # type: ignore[arg-type]  # as above


def _write(store: Store, study: StudyRecord, plan: Plan, trials: Sequence[Trial], *, first_id: int) -> None:
    # The store's own methods are one transaction each, 5 to 10 a trial: minutes for what is written here in seconds.
    with store._writing() as session:
        ids = {found.number: first_id + place for place, found in enumerate(trials)}
        # Into the tables: rows of a mapped class go one by one wherever what is None differs from row to row.
        session.execute(insert(TrialRow.__table__), [_trial_row(study, found, ids[found.number]) for found in trials])
        scores = [row for found in trials for row in _score_rows(found, ids[found.number])]
        timings = [row for found in trials for row in _timing_rows(found, ids[found.number])]
        for table, rows in ((ScoreRow, scores), (MeasurementRow, timings)):
            if rows:
                session.execute(insert(table.__table__), rows)
        events = [
            {"study_id": study.id, "trial_id": ids[found.number], "kind": "trial_status", "data": {}, "created_at": at}
            for found in trials
            for at in [_moment(found.number)]
        ]
        session.execute(insert(EventRow.__table__), events)


def _trial_row(study: StudyRecord, found: Trial, trial_id: int) -> dict[str, Any]:
    at = _moment(found.number)
    return {
        "id": trial_id,
        "study_id": study.id,
        "number": found.number,
        "architecture_id": found.architecture_id,
        "architecture": found.architecture,
        "source": found.source,
        "status": found.status,
        "reason": found.reason,
        "seed": found.number,
        "costs": found.costs,
        "stage_seconds": {"time": 4.0, "train": 9.0 * max(len(found.scores), 1)},
        "rung": len(found.scores) - 1 if found.scores else None,
        "weights_path": None,
        "proposal": {},
        "created_at": at,
        "started_at": at,
        "finished_at": at + timedelta(seconds=40),
    }


def _score_rows(found: Trial, trial_id: int) -> Iterator[dict[str, Any]]:
    for rung, accuracy in enumerate(found.scores):
        at = _moment(found.number) + timedelta(seconds=10 + rung)
        fields = score_fields(rung, images_seen=IMAGES[rung])
        yield {"trial_id": trial_id, "accuracy": accuracy, "created_at": at, **fields}


def _timing_rows(found: Trial, trial_id: int) -> Iterator[dict[str, Any]]:
    for runner, ms in found.latencies.items():
        yield {
            "trial_id": trial_id,
            "architecture_id": found.architecture_id,
            "runner": runner,
            "label": None,
            "created_at": _moment(found.number) + timedelta(seconds=5),
            **_timing(found.number, ms),
        }


def _timing(number: int, ms: float) -> dict[str, Any]:
    chance = random.Random(number)
    blocks = [[[round(ms * 1e6 * chance.uniform(0.97, 1.05)) for _ in range(6)] for _ in range(2)] for _ in range(2)]
    reference = [[[round(REFERENCE_MS * 1e6 * chance.uniform(0.98, 1.03)) for _ in range(6)]] for _ in range(2)]
    samples = {"samples": blocks, "reference_samples": reference, "contended": [[False, False], [False, True]]}
    own = {"artifact_sha256": f"{number:064x}", "session": f"{number:032x}"}
    verdict = "valid" if number % 3 else "noisy"
    return {**timing_fields(ms, verdict=verdict, reference_ms=REFERENCE_MS, samples=samples), **own}


def _moment(number: int) -> datetime:
    return BEGIN + timedelta(seconds=60 * number)


def _on_each(objective: str, runners: tuple[str, ...]) -> list[str]:
    return [latency_figure(runner, runners) for runner in runners] if objective == "latency_ms" else [objective]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write a synthetic study into a database.")
    parser.add_argument("database", type=Path)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--name", default="synthetic")
    given = parser.parse_args()
    write_study(given.database, Plan(name=given.name, num_trials=given.trials))
