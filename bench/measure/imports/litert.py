"""LiteRT's benchmark tools: what `litert-benchmark` and `benchmark_model` write and print, as they are found.

Formats as in github.com/google-ai-edge/LiteRT, and github.com/tensorflow/tensorflow for the last two:

- litert/python/tools/benchmark_litert_model.py (`litert-benchmark` of the wheel ai-edge-litert): `--result_json`, and
  the table under "BENCHMARK RESULTS"; both round to 0.01 ms;
- tflite/tools/benchmark/benchmark_model.cc (`benchmark_model`, on its own or in Android's logcat): lines such as
  "count=50 first=... curr=... min=... max=... avg=... std=... p5=... median=... p95=..." (older versions end at std)
  and "Inference timings in us: Init: ..., First inference: ..., Warmup (avg): ..., Inference (avg): ...";
- tensorflow/lite/tools/benchmark/experimental/delegate_performance/android/README.md: the app's report.json, with
  "average time in us";
- tensorflow/lite/tools/benchmark/proto/benchmark_result.proto: `BenchmarkResult` as JSON. `benchmark_model` itself
  writes it in binary form (`--result_file_path`), which says less than what it prints and is not read.
"""

from __future__ import annotations

import re
from typing import Any

from bench.errors import MeasureError
from bench.measure.imports.result import Document, ImportedResult, base_name, known, milliseconds, text_or_none

_MS_PER_US = 1e-3
# Bounds keep a search of a hostile line from taking its length squared.
_NUMBER = r"([0-9][0-9.eE+-]*)"
_TIMINGS = re.compile(
    rf"Inference timings in us: Init: {_NUMBER}, First inference: {_NUMBER}, "
    rf"Warmup \(avg\): {_NUMBER}, Inference \(avg\): {_NUMBER}"
)
_COUNT = re.compile(r"count=(\d{1,9}) (.*)")
_PART = re.compile(rf"(first|curr|min|max|avg|std|p5|median|p95)={_NUMBER}")
_PARAMETER = re.compile(
    r"(Graph|Num threads|Use gpu|Use xnnpack|Use NNAPI|Use Hexagon): \[([^\]\n]{0,500})\]", re.IGNORECASE
)
_DELEGATE = re.compile(
    r"Replacing (\d{1,9})(?: out of (\d{1,9}))? node\(s\) with delegate \((.{1,80}?)\) node"
    r"(?:.{0,80}?for subgraph (\d{1,9}))?"
)
_AVERAGE = re.compile(rf"init: {_NUMBER}, warmup: {_NUMBER}, inference: {_NUMBER}")
_TABLE = "BENCHMARK RESULTS"
_ROW = re.compile(rf"(Model initialization|Warmup|Inference)(?: \((\w+)\))?: +{_NUMBER} ms(?: \((\d{{1,9}}) runs\))?")
_MODEL = re.compile(r"Model: +(.+)")
# Names of statistics in the tools' files -> in a summary.
_SUMMARY = {
    "median_ms": "median_ms",
    "avg_ms": "mean_ms",
    "min_ms": "min_ms",
    "max_ms": "max_ms",
    "std_ms": "std_ms",
    "stddev_ms": "std_ms",
    "p5_ms": "p5_ms",
    "p95_ms": "p95_ms",
    "init_ms": "load_ms",
    "warmup_first_ms": "first_ms",
    "first_inference_ms": "first_ms",
    "warmup_avg_ms": "warmup_mean_ms",
    "average_warm_up_ms": "warmup_mean_ms",
}


def read(document: Document) -> tuple[ImportedResult, ...] | None:
    """The results of one of the tools; None: it is something else.

    Raises:
        MeasureError: a time that is none.
    """
    data = document.data
    if isinstance(data, dict):
        data = {_snake(key): value for key, value in data.items()}
        if isinstance(data.get("latency"), dict) and "accelerators" in data:
            return (_from_result(document.label, data),)
        if isinstance(data.get("latency_metrics"), dict):
            return (_from_metrics(document.label, data),)
        if "average time in us" in data:
            return (_from_report(document.label, data),)
    if data is None and _TIMINGS.search(document.text):
        return _from_log(document)
    if data is None and _TABLE in document.text:
        return (_from_table(document),)
    return None


def _from_result(label: str, data: dict[str, Any]) -> ImportedResult:
    """`litert-benchmark --result_json`."""
    latency, units = data["latency"], data["accelerators"]
    allowed = "+".join(str(unit)[:20] for unit in units[:5]) if isinstance(units, list) else ""
    return ImportedResult(
        label=base_name(data.get("model"), label),
        tool="litert-benchmark",
        summary=_summary(latency),
        statistic=_statistic(latency, latency.get("num_runs")),
        compute_units=allowed or None,
        fingerprint=known(
            tool="litert-benchmark",
            compute_units=allowed,
            fully_accelerated=data.get("fully_accelerated"),
            threads=data.get("num_threads"),
        ),
        notes=("times are rounded to 0.01 ms",),
    )


def _from_table(document: Document) -> ImportedResult:
    """What `litert-benchmark` prints."""
    times: dict[str, Any] = {}
    runs = None
    for group, name, value, count in _ROW.findall(document.text.partition(_TABLE)[2]):
        key = {"Model initialization": "init", "Warmup": f"warmup_{name}"}.get(group, name)
        times[f"{key}_ms"] = _number(value)
        runs = int(count) if group == "Inference" and count else runs
    model = _MODEL.search(document.text)
    return ImportedResult(
        label=base_name(model[1] if model else None, document.label),
        tool="litert-benchmark",
        summary=_summary(times),
        statistic=_statistic(times, runs),
        fingerprint={"tool": "litert-benchmark"},
        notes=("times are rounded to 0.01 ms",),
    )


