from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from bench.measure import Job, JobArtifact, Measurement, measure, resolve_runner, summarise
from bench.measure.gpu import gpus
from bench.networks import build
from bench.networks.weights import save_weights
from bench.space import load_space

RESOLUTION = 32


def weights_of(name: str, folder: Path, *, num_classes: int = 1000) -> JobArtifact:
    """The train form of a reference point of the smoke space, as an artifact of a job."""
    architecture = load_space("smoke").reference_points[name]
    path = save_weights(build(architecture, num_classes=num_classes), folder / f"{name}-{num_classes}.safetensors")
    return JobArtifact(
        label=path.stem,
        path=str(path),
        format="safetensors",
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        architecture_id=architecture.id,
        architecture=architecture.to_dict(),
        is_checked=True,
    )


def measure_smoke(folder: Path, *, runner: str) -> tuple[Measurement, ...]:
    artifacts = (weights_of("smoke_attention", folder), weights_of("smoke_repmixer", folder, num_classes=10))
    return measure(
        Job(
            artifacts=artifacts,
            reference=weights_of("smoke_repmixer", folder),
            runner=runner,
            runtime="torch",
            resolution=RESOLUTION,
            restarts=1,
            most_restarts=1,  # a disturbed one is not made up for
            blocks=2,
            iterations=3,
            target=10.0,
            repeats=False,
        )
    )


def test_network_is_rebuilt_folded_and_timed_on_the_cpu(tmp_path: Path) -> None:
    sound, misfit = measure_smoke(tmp_path, runner="cpu")
    assert sound.has_figures, sound.reason
    assert np.array(sound.samples).shape == (1, 2, 3)
    assert sound.fingerprint["loaded"]["torch"].startswith(sound.fingerprint["software"]["torch"])
    assert "BatchNorm2d" not in sound.protocol["processes"][0]["details"]["modules"]
    assert sound.protocol["processes"][0]["details"]["input"] == [1, 3, RESOLUTION, RESOLUTION]
    assert summarise(sound).median_ms > 0
    assert misfit.verdict == "failed"
    assert misfit.reason is not None
    assert misfit.reason.startswith("loading failed (restart 1 of 1): NetworkError: weights ")
    assert "do not fit the network" in misfit.reason


@pytest.mark.skipif(bool(gpus()), reason="this machine has a GPU")
def test_cuda_without_a_gpu_fails_with_the_reason(tmp_path: Path) -> None:
    (sound, _) = measure_smoke(tmp_path, runner="cuda")
    assert sound.verdict == "failed"
    assert sound.reason is not None
    assert "torch finds no usable GPU; a CUDA build of torch and an NVIDIA driver are needed" in sound.reason


@pytest.mark.skipif(not gpus(), reason="not run here: no NVIDIA GPU")
def test_network_is_timed_on_the_gpu(tmp_path: Path) -> None:
    resolve_runner("cuda")
    (sound, _) = measure_smoke(tmp_path, runner="cuda")
    assert sound.has_figures, sound.reason
    assert sound.protocol["processes"][0]["details"]["device"] == "cuda:0"
