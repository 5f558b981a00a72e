from __future__ import annotations

import pytest

from bench.errors import MeasureError
from bench.measure import resolve_runner
from bench.measure.gpu import gpus


def test_cpu_runs_onnxruntime_by_default() -> None:
    runner = resolve_runner("cpu")
    assert (runner.runtime, runner.formats, runner.uses_cpu) == ("onnxruntime", ("onnx",), True)


def test_torch_is_a_second_runtime_on_the_cpu() -> None:
    assert resolve_runner("cpu", runtime="torch").formats == ("safetensors",)


@pytest.mark.parametrize(
    ("name", "runtime", "message"),
    [
        ("cuba", None, r"unknown runner 'cuba'; known: cpu, cuda, apple; did you mean 'cuda'\?"),
        ("gpu", "torch", r"unknown runner 'gpu'; known: cpu, cuda, apple; did you mean"),
        (
            "cpu",
            "tensorrt",
            r"runtime 'tensorrt' does not run on 'cpu'; known there: onnxruntime, torch,",
        ),
        ("cuda", "onnxruntime", r"runtime 'onnxruntime' does not run on 'cuda'; .*did you mean 'onnxruntime-cuda'"),
    ],
)
def test_unknown_runner_or_pair_is_an_error(name: str, runtime: str | None, message: str) -> None:
    with pytest.raises(MeasureError, match=message):
        resolve_runner(name, runtime=runtime)


@pytest.mark.skipif(bool(gpus()), reason="this machine has a GPU")
def test_cuda_without_a_gpu_is_an_early_error() -> None:
    with pytest.raises(
        MeasureError, match=r"runner 'cuda' finds no NVIDIA GPU .*; this machine has 'cpu'; use --runner cpu"
    ):
        resolve_runner("cuda")


@pytest.mark.skipif(not gpus(), reason="not run here: no NVIDIA GPU")
def test_cuda_with_a_gpu_runs_torch() -> None:
    runner = resolve_runner("cuda")
    assert (runner.runtime, runner.uses_cpu) == ("torch", False)
