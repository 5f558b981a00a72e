from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.measure.runtimes import onnxruntime_cpu

from ..conftest import RESOLUTION, MakeOnnx


def test_each_run_has_a_sample_and_the_output_is_kept(convolution: MakeOnnx) -> None:
    task = {"threads": 1, "resolution": RESOLUTION, "seed": 0, "content": Path(convolution().path).read_bytes()}
    model = onnxruntime_cpu.load(task)
    samples = model.time(5)
    assert len(samples) == 5
    assert min(samples) > 0
    assert model.is_finite()
    assert model.details["providers"] == ["CPUExecutionProvider"]
    assert model.details["input"] == [1, 3, RESOLUTION, RESOLUTION]


def test_input_picture_is_seeded(convolution: MakeOnnx) -> None:
    content = Path(convolution().path).read_bytes()
    first, second, third = (
        onnxruntime_cpu.load({"threads": 1, "resolution": RESOLUTION, "seed": seed, "content": content})
        for seed in (1, 1, 2)
    )
    pictures = [next(iter(model._feed.values())) for model in (first, second, third)]
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


def test_other_resolution_is_an_error(convolution: MakeOnnx) -> None:
    task = {"threads": 1, "resolution": 64, "seed": 0, "content": Path(convolution().path).read_bytes()}
    with pytest.raises(ValueError, match=r"its input is \[1, 3, 16, 16\], the job times \[1, 3, 64, 64\]"):
        onnxruntime_cpu.load(task)
