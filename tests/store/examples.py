"""Studies, trials and results with plausible values, for tests of the store and for its child processes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bench.space import Architecture
from bench.store import MeasurementRecord, ScoreRecord, Store, StudyRecord, TrialRecord


def ticking_clock() -> Callable[[], datetime]:
    """A clock that moves on by one second each time it is read."""
    now = datetime(2026, 1, 1, tzinfo=UTC)

    def read() -> datetime:
        nonlocal now
        now += timedelta(seconds=1)
        return now

    return read


def add_study(store: Store, name: str = "first") -> StudyRecord:
    return store.create_study(
        name,
        config={"budget": 24, "rules": ["macs_g <= 1.5"]},
        space_name="fastvit",
        space_text="family: fastvit\n",
        space_hash="ab" * 32,
        objectives={"latency_ms": "minimize", "accuracy": "maximize"},
        hypervolume_reference={},
        seed=2**63 - 1,
        versions={"bench": "0.1.0"},
        git_revision=None,
        fingerprint={"cpu": "x86-64", "cores": 2},
    )


def add_trial(store: Store, study: StudyRecord, architecture_id: str = "a0") -> TrialRecord:
    return store.add_trial(
        study.id,
        architecture_id=architecture_id,
        architecture={"family": "fastvit", "settings": {"stem_width": 48}, "stages": [{"depth": 2}]},
        source="sampler:tpe",
        seed=7,
        proposal={"parameters": {"stage1.width": 3}},
    )


def add_score(store: Store, trial: TrialRecord, rung: int = 0, accuracy: float = 0.5) -> ScoreRecord:
    return store.record_score(
        trial.id,
        rung=rung,
        accuracy=accuracy,
        loss=1.25,
        fidelity={"data": "fractals", "images": 1000 * 2**rung, "resolution": 64},
        curve=[{"images": 500, "loss": 2.0}, {"images": 1000, "loss": 1.25}],
        seconds=4.5,
        weights_path=f"weights/{trial.number}-{rung}.safetensors",
    )


def add_scored_trial(store: Store, architecture: Architecture) -> TrialRecord:
    """A real network as the first trial of study `first`, with 25 % after 2,000 pictures."""
    trial = store.add_trial(
        add_study(store).id,
        architecture_id=architecture.id,
        architecture=architecture.to_dict(),
        source="sampler:tpe",
        seed=0,
        proposal={},
    )
    fidelity = {"data": "fractals", "images_seen": 2000}
    store.record_score(
        trial.id, rung=0, accuracy=0.25, loss=1.0, fidelity=fidelity, curve=[], seconds=1.0, weights_path="w"
    )
    return trial


def add_measurement(store: Store, trial: TrialRecord | None) -> MeasurementRecord:
    return store.record_measurement(
        trial_id=trial.id if trial else None,
        architecture_id=trial.architecture_id if trial else None,
        runner="cpu",
        runtime="onnxruntime",
        threads=1,
        resolution=256,
        artifact_sha256="cd" * 32,
        verdict="valid",
        reason=None,
        protocol={"restarts": 3, "blocks": 4},
        fingerprint={"cpu": "x86-64"},
        summary={"median_ms": 12.5},
        samples={"artifact": [[[12_500_001, 12_499_998]]], "reference": [[[11_000_000, 11_000_001]]]},
    )
