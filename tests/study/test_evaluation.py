"""A training job as a worker does it, in this process: real network, real pictures."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from scripted import config_of

from bench.errors import TrainingError
from bench.networks import build
from bench.networks.weights import load_weights
from bench.space import Architecture, load_space
from bench.study.evaluation import EvaluationJob, checkpoint_path, evaluate, proxy_resolution, weights_path
from bench.study.worker import Update

POINT = load_space("smoke").reference_points["smoke_repmixer"]
RUNGS = (32, 64, 96)


@pytest.fixture
def job(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> EvaluationJob:
    config = config_of(
        data={"classes": 2, "per_class": 24, "val_per_class": 6},
        proxy={"images": 96, "rungs": 3, "batch_size": 16},
        timing={"restarts": 1, "blocks": 2, "iterations": 2},
    )
    return EvaluationJob(
        number=7,
        architecture=POINT.to_dict(),
        rung=0,
        rungs=RUNGS,
        config=config.to_dict(),
        folder=str(tmp_path),
        is_prepared=True,
        threads=torch.get_num_threads(),
        device="cpu",
        cache_folder=str(tmp_path_factory.getbasetemp() / "cache"),
    )


def scored(job: EvaluationJob) -> Update:
    *_, (_, last) = evaluate(job)
    assert last["kind"] == "scored"
    return last


def at_rung(job: EvaluationJob, rung: int, **fields: Any) -> EvaluationJob:
    return dataclasses.replace(job, rung=rung, **fields)


def test_a_candidate_that_is_not_timed_is_prepared_before_its_training(job: EvaluationJob, tmp_path: Path) -> None:
    new = at_rung(job, 0, is_prepared=False)
    numbers, updates = zip(*evaluate(EvaluationJob.from_dict(json.loads(json.dumps(new.to_dict())))), strict=True)
    assert set(numbers) == {7}
    assert [update["kind"] for update in updates if update["kind"] != "training"] == ["prepared", "scored"]
    assert set(updates[0]["figures"]) == {"params_m", "macs_g", "peak_memory_mb", "artifact_mb"}
    assert updates[-1]["images"] == 32
    json.dumps(updates)  # they go from process to process as text
    assert not list((tmp_path / "artifacts").iterdir())
    assert not (tmp_path / "logs").is_dir() or not list((tmp_path / "logs").iterdir())


def test_rungs_are_stations_of_one_training(job: EvaluationJob, tmp_path: Path) -> None:
    scored(job)
    assert checkpoint_path(tmp_path, 7, 0).is_file()
    assert scored(at_rung(job, 1))["images"] == 32
    assert not checkpoint_path(tmp_path, 7, 0).exists()
    by_stations = scored(at_rung(job, 2))
    assert by_stations["weights_path"] == "weights/00007.safetensors"
    assert not list((tmp_path / "checkpoints").iterdir())
    first = weights_path(tmp_path, 7).read_bytes()
    # A checkpoint that is gone costs time and changes nothing.
    at_once = scored(at_rung(job, 2))
    assert at_once["images"] == 96
    assert at_once["score"]["accuracy"] == by_stations["score"]["accuracy"]
    assert at_once["score"]["loss"] == by_stations["score"]["loss"]
    assert weights_path(tmp_path, 7).read_bytes() == first


def test_a_training_of_the_front_has_its_seed_and_leaves_no_file(job: EvaluationJob, tmp_path: Path) -> None:
    scores = [scored(at_rung(job, 0, rungs=(96,), seed=seed))["score"] for seed in (1, 2, 1)]
    assert scores[0]["loss"] == scores[2]["loss"] != scores[1]["loss"]
    assert [score["fidelity"]["images_seen"] for score in scores] == [96] * 3
    assert [score["fidelity"]["training"]["seed"] for score in scores] == [1, 2, 1]
    assert not list(tmp_path.glob("weights/*"))
    assert not list(tmp_path.glob("checkpoints/*"))


def test_kept_weights_fit_the_network(job: EvaluationJob, tmp_path: Path) -> None:
    scored(at_rung(job, 2))
    load_weights(build(Architecture.from_dict(job.architecture), num_classes=2, seed=0), weights_path(tmp_path, 7))


def test_a_diverging_training_fails_with_its_reason(job: EvaluationJob) -> None:
    proxy = {**job.config["proxy"], "learning_rate": 0.999, "weight_decay": 1e30}
    with pytest.raises(TrainingError, match="the training diverged"):
        scored(at_rung(job, 0, config={**job.config, "proxy": proxy}, rungs=(3200,)))


def test_the_proxy_sees_a_quarter_of_the_resolution_and_never_too_little() -> None:
    assert [proxy_resolution(side) for side in (64, 224, 256, 300, 384, 528)] == [64, 64, 64, 64, 96, 128]
