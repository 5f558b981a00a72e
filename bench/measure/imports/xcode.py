"""Xcode's Core ML performance report: the `report.json` of an `.mlperf` bundle, or that JSON alone.

Apple documents what a report shows ("Analyzing a Core ML model's performance in Xcode", at
developer.apple.com/documentation/coreml: prediction, load and compilation times, the median by default, and the compute
unit of each operation) and not how the file is laid out. What is read here was seen in a published report of an iPad
(github.com/D0NMEGA/Cortex, 05-perf-report-ipad-m2.json: jsonVersion 1, deviceResultVersion 4, samples in seconds) and
agrees with anemll/utils/analyze_coreml_ops.py of github.com/Anemll/Anemll, which reads `.mlperf` bundles. Both are of
ML programs; of networks and pipelines no report was seen, and the placement below is looked for under the same keys.

A report names the owner's device and its serial number: neither is kept.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from bench.errors import MeasureError
from bench.measure.imports.result import (
    Document,
    ImportedResult,
    known,
    milliseconds,
    parse_json,
    samples,
    summary_of,
    text_or_none,
)

_MS_PER_S = 1e3
# MLComputeUnits by number, named as coremltools names them.
_COMPUTE_UNITS = ("CPU_ONLY", "CPU_AND_GPU", "ALL", "CPU_AND_NE")
_DEVICES = {"cpu": "CPU", "gpu": "GPU", "neuralEngine": "NeuralEngine"}


def read(document: Document) -> tuple[ImportedResult, ...] | None:
    """The result of a report; None: it is something else.

    Raises:
        MeasureError: a report without prediction times.
    """
    report = document.data
    if not isinstance(report, dict) or not {"deviceInfo", "deviceResults", "modelMetadata"} <= report.keys():
        return None
    device, model, results = (_mapping(report.get(key)) for key in ("deviceInfo", "modelMetadata", "deviceResults"))
    predictions = samples(_times(results, "predict"), "prediction times (deviceResults.predict)", scale=_MS_PER_S)
    details = _model_details(model)
    units = _compute_units(report.get("computeUnit"))
    return (
        ImportedResult(
            label=text_or_none(model.get("fileName")) or document.label,
            tool="xcode",
            device=text_or_none(device.get("modelName")),
            samples_ns=predictions,
            summary=summary_of(predictions) | _other_times(results),
            statistic=f"median of {len(predictions)} predictions",
            precision=text_or_none(details.get("computePrecision")),
            compute_units=units,
            placement=dict(sorted(_placement(results.get("modelStructure")).items())),
            fingerprint=_fingerprint(report, device, model, details, units),
            notes=_notes(results),
        ),
    )


def _fingerprint(
    report: dict[str, Any], device: dict[str, Any], model: dict[str, Any], details: dict[str, Any], units: str | None
) -> dict[str, Any]:
    converted = _mapping(details.get("userDefinedMetadata"))
    prefix = "com.github.apple.coremltools."
    return known(
        tool="xcode",
        report_version=report.get("jsonVersion"),
        device_result_version=report.get("deviceResultVersion"),
        device=text_or_none(device.get("modelName")),
        os=text_or_none(device.get("osNameAndVersionWithoutBuildNumber")),
        compute_units=units,
        model_type=text_or_none(model.get("modelType")),
        specification_version=details.get("specificationVersion"),
        compute_precision=text_or_none(details.get("computePrecision")),
        storage_precision=text_or_none(details.get("storagePrecision")),
        coremltools=text_or_none(converted.get(prefix + "version")),
        source=text_or_none(converted.get(prefix + "source")),
    )


def _notes(results: dict[str, Any]) -> tuple[str, ...]:
    plan = _mapping(results.get("perfRunConfig"))
    runs, each = plan.get("experimentIterations"), plan.get("predictionCount")
    notes = []
    if isinstance(runs, int) and isinstance(each, int):
        notes.append(f"{runs} times {each} predictions; the first of each is among the samples")
    if _mapping(results.get("modelStructure")):
        notes.append("the placement is what Core ML planned")
    return tuple(notes)


def _other_times(results: dict[str, Any]) -> dict[str, float]:
    """Median times of loading and compiling, and of the first load, which nothing had cached."""
    times: dict[str, float] = {}
    for key, name in (("load", "load_ms"), ("compile", "compile_ms")):
        values = _times(results, key)
        if values:
            times[name] = summary_of(samples(values, f"{key} times", scale=_MS_PER_S))["median_ms"]
    loads = _times(results, "load")
    if loads:
        times["first_load_ms"] = milliseconds(loads[0], "the first load time", scale=_MS_PER_S)
    return times


def _times(results: dict[str, Any], key: str) -> Any:
    return _mapping(results.get(key)).get("samples")


def _model_details(model: dict[str, Any]) -> dict[str, Any]:
    """What Xcode's compiler says of the model: a list of one in a text of JSON."""
    raw = model.get("rawMetadata")
    details = parse_json(raw) if isinstance(raw, str) else None
    return _mapping(details[0] if isinstance(details, list) and details else details)


def _compute_units(number: Any) -> str | None:
    if number is None:
        return None
    if not isinstance(number, int) or not 0 <= number < len(_COMPUTE_UNITS):
        raise MeasureError(f"computeUnit {json.dumps(number)[:40]}; 0 to 3 are allowed; export the report again")
    return _COMPUTE_UNITS[number]


def _placement(structure: Any) -> Counter[str]:
    """Operations by the device that is preferred for them, in functions, blocks and layers alike."""
    found: Counter[str] = Counter()
    stack = [structure]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, dict):
            usage = _mapping(item.get("deviceUsage"))
            preferred = _mapping(_mapping(usage.get("preferred")).get("deviceType"))
            found.update(_DEVICES.get(name, "other") for name in list(preferred)[:1])
            stack.extend(value for key, value in item.items() if key != "deviceUsage")
    return found


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
