"""The smallest networks that a runtime really loads and times, and jobs of them: a second of a device or less."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from measure.conftest import RESOLUTION, write_onnx
from onnx import helper

from bench.measure.job import Job, JobArtifact

# One child process, two visits of two runs, nothing to wait for.
LEAST = {
    "resolution": RESOLUTION,
    "restarts": 1,
    "most_restarts": 1,
    "blocks": 2,
    "iterations": 2,
    "warmup_ms": 5.0,
    "target": 10.0,
    "twin": "never",
    "repeats": False,
}


def tiny(path: Path, *, layers: int = 1, weight: float = 0.05) -> JobArtifact:
    """A few 3 x 3 convolutions and an average, with what they compute: that saves the device a child process."""
    names = ["picture", *(f"hidden{index}" for index in range(layers))]
    nodes = [
        helper.make_node("Conv", [names[index], "kernel"], [names[index + 1]], pads=[1, 1, 1, 1])
        for index in range(layers)
    ]
    nodes.append(helper.make_node("GlobalAveragePool", [names[-1]], ["logits"]))
    kernel = np.linspace(-weight, 2 * weight, 81, dtype=np.float32).reshape(3, 3, 3, 3)
    return replace(write_onnx(path, nodes, {"kernel": kernel}), logits=_computed(path))


def job_of(*artifacts: JobArtifact, reference: JobArtifact, **settings: Any) -> Job:
    return Job(artifacts=artifacts, reference=reference, **{**LEAST, **settings})


def _computed(path: Path) -> tuple[float, ...]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    picture = np.random.default_rng(0).standard_normal((1, 3, RESOLUTION, RESOLUTION), dtype=np.float32)
    return tuple(float(value) for value in session.run(None, {"picture": picture})[0].ravel())
