from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from bench.measure import JobArtifact
from bench.measure.runtimes import onnx_runtime
from bench.measure.verdict import misplaced

from ..conftest import RESOLUTION, MakeOnnx, write_onnx


def task_of(artifact: JobArtifact, **settings: Any) -> dict[str, Any]:
    content = Path(artifact.path).read_bytes()
    base = {"runtime": "onnxruntime", "precision": "fp32", "threads": 1, "resolution": RESOLUTION, "content": content}
    return base | settings


def test_each_run_has_a_sample_and_the_output_is_kept(convolution: MakeOnnx) -> None:
    task = task_of(convolution())
    model = onnx_runtime.load(task)
    samples = model.time(5)
    assert len(samples) == 5
    assert min(samples) > 0
    assert model.is_finite()
    assert model.details["providers"] == ["CPUExecutionProvider"]
    assert model.details["input"] == [1, 3, RESOLUTION, RESOLUTION]


def test_every_load_has_the_same_picture(convolution: MakeOnnx) -> None:
    first, second = (onnx_runtime.load(task_of(convolution())) for _ in range(2))
    pictures = [next(iter(model._feed.values())) for model in (first, second)]
    assert np.array_equal(pictures[0], pictures[1])
    assert first.time(1)
    assert second.time(1)
    assert first.output() == second.output()


def test_operators_and_their_places_are_those_after_optimisation(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["picture", "kernel"], ["sums"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["sums"], ["logits"]),
    ]
    artifact = write_onnx(tmp_path / "relu.onnx", nodes, {"kernel": np.full((3, 3, 3, 3), 0.01, np.float32)})
    details = onnx_runtime.load(task_of(artifact, describes=True)).details
    assert "Relu" not in details["operators"]  # part of the convolution by now
    assert details["placement"] == {"CPUExecutionProvider": sum(details["operators"].values())}
    assert misplaced(details) is None


def test_plain_form_computes_the_same(convolution: MakeOnnx) -> None:
    artifact = convolution(layers=3)
    plain, optimised = (onnx_runtime.load(task_of(artifact, is_plain=flag)) for flag in (True, False))
    assert plain.time(1)
    assert optimised.time(1)
    assert plain.output() == pytest.approx(optimised.output(), rel=1e-4)


def test_provider_that_this_build_lacks_is_named() -> None:
    if "CUDAExecutionProvider" in onnx_runtime.ort.get_available_providers():
        pytest.skip("this build of ONNX Runtime has CUDA")
    with pytest.raises(RuntimeError, match="onnxruntime-cuda needs CUDAExecutionProvider; install onnxruntime-gpu"):
        onnx_runtime.start({"runtime": "onnxruntime-cuda", "threads": 1})


def test_other_resolution_is_an_error(convolution: MakeOnnx) -> None:
    task = task_of(convolution(), resolution=64)
    with pytest.raises(ValueError, match=r"its input is \[1, 3, 16, 16\], the job times \[1, 3, 64, 64\]"):
        onnx_runtime.load(task)
