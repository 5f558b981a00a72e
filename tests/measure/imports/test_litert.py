from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.errors import MeasureError
from bench.measure.imports import read_results

from .test_result import write

RESULT: dict[str, Any] = {
    "model": "/home/someone/t8.tflite",
    "model_size_mb": 15.3,
    "accelerators": ["GPU", "CPU"],
    "signature": "serving_default",
    "fully_accelerated": True,
    "num_threads": 4,
    "latency": {
        "init_ms": 12.5,
        "warmup_first_ms": 30.1,
        "warmup_avg_ms": 24.0,
        "num_warmup_runs": 5,
        "avg_ms": 23.0,
        "min_ms": 22.0,
        "max_ms": 40.0,
        "median_ms": 22.5,
        "std_ms": 2.0,
        "p5_ms": 22.1,
        "p95_ms": 30.0,
        "num_runs": 50,
    },
    "throughput_mb_s": 32.0,
}

TABLE = """\
2026-11-22 17:40:02 INFO benchmark_litert_model: Model:           /home/someone/t8.tflite
2026-11-22 17:40:02 INFO benchmark_litert_model: Model size:      15.30 MB
========================================
 BENCHMARK RESULTS
========================================
Model initialization:  12.50 ms
Warmup (first):        30.10 ms
Warmup (avg):          24.00 ms (5 runs)
Inference (avg):       23.00 ms (50 runs)
Inference (min):       22.00 ms
Inference (max):       40.00 ms
Inference (median):    22.50 ms
Inference (std):       0.00 ms
Throughput:            32.00 MB/s
Fully accelerated:     True
========================================
"""

LOG = """\
INFO: STARTING!
INFO: Num threads: [4]
INFO: Graph: [/data/local/tmp/t8.tflite]
INFO: Use gpu: [0]
INFO: Use xnnpack: [1]
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
INFO: Replacing 90 out of 96 node(s) with delegate (TfLiteXNNPackDelegate) node, yielding 3 partitions for subgraph 0.
INFO: The input model file size (MB): 15.9
INFO: Initialized session in 21.432ms.
INFO: Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
INFO: count=16 first=91020 curr=31300 min=30900 max=91020 avg=35125.5 std=14800 p5=30900 median=31300 p95=91020
INFO: Running benchmark for at least 50 iterations and at least 1 seconds but terminate if exceeding 150 seconds.
INFO: count=50 first=31500 curr=30900 min=30718 max=36410 avg=31118.1 std=1323 p5=30800 median=31000 p95=33000
INFO: Inference timings in us: Init: 21432, First inference: 91020, Warmup (avg): 35125.5, Inference (avg): 31118.1
INFO: Note: as the benchmark tool itself affects memory footprint, the following is only APPROXIMATE
"""

METRICS = {
    "name": "t8",
    "latency_metrics": {
        "avg_ms": 31.1,
        "median_ms": 31.0,
        "stddev_ms": 1.3,
        "init_ms": 21.4,
        "first_inference_ms": 91.0,
    },
    "misc_metrics": {"num_runs": 50},
}
CAMEL = {
    "name": "t8",
    "latencyMetrics": {"avgMs": 31.1, "medianMs": 31.0, "stddevMs": 1.3, "initMs": 21.4, "firstInferenceMs": 91.0},
    "miscMetrics": {"numRuns": 50},
}


def test_result_json_is_read(tmp_path: Path) -> None:
    (found,) = read_results(write(tmp_path / "result.json", RESULT))
    assert (found.label, found.tool, found.device) == ("t8", "litert-benchmark", None)
    assert found.latency_ms == 22.5
    assert found.statistic == "median of 50 runs"
    assert found.samples_ns == ()
    assert found.summary["p95_ms"] == 30.0
    assert found.summary["load_ms"] == 12.5
    assert found.compute_units == "GPU+CPU"
    assert found.fingerprint == {
        "tool": "litert-benchmark",
        "compute_units": "GPU+CPU",
        "fully_accelerated": True,
        "threads": 4,
    }
    assert found.notes == ("times are rounded to 0.01 ms",)
    assert "someone" not in repr(found)


def test_printed_table_is_read(tmp_path: Path) -> None:
    (found,) = read_results(write(tmp_path / "output.txt", TABLE))
    assert (found.label, found.latency_ms, found.statistic) == ("t8", 22.5, "median of 50 runs")
    assert found.summary["mean_ms"] == 23.0
    assert found.summary["first_ms"] == 30.1
    assert "std_ms" not in found.summary  # 0.00: below the last digit


def test_log_is_read(tmp_path: Path) -> None:
    (found,) = read_results(write(tmp_path / "log.txt", LOG))
    assert (found.label, found.tool) == ("t8", "benchmark_model")
    assert found.latency_ms == pytest.approx(31.0)
    assert found.statistic == "median of 50 runs"
    assert found.summary == pytest.approx(
        {
            "median_ms": 31.0,
            "mean_ms": 31.1181,
            "min_ms": 30.718,
            "max_ms": 36.41,
            "std_ms": 1.323,
            "p5_ms": 30.8,
            "p95_ms": 33.0,
            "load_ms": 21.432,
            "first_ms": 91.02,
            "warmup_mean_ms": 35.1255,
        }
    )
    assert found.compute_units == "xnnpack"
    assert found.placement == {"TfLiteXNNPackDelegate": 90, "built-in": 6}
    assert found.fingerprint == {
        "tool": "benchmark_model",
        "threads": 4,
        "delegates": ["TfLiteXNNPackDelegate"],
        "settings": ["xnnpack"],
    }