def _from_metrics(label: str, data: dict[str, Any]) -> ImportedResult:
    """A `BenchmarkResult` as JSON, in which protobuf may write names either way."""
    latency = {_snake(key): value for key, value in data["latency_metrics"].items()}
    other = data.get("misc_metrics")
    runs = {_snake(key): value for key, value in other.items()}.get("num_runs") if isinstance(other, dict) else None
    return ImportedResult(
        label=text_or_none(data.get("name")) or label,
        tool="benchmark_model",
        summary=_summary(latency),
        statistic=_statistic(latency, runs),
        fingerprint={"tool": "benchmark_model"},
    )


def _from_report(label: str, data: dict[str, Any]) -> ImportedResult:
    """The report.json of the Android app."""
    text = str(data["average time in us"])
    average = _AVERAGE.search(text)
    if average is None:
        raise MeasureError(f"average time {text[:60]!r}; init, warmup and inference are needed; run the app again")
    init, warmup, inference = (milliseconds(_number(value), "a time", scale=_MS_PER_US) for value in average.groups())
    settings = text_or_none(data.get("benchmark config"))
    return ImportedResult(
        label=label,
        tool="benchmark_model",
        summary={"mean_ms": inference, "load_ms": init, "warmup_mean_ms": warmup},
        statistic="mean of its runs",
        fingerprint=known(tool="benchmark_model", app="android", settings=settings),
    )


def _from_log(document: Document) -> tuple[ImportedResult, ...]:
    """One result for each run that `benchmark_model` printed, with what it had printed before."""
    results = []
    begin = 0
    for timings in _TIMINGS.finditer(document.text):
        results.append(_from_run(document.label, document.text[begin : timings.start()], timings))
        begin = timings.end()
    return tuple(results)


def _from_run(label: str, text: str, timings: re.Match[str]) -> ImportedResult:
    init, first, warmup, mean = (milliseconds(_number(value), "a time", scale=_MS_PER_US) for value in timings.groups())
    count, statistics = _counted(text, mean)
    times = {"mean_ms": mean, "load_ms": init, "first_ms": first, "warmup_mean_ms": warmup}
    settings = {name.lower(): value for name, value in _PARAMETER.findall(text)}
    placement = _placement(text)
    chosen = [name.removeprefix("use ") for name, value in settings.items() if name.startswith("use ") and value == "1"]
    return ImportedResult(
        label=base_name(settings.get("graph"), label),
        tool="benchmark_model",
        summary=statistics | times,
        statistic=f"{'median' if 'median_ms' in statistics else 'mean'} of {count or 'its'} runs",
        compute_units="+".join(chosen) or None,
        placement=placement,
        fingerprint=known(
            tool="benchmark_model",
            threads=_whole(settings.get("num threads")),
            delegates=sorted(set(placement) - {"built-in"}),
            settings=sorted(chosen),
        ),
        notes=("the tool names no device",),
    )


def _counted(text: str, mean: float) -> tuple[int | None, dict[str, float]]:
    """Number and statistics of the timed runs: those of the last runs, if their mean is the one that is told."""
    lines = _COUNT.findall(text)
    if not lines:
        return None, {}
    parts = {
        name: milliseconds(_number(value), name, scale=_MS_PER_US)
        for name, value in _PART.findall(lines[-1][1])
        if value != "0"
    }
    if "avg" not in parts and "curr" in parts:  # all runs took the same
        parts |= dict.fromkeys(("avg", "min", "max"), parts["curr"])
    if abs(parts.get("avg", 0.0) / mean - 1) > 1e-3:
        return None, {}
    return int(lines[-1][0]), {
        f"{name}_ms": parts[name] for name in ("median", "min", "max", "std", "p5", "p95") if name in parts
    }


def _placement(text: str) -> dict[str, int]:
    """Operators by delegate; what none of them took runs in LiteRT's built-in kernels."""
    found: dict[str, int] = {}
    totals: dict[str, int] = {}
    for taken, total, name, subgraph in _DELEGATE.findall(text):
        found[name] = found.get(name, 0) + int(taken)
        if total:  # of a later delegate, it counts the earlier one as an operator
            totals.setdefault(subgraph, int(total))
    rest = sum(totals.values()) - sum(found.values())
    return found | ({"built-in": rest} if totals and rest > 0 else {})


def _summary(times: dict[str, Any]) -> dict[str, float]:
    # 0 is less than the tools' last digit: not known.
    found = {
        name: milliseconds(times[key], key)
        for key, name in _SUMMARY.items()
        if key in times and times[key] is not None and times[key] != 0
    }
    if "median_ms" not in found and "mean_ms" not in found:
        raise MeasureError("neither a median nor a mean above 0; one of them is needed; run the benchmark again")
    return found


def _statistic(times: dict[str, Any], runs: Any) -> str:
    return f"{'median' if times.get('median_ms') else 'mean'} of {_whole(runs) or 'its'} runs"


def _whole(value: Any) -> int | None:
    """A count, as a number or in digits."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: f"_{match[1].lower()}", name)
