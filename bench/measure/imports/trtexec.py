"""NVIDIA's trtexec: what `--exportTimes` and `--exportProfile` write, and its log.

Formats as in samples/common/sampleReporting.cpp of github.com/NVIDIA/TensorRT (`exportJSONTrace`,
`exportJSONProfile`, `printEpilog`, `printPerformanceReport`) and sampleDevice.cpp ("Selected Device"):

- times: `[{"startEnqMs": ..., "startComputeMs": ..., "computeMs": ..., "latencyMs": ...}, ...]`, one for each query;
  older versions name input and output "InMs" and "OutMs", and write "endToEndMs" and the warm-up queries as well;
- a profile: `[{"count": N}, {"name": ..., "timeMs": ..., "averageMs": ..., "percentage": ...}, ...]`;
- a log: "Latency: min = 0.9 ms, max = ..., mean = ..., median = ..., percentile(99%) = ..." and
  "&&&& PASSED TensorRT.trtexec [TensorRT v8401] # trtexec --onnx=... --fp16".

The latency is that of one query: input to the GPU, compute, output to the host. With `--noDataTransfers` it is the
compute time, which is told apart as compute_median_ms in any case.
"""

from __future__ import annotations

import re
import shlex
from typing import Any

from bench.errors import MeasureError
from bench.measure.imports.result import (
    Document,
    ImportedResult,
    base_name,
    known,
    milliseconds,
    samples,
    summary_of,
    text_or_none,
)

_PASSED = re.compile(r"&&&& PASSED TensorRT\.trtexec \[TensorRT v([\d.]+)\](?: \[b\d+\])? # (.*)")
_TIMES = re.compile(r"(?:^|\] )(Latency|GPU Compute Time): (min = .*)", re.MULTILINE)
_PART = re.compile(r"(min|max|mean|median|percentile\((\d+)%\)) = ([0-9.eE+-]+) ms")
_QUERIES = re.compile(r"Timing trace has (\d+) queries over")
_DEVICE = re.compile(r"Selected Device: (.+)")
_PRECISIONS = ("fp16", "bf16", "int8", "fp8", "int4", "best", "noTF32", "stronglyTyped")


def read(document: Document) -> tuple[ImportedResult, ...] | None:
    """The results of trtexec; None: it is something else.

    Raises:
        MeasureError: a time that is none.
    """
    data = document.data
    if isinstance(data, list) and data and all(isinstance(item, dict) for item in data):
        if all("computeMs" in item and "latencyMs" in item for item in data):
            return (_from_times(document.label, data),)
        if "count" in data[0] and len(data) > 1 and all("averageMs" in item for item in data[1:]):
            return (_from_profile(document.label, data),)
    if data is None and "TensorRT.trtexec" in document.text:
        return _from_log(document)
    return None


def _from_times(label: str, queries: list[dict[str, Any]]) -> ImportedResult:
    latencies = samples([query["latencyMs"] for query in queries], "latencyMs")
    compute = summary_of(samples([query["computeMs"] for query in queries], "computeMs"))
    notes = ["the file names neither the GPU nor TensorRT's version; trtexec's log does"]
    if "endToEndMs" in queries[0]:
        notes.append("trtexec of this version writes its warm-up queries too (200 ms by default)")
    return ImportedResult(
        label=label,
        tool="trtexec",
        samples_ns=latencies,
        summary=summary_of(latencies) | {f"compute_{name}": compute[name] for name in ("median_ms", "mean_ms")},
        statistic=f"median of {len(latencies)} queries, with data transfers",
        fingerprint={"tool": "trtexec", "source": "exportTimes"},
        notes=tuple(notes),
    )


def _from_profile(label: str, entries: list[dict[str, Any]]) -> ImportedResult:
    count, layers = entries[0]["count"], entries[1:]
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise MeasureError(f"count is {str(count)[:40]!r}; a whole number above 0 is needed; export the profile again")
    # A layer that never ran has a time of 0.
    times = [milliseconds(item["averageMs"], "averageMs") for item in layers if item["averageMs"] != 0]
    if not times:
        raise MeasureError("a profile in which no layer ran; one or more are needed; export the profile again")
    return ImportedResult(
        label=label,
        tool="trtexec",
        summary={"mean_ms": sum(times)},
        statistic=f"mean of {count} queries, summed over {len(times)} layers",
        placement={"TensorRT": len(times)},
        fingerprint={"tool": "trtexec", "source": "exportProfile"},
        notes=("timing each layer makes a query slower than it is without; not comparable with other latencies",),
    )


def _from_log(document: Document) -> tuple[ImportedResult, ...]:
    """One result for each run in a log; a run ends with the line that repeats its command."""
    results = []
    begin = 0
    for passed in _PASSED.finditer(document.text):
        results.append(_from_run(document.label, document.text[begin : passed.start()], passed[1], passed[2]))
        begin = passed.end()
    if not results:
        raise MeasureError("a log of trtexec without a run that passed; one that passed is needed; run trtexec again")
    return tuple(results)


def _from_run(label: str, text: str, version: str, command: str) -> ImportedResult:
    tables = {name: _statistics(parts) for name, parts in _TIMES.findall(text)}
    if not {"Latency", "GPU Compute Time"} <= tables.keys():
        raise MeasureError(
            "a log of trtexec without 'Latency' or 'GPU Compute Time'; both are needed; run it without --skipInference"
        )
    flags = _flags(command)
    queries = _QUERIES.search(text)
    device = _DEVICE.search(text)
    name = text_or_none(device[1]) if device else None
    precision = "+".join(flag for flag in _PRECISIONS if flag in flags) or "fp32"
    compute = {f"compute_{key}": tables["GPU Compute Time"][key] for key in ("median_ms", "mean_ms")}
    return ImportedResult(
        label=base_name(flags.get("onnx") or flags.get("loadEngine"), label),
        tool="trtexec",
        tool_version=_version(version),
        device=name,
        summary=tables["Latency"] | compute,
        statistic=f"median of {queries[1] if queries else 'its'} queries, with data transfers",
        precision=precision,
        fingerprint=known(
            tool="trtexec", source="log", tensorrt=_version(version), device=name, flags=_settings(flags)
        ),
        notes=("the precision is what the flags allow; a loaded engine has its own",) if "loadEngine" in flags else (),
    )


def _statistics(parts: str) -> dict[str, float]:
    found = {
        f"p{percent}_ms" if percent else f"{name}_ms": milliseconds(_number(value), name)
        for name, percent, value in _PART.findall(parts)
    }
    if not {"median_ms", "mean_ms"} <= found.keys():
        raise MeasureError(f"times of trtexec are {parts[:60]!r}; its mean and median are needed; run trtexec again")
    return found


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _flags(command: str) -> dict[str, str]:
    """The flags of a command line, which is never run."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    pairs = (word.removeprefix("--").partition("=") for word in words if word.startswith("--"))
    return {name: value for name, _, value in pairs}


def _settings(flags: dict[str, str]) -> list[str]:
    """The flags that change times, without files and folders."""
    return sorted(f"{name}={value}" if value else name for name, value in flags.items() if "/" not in value)[:40]


def _version(digits: str) -> str:
    """8401 is 8.4.1; from 10 on, two digits each: 100300 is 10.3.0."""
    if "." in digits:
        return digits
    if len(digits) == 4:
        return ".".join((digits[0], digits[1], str(int(digits[2:]))))
    return ".".join(str(int(part)) for part in (digits[:-4], digits[-4:-2], digits[-2:]) if part)