def test_line_of_androids_logcat_alone_is_read(tmp_path: Path) -> None:
    line = (
        "... tflite  : Inference timings in us: Init: 5685, First inference: 18535, "
        "Warmup (avg): 14462.3, Inference (avg): 14575.2"
    )
    (found,) = read_results(write(tmp_path / "mobilenet.log", line))
    assert (found.label, found.statistic, found.placement) == ("mobilenet", "mean of its runs", {})
    assert found.latency_ms == pytest.approx(14.5752)


def test_runs_in_one_log_keep_apart(tmp_path: Path) -> None:
    second = (
        LOG.replace("t8.tflite", "sa12.tflite").replace("31118.1", "62000.5").replace("median=31000", "median=61000")
    )
    second = second.replace("delegate (TfLiteXNNPackDelegate)", "delegate (TfLiteGpuDelegateV2)").replace(
        "Use gpu: [0]", "Use gpu: [1]"
    )
    first, other = read_results(write(tmp_path / "log.txt", LOG + second))
    assert (first.label, first.latency_ms) == ("t8", pytest.approx(31.0))
    assert (other.label, other.latency_ms) == ("sa12", pytest.approx(61.0))
    assert other.placement == {"TfLiteGpuDelegateV2": 90, "built-in": 6}
    assert other.compute_units == "gpu+xnnpack"


def test_two_delegates_and_the_rest_add_up(tmp_path: Path) -> None:
    line = "INFO: Replacing {} out of {} node(s) with delegate ({}) node, yielding 1 partitions for subgraph 0.\n"
    text = (
        line.format(60, 96, "TfLiteGpuDelegateV2")
        + line.format(30, 37, "TfLiteXNNPackDelegate")
        + LOG[LOG.index("INFO: The input") :]
    )
    (found,) = read_results(write(tmp_path / "log.txt", text))
    assert found.placement == {"TfLiteGpuDelegateV2": 60, "TfLiteXNNPackDelegate": 30, "built-in": 6}


def test_statistics_of_other_runs_are_not_taken(tmp_path: Path) -> None:
    text = "\n".join(line for line in LOG.splitlines() if "count=50" not in line)
    (found,) = read_results(write(tmp_path / "log.txt", text))
    assert found.statistic == "mean of its runs"
    assert "median_ms" not in found.summary


def test_runs_that_all_took_the_same_are_read(tmp_path: Path) -> None:
    timings = "Inference timings in us: Init: 1, First inference: 200, Warmup (avg): 200, Inference (avg): 200"
    text = f"count=3 curr=200(all same)\n{timings}\n"
    (found,) = read_results(write(tmp_path / "log.txt", text))
    assert found.statistic == "mean of 3 runs"
    assert found.summary["min_ms"] == found.summary["max_ms"] == pytest.approx(0.2)


@pytest.mark.parametrize("data", [METRICS, CAMEL])
def test_benchmark_result_is_read_in_either_spelling(tmp_path: Path, data: dict[str, Any]) -> None:
    (found,) = read_results(write(tmp_path / "result.json", data))
    assert (found.label, found.latency_ms, found.statistic) == ("t8", 31.0, "median of 50 runs")
    assert found.summary["std_ms"] == 1.3


def test_report_of_the_android_app_is_read(tmp_path: Path) -> None:
    data = {
        "name": "TFLite benchmark",
        "status": "OK",
        "benchmark config": "cpu_4threads",
        "average time in us": "init: 1007529, warmup: 1686.59, inference: 1687.92",
    }
    (found,) = read_results(write(tmp_path / "report.json", data))
    assert (found.latency_ms, found.statistic) == (pytest.approx(1.68792), "mean of its runs")
    assert found.fingerprint == {"tool": "benchmark_model", "app": "android", "settings": "cpu_4threads"}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (RESULT | {"latency": {"num_runs": 3}}, "neither a median nor a mean above 0; "),
        (RESULT | {"latency": {"avg_ms": 0.0, "median_ms": 0.0}}, "neither a median nor a mean above 0; "),
        (RESULT | {"latency": {"avg_ms": "fast"}}, "avg_ms is 'fast'; times above 0"),
        ({"average time in us": "fast"}, "average time 'fast'; init, warmup and inference are needed; "),
        (LOG.replace("(avg): 31118.1", "(avg): 1e99"), "a time is '1e+99'; times above 0"),
        (LOG.replace("(avg): 31118.1", "(avg): 3-1"), "a time is '3-1'; times above 0"),
        (TABLE.partition("Model init")[0], "neither a median nor a mean above 0; "),
    ],
)
def test_results_without_sound_times_are_refused(tmp_path: Path, content: Any, text: str) -> None:
    with pytest.raises(MeasureError) as caught:
        read_results(write(tmp_path / "result.json", content))
    assert text in str(caught.value)
