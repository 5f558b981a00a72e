"""Studies written straight through the store, trial by trial with the figures that a test wants them to have."""

from __future__ import annotations

import functools
import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from made_fields import FINGERPRINT, score_fields, timing_fields
from scripted import config_of
from sqlalchemy import event

from bench.space import Architecture, Space, load_space
from bench.store import Store, StudyRecord, TrialRecord, open_store
from bench.study.config import StudyConfig
from bench.study.objectives import study_objectives

TOP = 1
CORNER = {"accuracy": 0.0, "latency_ms": 40.0, "params_m": 50.0, "macs_g": 10.0, "artifact_mb": 200.0}

# A page must show it as text.
HOSTILE = "<script>alert(1)</script>&\"'"


class MovingClock:
    """A clock that moves by a second each time it is read, and by more when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@functools.cache
def empty_database() -> bytes:
    """A database without studies; preparing one takes longer than most tests that need it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.db"
        open_store(path).close()
        return path.read_bytes()


def made_store(path: Path, clock: Callable[[], datetime] | None = None) -> Store:
    """A store that does not wait for the disk: its file is thrown away."""
    if not path.exists():
        path.write_bytes(empty_database())
    store = open_store(path, clock=MovingClock() if clock is None else clock)
    store._engine.dispose()
    event.listen(store._engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
    return store


@functools.cache
def _space() -> Space:
    """Read once: that takes longer than writing a trial."""
    return load_space("fastvit")


def network(number: int) -> Architecture:
    """A FastViT of its own for each number: the depths of three stages count in base 8, the widths stay."""
    plain = _space().reference_points["fastvit_t8"].to_dict()
    stages = [dict(stage) for stage in plain["stages"]]
    for place in range(4):
        stages[place]["depth"] = 1 + number // 8**place % 8
    return Architecture.from_dict({**plain, "stages": stages})


def add_study(
    store: Store,
    name: str = "made",
    *,
    objectives: Sequence[str] = ("accuracy", "latency"),
    corner: Mapping[str, float] | None = None,
    reference_ms: Mapping[str, float] | None = None,
    fingerprint: Mapping[str, Any] = FINGERPRINT,
    **settings: Any,
) -> StudyRecord:
    """A running study of two rungs with a reference point."""
    config = config_of(objectives=list(objectives), **{"space": "fastvit", "budget": 8, **settings})
    names = [found.name for found in study_objectives(config)]
    worst = {each: CORNER[each.partition(":")[0]] for each in names} if corner is None else corner
    return create_study(
        store, name, config, names, corner=worst, reference_ms=reference_ms or {"256": 10.0}, fingerprint=fingerprint
    )


def create_study(
    store: Store,
    name: str,
    config: StudyConfig,
    objectives: Sequence[str],
    *,
    corner: Mapping[str, float],
    reference_ms: Mapping[str, float],
    fingerprint: Mapping[str, Any],
) -> StudyRecord:
    """A study over these figures, whatever its settings would make of them; of no corner none is stated."""
    space = _space().with_rules(config.rules)
    study = store.create_study(
        name,
        config=config.to_dict(),
        space_name=space.name,
        space_text=space.text,
        space_hash=space.hash,
        objectives={each: "maximize" if each == "accuracy" else "minimize" for each in objectives},
        hypervolume_reference={},
        seed=config.seed,
        versions={"bench": "0.1.0"},
        git_revision=None,
        fingerprint=fingerprint,
    )
    return store.set_hypervolume_reference(study.id, corner, reference_ms=reference_ms) if corner else study


def add_trial(
    store: Store,
    study: StudyRecord,
    *,
    accuracy: float | None = 0.5,
    ms: float | Mapping[str, float] | None = 10.0,
    rung: int = TOP,
    status: str = "complete",
    reason: str | None = None,
    name: str | None = None,
    architecture: Architecture | None = None,
    verdict: str = "valid",
    costs: Mapping[str, float] | None = None,
) -> TrialRecord:
    """A trial as far as it is wanted: timed (`ms`, by runner where there are several), scored up to `rung`, ended.

    Args:
        accuracy: at `rung`; 0.1 less at each rung below. None: it was not scored.
        status: "queued" leaves it as it is added.
    """
    number = store.next_trial_number(study.id)
    found = network(number) if architecture is None else architecture
    trial = store.add_trial(
        study.id,
        architecture_id=found.id,
        architecture=found.to_dict(),
        source="sampler:tpe" if name is None else f"reference:{name}",
        seed=0,
        proposal={},
    )
    if status == "queued":
        return trial
    store.start_trial(trial.id)
    store.record_costs(trial.id, costs or {"params_m": 1.0 + number / 8, "macs_g": 0.1 + number / 80, "artifact_mb": 4})
    for runner, value in ({"cpu": ms} if not isinstance(ms, Mapping) else ms).items():
        if value is not None:
            add_timing(store, trial, runner=runner, ms=value, verdict=verdict)
    store.add_stage_seconds(trial.id, {"build": 0.5, "time": 2.0})
    for each in range(rung + 1) if accuracy is not None else ():
        assert accuracy is not None
        store.record_score(
            trial.id, accuracy=accuracy - 0.1 * (rung - each), **score_fields(each, images_seen=48 * (each + 1))
        )
        store.add_stage_seconds(trial.id, {"train": 3.0})
    if status != "running":
        store.set_trial_status(trial.id, status, reason=reason)
    return store.trial(trial.id)


def add_timing(store: Store, trial: TrialRecord, *, ms: float, runner: str = "cpu", verdict: str = "valid") -> None:
    """A measurement with intervals of 5 % and its samples."""
    store.record_measurement(
        trial_id=trial.id,
        architecture_id=trial.architecture_id,
        runner=runner,
        label="trial",
        **timing_fields(ms, verdict=verdict),
    )


def add_mixed(store: Store, name: str = "made", **settings: Any) -> StudyRecord:
    """A study with a trial of every kind: a front of three, a dominated, an early, a failed and a queued one."""
    study = add_study(store, name, **settings)
    add_trial(store, study, accuracy=0.5, ms=10.0, name="fastvit_t8")
    add_trial(store, study, accuracy=0.6, ms=20.0)
    add_trial(store, study, accuracy=0.55, ms=25.0)
    add_trial(store, study, accuracy=0.9, ms=5.0, rung=0, status="stopped", reason="not on the front")
    add_trial(store, study, accuracy=None, ms=None, status="failed", reason=f"it broke {HOSTILE}")
    add_trial(store, study, accuracy=0.7, ms=30.0)
    add_trial(store, study, status="queued")
    return store.study(study.name)


def add_random(store: Store, num: int, *, name: str = "random", seed: int = 0, **settings: Any) -> StudyRecord:
    """Many trials on no pattern, a third of them stopped early."""
    die = random.Random(seed)
    study = add_study(store, name, seed=seed, **settings)
    for _ in range(num):
        is_early = die.random() < 0.3
        values = {runner: round(die.uniform(5, 35), 3) for runner in study.runners}
        add_trial(
            store,
            study,
            accuracy=round(die.uniform(0.1, 0.9), 3),
            ms=values,
            rung=0 if is_early else TOP,
            status="stopped" if is_early else "complete",
            reason="not on the front" if is_early else None,
        )
    return store.study(name)


def add_final(store: Store, name: str = "final") -> StudyRecord:
    """The mixed study with its front of #0, #1 and #5 trained again with two seeds, of which #5 fell out."""
    study = add_mixed(store, name, retrain={"seeds": 2})
    by_number = {trial.number: trial for trial in store.trials(study.id)}
    for number, accuracy in ((0, 0.5), (1, 0.65), (5, 0.6)):
        add_retrainings(store, by_number[number], accuracy)
    return store.study(name)


def add_retrainings(store: Store, trial: TrialRecord, accuracy: float) -> None:
    """With two seeds, whose mean is this accuracy."""
    for seed, score in ((1, accuracy - 0.01), (2, accuracy + 0.01)):
        store.record_retraining(trial.id, seed=seed, accuracy=score, fidelity={"images_seen": 96}, seconds=3.0)
