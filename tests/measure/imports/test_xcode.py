from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.errors import MeasureError
from bench.measure.imports import read_results

from .test_result import write


def operation(kind: str, device: str | None) -> dict[str, Any]:
    """One operation of an ML program; constants have no device."""
    found: dict[str, Any] = {"operatorName": kind, "inputs": {}, "blocks": [], "outputs": [{"name": "x", "type": {}}]}
    if device:
        able = [{"deviceType": {name: {}}} for name in ("cpu", "gpu", "neuralEngine")]
        found["deviceUsage"] = {"supported": able, "preferred": {"deviceType": {device: {}}}}
        found["cost"] = {"weight": 0.25}
    return found


def report(**changes: Any) -> dict[str, Any]:
    """A report of six predictions, written by hand to the layout that Xcode exports."""
    details = {
        "computePrecision": "Mixed (Float16, Int32)",
        "storagePrecision": "Float16",
        "specificationVersion": 7,
        "userDefinedMetadata": {
            "com.github.apple.coremltools.version": "9.0",
            "com.github.apple.coremltools.source": "torch==2.14.1",
        },
    }
    inner = {**operation("ios17.cond", "cpu"), "blocks": [{"operations": [operation("ios17.relu", "gpu")]}]}
    operations = [
        operation("const", None),
        operation("ios17.conv", "neuralEngine"),
        operation("ios17.add", "neuralEngine"),
        inner,
    ]
    whole = {
        "jsonVersion": 1,
        "deviceResultVersion": 4,
        "computeUnit": 2,
        "deviceInfo": {
            "modelName": "iPhone 20",
            "osNameAndVersionWithoutBuildNumber": "iOS 27.1",
            "serialNumber": "SECRET-SERIAL",
            "deviceID": "SECRET-ID",
            "displayName": "SECRET's phone",
        },
        "modelMetadata": {
            "fileName": "fastvit_t8",
            "modelType": "ML Program",
            "size": 8_000_000,
            "modelUrl": "file:///Users/SECRET/fastvit_t8.mlpackage",
            "rawMetadata": json.dumps([details]),
        },
        "deviceResults": {
            "perfRunConfig": {"loadCount": 1, "experimentIterations": 2, "predictionCount": 3},
            "predict": {"startTime": 8e8, "numOperations": 3, "samples": [9e-3, 1e-3, 1.2e-3, 2e-3, 1.1e-3, 1.3e-3]},
            "load": {"numOperations": 1, "samples": [0.3, 0.02, 0.02]},
            "compile": {"numOperations": 1, "samples": [0.07]},
            "modelStructure": {"program": {"_0": {"functions": {"main": {"block": {"operations": operations}}}}}},
        },
    }
    return whole | changes


def test_report_is_read(tmp_path: Path) -> None:
    (found,) = read_results(write(tmp_path / "any name.json", report()))
    assert (found.label, found.tool, found.tool_version) == ("fastvit_t8", "xcode", None)
    assert found.device == "iPhone 20"
    assert found.samples_ns == (9_000_000, 1_000_000, 1_200_000, 2_000_000, 1_100_000, 1_300_000)
    assert found.latency_ms == pytest.approx(1.25)
    assert found.statistic == "median of 6 predictions"
    assert found.summary["first_load_ms"] == pytest.approx(300.0)
    assert found.summary["load_ms"] == pytest.approx(20.0)
    assert found.summary["compile_ms"] == pytest.approx(70.0)
    assert found.compute_units == "ALL"
    assert found.precision == "Mixed (Float16, Int32)"
    assert found.placement == {"CPU": 1, "GPU": 1, "NeuralEngine": 2}
    assert found.fingerprint == {
        "tool": "xcode",
        "report_version": 1,
        "device_result_version": 4,
        "device": "iPhone 20",
        "os": "iOS 27.1",
        "compute_units": "ALL",
        "model_type": "ML Program",
        "specification_version": 7,
        "compute_precision": "Mixed (Float16, Int32)",
        "storage_precision": "Float16",
        "coremltools": "9.0",
        "source": "torch==2.14.1",
    }
    assert "2 times 3 predictions; the first of each is among the samples" in found.notes


def test_whose_device_it_was_is_not_kept(tmp_path: Path) -> None:
    (found,) = read_results(write(tmp_path / "report.json", report()))
    assert "SECRET" not in repr(found)


def test_bundle_is_read_as_its_report(tmp_path: Path) -> None:
    bundle = tmp_path / "FastViT.mlperf"
    bundle.mkdir()
    whole = report()
    del whole["modelMetadata"]["fileName"]
    write(bundle / "report.json", whole)
    (found,) = read_results(bundle)
    assert found.label == "FastViT"


@pytest.mark.parametrize(("number", "units"), [(0, "CPU_ONLY"), (1, "CPU_AND_GPU"), (2, "ALL"), (3, "CPU_AND_NE")])
def test_compute_units_have_the_names_of_coremltools(tmp_path: Path, number: int, units: str) -> None:
    (found,) = read_results(write(tmp_path / "report.json", report(computeUnit=number)))
    assert found.compute_units == units


def test_report_that_says_little_is_read(tmp_path: Path) -> None:
    little = {"deviceInfo": {}, "modelMetadata": {}, "deviceResults": {"predict": {"samples": [1e-3]}}}
    (found,) = read_results(write(tmp_path / "little.json", little))
    assert (found.label, found.device, found.placement, found.latency_ms) == ("little", None, {}, 1.0)
    assert found.fingerprint == {"tool": "xcode"}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"deviceResults": {}}, "prediction times (deviceResults.predict) are NoneType; a list of 1 to 1000000 times"),
        ({"deviceResults": {"predict": {"samples": [1e-3, -1]}}}, "is '-1'; times above 0"),
        ({"deviceResults": {"predict": {"samples": ["1"]}}}, "prediction times (deviceResults.predict) is '1'; times"),
        ({"computeUnit": 9}, "computeUnit 9; 0 to 3 are allowed; export the report again"),
    ],
)
def test_report_without_sound_times_is_refused(tmp_path: Path, changes: dict[str, Any], text: str) -> None:
    with pytest.raises(MeasureError) as caught:
        read_results(write(tmp_path / "report.json", report(**changes)))
    assert text in str(caught.value)
    assert str(caught.value).startswith("report.json: ")
