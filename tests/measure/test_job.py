from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from bench.errors import MeasureError
from bench.measure import Job, JobArtifact

SHA256 = "0" * 64
ARTIFACT = JobArtifact(label="a", path="a.onnx", format="onnx", sha256=SHA256, architecture_id="abc")
REFERENCE = JobArtifact(label="fastvit_t8", path="t8.onnx", format="onnx", sha256=SHA256)
JOB = Job(artifacts=(ARTIFACT,), reference=REFERENCE, resolution=256)


def test_job_survives_json() -> None:
    assert Job.from_dict(json.loads(json.dumps(JOB.to_dict()))) == JOB


def test_default_is_the_quick_form() -> None:
    assert (JOB.runner, JOB.runtime, JOB.threads, JOB.restarts) == ("cpu", "onnxruntime", 1, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"runtime": "onnxruntim"},
            r"unknown runtime 'onnxruntim'; known: onnxruntime, torch; did you mean 'onnxruntime'\?",
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
        ({"format": "pickle"}, "unknown artifact format of 'a' 'pickle'; known: onnx, safetensors"),
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
