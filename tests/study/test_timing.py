"""A timing job as a worker does it, in this process: real networks, real export, real timing."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from scripted import CPU, config_of, measurement

from bench.measure import summarise
from bench.networks.cost import cost_quantities
from bench.space import every, load_space
from bench.study.jobs import job_from_dict, job_to_dict, work
from bench.study.timer import Timer
from bench.study.timing import TimingJob, comparable, make_artifacts
from bench.study.untrained import score_at_size

POINT = load_space("smoke").reference_points["smoke_repmixer"]


@pytest.fixture
def job(tmp_path: Path) -> TimingJob:
    config = config_of(timing={"restarts": 1, "blocks": 2, "iterations": 2})
    made, _ = make_artifacts(config, POINT, tmp_path / "reference", "reference", (CPU,))
    return TimingJob(
        candidates=((7, POINT.to_dict()),),
        config=config.to_dict(),
        folder=str(tmp_path),
        timers=(CPU.to_dict(),),
        references={"onnx": {"64": dataclasses.asdict(made["cpu"])}},
        reference_ms={},
        threads=torch.get_num_threads(),
    )


def test_candidates_are_prepared_one_by_one_and_timed_in_one_session(job: TimingJob, tmp_path: Path) -> None:
    other = next(found for found in every(load_space("smoke"), cost_quantities) if found != POINT)
    two = dataclasses.replace(job, candidates=(*job.candidates, (9, other.to_dict())))
    updates = list(work(job_from_dict(json.loads(json.dumps(job_to_dict(two))))))
    assert [(number, update["kind"]) for number, update in updates] == [
        (7, "prepared"), (9, "prepared"), (7, "measured"), (9, "measured"),
    ]  # fmt: skip
    (_, first), _, (_, measured), (_, second) = updates
    assert set(first["figures"]) == {"params_m", "macs_g", "peak_memory_mb", "artifact_mb"}
    assert first["artifact"]["fold_error"] <= 1e-10
    assert measured["figures"]["latency_ms"] > 0
    # The same network beside itself.
    assert measured["summary"]["ratio_to_reference"] == pytest.approx(1.0, abs=0.9)
    assert measured["measurement"]["session"] == second["measurement"]["session"]
    assert measured["seconds"] == second["seconds"]
    assert [found["measurement"]["resolution"] for found in (measured, second)] == [64, 64]
    json.dumps(updates)  # they go from process to process as text
    assert not list((tmp_path / "artifacts").iterdir())
    assert not (tmp_path / "logs").is_dir() or not list((tmp_path / "logs").iterdir())


def test_a_zero_cost_score_that_is_bounded_is_told_before_the_training(job: TimingJob, tmp_path: Path) -> None:
    standards = {"naswot": [90.0, 900.0, 30.0]}
    asked = dataclasses.replace(job, timers=(), references={}, standards=standards, cache_folder=str(tmp_path))
    ((number, update),) = work(job_from_dict(json.loads(json.dumps(job_to_dict(asked)))))
    expected, _ = score_at_size(POINT, standards, seed=0, cache=tmp_path)
    assert (number, update["kind"]) == (7, "prepared")
    assert update["figures"]["zero_cost_at_size"] == expected
    assert 0.0 <= expected <= 1.0
    assert update["seconds"]["zero-cost score"] > 0.0
    assert not list((tmp_path / "artifacts").glob("*00007*"))


def test_one_that_cannot_be_prepared_fails_alone(job: TimingJob, tmp_path: Path) -> None:
    impossible = {**POINT.to_dict(), "family": "fastvit", "settings": {**POINT.to_dict()["settings"], "stem_width": -1}}
    updates = list(work(dataclasses.replace(job, candidates=((6, impossible), *job.candidates))))
    assert [(number, update["kind"]) for number, update in updates] == [
        (6, "failed"), (7, "prepared"), (7, "measured"),
    ]  # fmt: skip
    assert updates[0][1]["reason"]


def test_a_session_that_cannot_begin_fails_whoever_waits_for_it(job: TimingJob) -> None:
    updates = list(work(dataclasses.replace(job, references={})))
    assert [(number, update["kind"]) for number, update in updates] == [(7, "prepared"), (7, "failed")]


def test_what_registered_runners_time_is_left_for_them(job: TimingJob, tmp_path: Path) -> None:
    away = Timer(name="pi5", kind="cpu", runtime="onnxruntime", is_remote=True, figure="latency_ms")
    ((number, update),) = work(dataclasses.replace(job, timers=(away.to_dict(),), references={}))
    assert (number, update["kind"], update["beside"]) == (7, "prepared", "64")
    (artifact,) = update["files"].values()
    assert Path(artifact["path"]) == tmp_path / "artifacts" / "trial-7.onnx"
    assert (artifact["label"], artifact["resolution"], len(artifact["logits"])) == ("trial-7", 64, 1000)
    json.dumps(update)
    assert [path.name for path in (tmp_path / "artifacts").iterdir()] == ["trial-7.onnx"]


def test_a_candidate_is_timed_here_before_it_is_sent_elsewhere(job: TimingJob) -> None:
    here = dataclasses.replace(CPU, figure="latency_ms:cpu")
    away = Timer(name="pi5", kind="cpu", runtime="onnxruntime", is_remote=True, figure="latency_ms:pi5")
    both = dataclasses.replace(job, timers=(here.to_dict(), away.to_dict()), reference_ms={"64:cpu": 5.0})
    (_, prepared), (_, measured) = work(job_from_dict(json.loads(json.dumps(job_to_dict(both)))))
    assert set(prepared["files"]) == {"pi5"}
    assert set(measured["figures"]) == {"latency_ms:cpu"}
    ratio = measured["summary"]["ratio_to_reference"]
    assert measured["figures"]["latency_ms:cpu"] == pytest.approx(5.0 * ratio)


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
