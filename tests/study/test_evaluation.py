"""One job as a worker does it, in this process: real network, real export, real timing, real pictures."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from command import ROOT
from scripted import config_of, measurement

from bench.errors import TrainingError
from bench.measure import summarise
from bench.networks import build
from bench.networks.weights import load_weights
from bench.space import Architecture, load_space
from bench.study.config import StudyConfig
from bench.study.evaluation import (
    EvaluationJob,
    Update,
    checkpoint_path,
    comparable,
    crash_report,
    evaluate,
    make_artifact,
    proxy_resolution,
    weights_path,
)

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
        reference=None,
        reference_ms=None,
        is_prepared=True,
        threads=torch.get_num_threads(),
        device="cpu",
        cache_folder=str(tmp_path_factory.getbasetemp() / "cache"),
    )


def scored(job: EvaluationJob) -> Update:
    *_, last = evaluate(job)
    assert last["kind"] == "scored"
    return last


def at_rung(job: EvaluationJob, rung: int, **fields: Any) -> EvaluationJob:
    return dataclasses.replace(job, rung=rung, **fields)


def test_a_new_candidate_is_prepared_timed_trained_and_scored(job: EvaluationJob, tmp_path: Path) -> None:
    artifact, _ = make_artifact(StudyConfig.from_dict(job.config), POINT, tmp_path / "reference", "reference")
    new = at_rung(job, 0, is_prepared=False, reference=dataclasses.asdict(artifact))
    updates = list(evaluate(EvaluationJob.from_dict(json.loads(json.dumps(new.to_dict())))))
    assert [update["kind"] for update in updates if update["kind"] != "training"] == ["prepared", "measured", "scored"]
    prepared, measured, *_, last = updates
    assert set(prepared["figures"]) == {"params_m", "macs_g", "artifact_mb"}
    assert prepared["artifact"]["fold_error"] <= 1e-10
    assert measured["figures"]["latency_ms"] > 0
    # The same network beside itself.
    assert measured["summary"]["ratio_to_reference"] == pytest.approx(1.0, abs=0.9)
    assert last["images"] == 32
    assert json.loads(json.dumps(updates))[1] == measured  # it goes from process to process as text
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


def test_kept_weights_fit_the_network(job: EvaluationJob, tmp_path: Path) -> None:
    scored(at_rung(job, 2))
    load_weights(build(Architecture.from_dict(job.architecture), num_classes=2, seed=0), weights_path(tmp_path, 7))


def test_a_diverging_training_fails_with_its_reason(job: EvaluationJob) -> None:
    proxy = {**job.config["proxy"], "learning_rate": 0.999, "weight_decay": 1e30}
    with pytest.raises(TrainingError, match="the training diverged"):
        scored(at_rung(job, 0, config={**job.config, "proxy": proxy}, rungs=(3200,)))


def test_the_proxy_sees_a_quarter_of_the_resolution_and_never_too_little() -> None:
    assert [proxy_resolution(side) for side in (64, 224, 256, 300, 384, 528)] == [64, 64, 64, 64, 96, 128]


DIES = """
import os, signal, sys
from pathlib import Path
from bench.study.evaluation import _crash_log
with _crash_log(Path(sys.argv[1]), 7):
    os.kill(os.getpid(), int(sys.argv[2]))
"""


@pytest.mark.parametrize(
    ("number", "words"),
    [(signal.SIGSEGV, "Segmentation fault"), (signal.SIGKILL, None)],
)
def test_the_last_words_of_a_worker_are_kept(tmp_path: Path, number: int, words: str | None) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", DIES, str(tmp_path), str(int(number))],
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == -number
    assert crash_report(tmp_path, 7) == words
    assert crash_report(tmp_path, 8) is None


def test_comparable_milliseconds_are_the_ratio_told_by_the_studys_reference() -> None:
    """A session in which everything ran twice as slowly gives the same figure as a quiet one."""
    architecture = POINT
    quiet = measurement(architecture, median_ms=8.0)
    slow = dataclasses.replace(
        quiet,
        samples=tuple(tuple(tuple(2 * ns for ns in block) for block in process) for process in quiet.samples),
        reference_samples=tuple(
            tuple(tuple(2 * ns for ns in block) for block in process) for process in quiet.reference_samples
        ),
    )
    told = [comparable(summarise(found), 4.0) for found in (quiet, slow)]
    assert [found["comparable_ms"] for found in told] == pytest.approx([8.0, 8.0])
    assert [found["median_ms"] for found in told] == pytest.approx([8.0, 16.0])
    assert all(found["comparable_low_ms"] <= found["comparable_ms"] <= found["comparable_high_ms"] for found in told)
    alone = comparable(summarise(slow), None)
    assert alone["comparable_ms"] == alone["median_ms"]
