from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from bench.errors import MeasureError
from bench.measure import FULL, Job, JobArtifact, Setup

SHA256 = "0" * 64
ARTIFACT = JobArtifact(label="a", path="a.onnx", format="onnx", sha256=SHA256, architecture_id="abc")
REFERENCE = JobArtifact(label="fastvit_t8", path="t8.onnx", format="onnx", sha256=SHA256)
JOB = Job(artifacts=(ARTIFACT,), reference=REFERENCE, resolution=256)


def test_job_survives_json() -> None:
    assert Job.from_dict(json.loads(json.dumps(JOB.to_dict()))) == JOB
    setup = Setup(runtime="openvino", precision="bf16", options=(("stream", "1"),))
    rich = dataclasses.replace(ARTIFACT, setup=setup, logits=(1.5, -2.0), export={"opset": 20})
    job = dataclasses.replace(JOB, artifacts=(rich,), cpus=(0, 1), **FULL)
    assert Job.from_dict(json.loads(json.dumps(job.to_dict()))) == job
    assert job.setup_of(rich).name == "openvino bf16 stream=1"


def test_default_is_the_quick_form() -> None:
    assert (JOB.runner, JOB.runtime, JOB.threads, JOB.restarts) == ("cpu", "onnxruntime", 1, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"runtime": "onnxruntim"},
            r"unknown runtime 'onnxruntim'; known: onnxruntime, .*; did you mean 'onnxruntime'\?",
        ),
        ({"runner": "cuda"}, r"unknown runner of onnxruntime 'cuda'; known: cpu; choose one of them"),
        (
            {"runtime": "torch"},
            r"unknown format of 'fastvit_t8' for torch 'onnx'; known: safetensors; choose one of them",
        ),
        ({"artifacts": ()}, r"a job without artifacts; one or more are needed; add what is to be timed"),
        ({"artifacts": (ARTIFACT, ARTIFACT)}, r"label 'a' occurs twice; labels in a job are unique; rename one"),
        ({"artifacts": (REFERENCE,)}, r"label 'fastvit_t8' occurs twice"),
        ({"restarts": 0}, r"restarts 0; a whole number above 0 is needed; change it in the job"),
        ({"blocks": 1.5}, r"blocks 1.5; a whole number above 0 is needed"),
        ({"resolution": -1}, r"resolution -1; a whole number above 0 is needed"),
        ({"deadline_s": float("nan")}, r"deadline_s nan; a number above 0 is needed"),
        ({"warmup_ms": float("inf")}, r"warmup_ms inf; a number above 0 is needed"),
        ({"precision": "fp16"}, r"unknown precision of onnxruntime 'fp16'; known: fp32; choose one of them"),
        ({"channels_last": True}, r"channels_last for onnxruntime; torch's runtimes know it; leave it out"),
        ({"twin": "sometimes"}, r"unknown twin 'sometimes'; known: always, first, never"),
        ({"target": 0}, r"target 0; a number above 0 is needed"),
        ({"visit_ms": -1.0}, r"visit_ms -1.0; a number above 0 is needed"),
        ({"runner": "gpu"}, r"unknown runner 'gpu'; known: cpu, cuda, apple"),
        ({"seed": -1}, r"seed -1; a whole number of 0 or more is needed"),
    ],
)
def test_malformed_job_is_an_error(change: dict[str, Any], message: str) -> None:
    with pytest.raises(MeasureError, match=message):
        dataclasses.replace(JOB, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": ""}, "an artifact without a label"),
        (
            {"format": "pickle"},
            "unknown artifact format of 'a' 'pickle'; known: aimodel, mlpackage, onnx, pte",
        ),
        ({"sha256": "abc"}, "sha256 'abc' of 'a'; 64 hex digits are needed; hash the file again"),
        ({"format": "safetensors"}, "'a' has weights and no architecture; give both, or an ONNX file"),
    ],
)
def test_malformed_artifact_is_an_error(change: dict[str, Any], message: str) -> None:
    with pytest.raises(MeasureError, match=message):
        dataclasses.replace(ARTIFACT, **change)


def test_unknown_key_names_the_nearest() -> None:
    with pytest.raises(MeasureError, match=r"unknown job key 'restart'; known: .*; did you mean 'restarts'\?"):
        Job.from_dict({**JOB.to_dict(), "restart": 3})


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"artifacts": [{}]},
        {"artifacts": 3},
        {**JOB.to_dict(), "threads": "many"},
        {**JOB.to_dict(), "reference": None},
    ],
)
def test_job_of_the_wrong_shape_is_an_error(data: dict[str, Any]) -> None:
    with pytest.raises(MeasureError, match=r"malformed job|whole number above 0 is needed"):
        Job.from_dict(data)
