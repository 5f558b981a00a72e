from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.errors import MeasureError
from bench.measure.imports import read_results

from .test_result import write


def query(start: float, compute: float, **more: float) -> dict[str, float]:
    """One query as trtexec 8.6 and newer write it: 0.1 ms each way."""
    done = start + 0.1 + compute
    return {
        "startEnqMs": start,
        "endEnqMs": start + 0.05,
        "startH2dMs": start,
        "endH2dMs": start + 0.1,
        "startComputeMs": start + 0.1,
        "endComputeMs": done,
        "startD2hMs": done,
        "endD2hMs": done + 0.1,
        "h2dMs": 0.1,
        "computeMs": compute,
        "d2hMs": 0.1,
        "latencyMs": compute + 0.2,
        **more,
    }


PROFILE = [
    {"count": 120},
    {"name": "Conv_0 + Relu_1", "timeMs": 60.0, "averageMs": 0.5, "medianMs": 0.49, "percentage": 66.7},
    {"name": "never ran", "timeMs": 0, "averageMs": 0, "medianMs": 0, "percentage": 0},
    {"name": "MatMul_2", "timeMs": 30.0, "averageMs": 0.25, "medianMs": 0.25, "percentage": 33.3},
]

LOG = """\
&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # trtexec --onnx=/home/someone/t8.onnx --fp16 --shapes=x:1x3x256x256
[11/22/2026-10:00:00] [I] === Device Information ===
[11/22/2026-10:00:00] [I] Selected Device: NVIDIA H200
[11/22/2026-10:00:00] [I] Selected Device UUID: GPU-SECRET
[11/22/2026-10:00:20] [I] Warmup completed 200 queries over 200 ms
[11/22/2026-10:00:20] [I] Timing trace has 3000 queries over 3 s
[11/22/2026-10:00:23] [I] === Performance summary ===
[11/22/2026-10:00:23] [I] Throughput: 1000 qps
[11/22/2026-10:00:23] [I] Latency: min = 0.9 ms, max = 2 ms, mean = 1.1 ms, median = 1 ms, percentile(90%) = 1.2 ms, \
percentile(99%) = 1.5 ms
[11/22/2026-10:00:23] [I] Enqueue Time: min = 0.1 ms, max = 1 ms, mean = 0.2 ms, median = 0.2 ms, percentile(99%) = 1 ms
[11/22/2026-10:00:23] [I] H2D Latency: min = 0.1 ms, max = 1 ms, mean = 0.1 ms, median = 0.1 ms, percentile(99%) = 1 ms
[11/22/2026-10:00:23] [I] GPU Compute Time: min = 0.7 ms, max = 1 ms, mean = 0.8 ms, median = 0.75 ms, \
percentile(99%) = 1 ms
[11/22/2026-10:00:23] [I] D2H Latency: min = 0.1 ms, max = 1 ms, mean = 0.1 ms, median = 0.1 ms, percentile(99%) = 1 ms
&&&& PASSED TensorRT.trtexec [TensorRT v8601] # trtexec --onnx=/home/someone/t8.onnx --fp16 --shapes=x:1x3x256x256
"""


def test_times_are_read(tmp_path: Path) -> None:
    (found,) = read_results(write(tmp_path / "t8.json", [query(200, 1.0), query(202, 1.5), query(204, 1.1)]))
    assert (found.label, found.tool, found.device, found.placement) == ("t8", "trtexec", None, {})
    assert found.samples_ns == (1_200_000, 1_700_000, 1_300_000)
    assert found.latency_ms == pytest.approx(1.3)
    assert found.summary["compute_median_ms"] == pytest.approx(1.1)
    assert found.statistic == "median of 3 queries, with data transfers"
    assert found.fingerprint == {"tool": "trtexec", "source": "exportTimes"}
    assert len(found.notes) == 1


def test_times_of_older_versions_tell_of_their_warm_up(tmp_path: Path) -> None:
    old = {
        "startInMs": 0.0,
        "endInMs": 0.1,
        "startComputeMs": 0.1,
        "endComputeMs": 1.1,
        "startOutMs": 1.1,
        "endOutMs": 1.2,
        "inMs": 0.1,
        "computeMs": 1.0,
        "outMs": 0.1,
        "latencyMs": 1.2,
        "endToEndMs": 2.0,
    }
    (found,) = read_results(write(tmp_path / "old.json", [old, old]))
    assert found.latency_ms == pytest.approx(1.2)
    assert found.notes[1] == "trtexec of this version writes its warm-up queries too (200 ms by default)"


def test_profile_is_read_as_the_sum_of_its_layers(tmp_path: Path) -> None:
    (found,) = read_results(write(tmp_path / "profile.json", PROFILE))
    assert found.summary == {"mean_ms": 0.75}
    assert found.statistic == "mean of 120 queries, summed over 2 layers"
    assert found.placement == {"TensorRT": 2}
    assert "not comparable" in found.notes[0]


def test_log_is_read(tmp_path: Path) -> None:
    (found,) = read_results(write(tmp_path / "log.txt", LOG))
    assert (found.label, found.tool_version, found.device, found.precision) == ("t8", "8.6.1", "NVIDIA H200", "fp16")
    assert found.latency_ms == 1.0
    assert found.summary == {
        "min_ms": 0.9,
        "max_ms": 2.0,
        "mean_ms": 1.1,
        "median_ms": 1.0,
        "p90_ms": 1.2,
        "p99_ms": 1.5,
        "compute_median_ms": 0.75,
        "compute_mean_ms": 0.8,
    }
    assert found.statistic == "median of 3000 queries, with data transfers"
    assert found.fingerprint["flags"] == ["fp16", "shapes=x:1x3x256x256"]
    assert "SECRET" not in repr(found)
    assert "someone" not in repr(found)


def test_log_of_several_runs_gives_as_many_results(tmp_path: Path) -> None:
    second = (
        LOG.replace("t8.onnx --fp16", "sa12.onnx")
        .replace("v8601", "v100300] [b17")
        .replace("median = 1 ms", "median = 3 ms")
    )
    first, other = read_results(write(tmp_path / "log.txt", LOG + second))
    assert (first.label, first.latency_ms) == ("t8", 1.0)
    assert (other.label, other.latency_ms, other.tool_version, other.precision) == ("sa12", 3.0, "10.3.0", "fp32")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([query(0, -1.0)], "is '-0.8'; times above 0"),
        ([query(0, 1.0) | {"computeMs": "1"}], "computeMs is '1'; times above 0"),
        ([{"count": 0}, *PROFILE[1:]], "count is '0'; a whole number above 0 is needed"),
        ([PROFILE[0], PROFILE[2]], "a profile in which no layer ran; one or more are needed; "),
        ([PROFILE[0], {"averageMs": None}], "averageMs is 'None'; times above 0"),
        (LOG.replace("PASSED", "FAILED"), "a log of trtexec without a run that passed; "),
        (LOG.replace("GPU Compute", "Other"), "a log of trtexec without 'Latency' or 'GPU Compute Time'; "),
        (LOG.replace("median = 1 ms", "middle = 1 ms"), "its mean and median are needed"),
        (LOG.replace("median = 1 ms", "median = 1e999 ms"), "median is 'inf'; times above 0"),
        (LOG.replace("median = 1 ms", "median = 1-1 ms"), "median is '1-1'; times above 0"),
    ],
)
def test_results_without_sound_times_are_refused(tmp_path: Path, content: Any, text: str) -> None:
    with pytest.raises(MeasureError) as caught:
        read_results(write(tmp_path / "result.json", content))
    assert text in str(caught.value)
    assert str(caught.value).startswith("result.json: ")
