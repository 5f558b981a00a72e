from __future__ import annotations

from typing import Any

import pytest
import torch

from bench.errors import ExportError
from bench.networks.formats.coreml import SPECIFICATION, check_specification
from bench.networks.formats.exported import Source

from .made import RESOLUTION, exported, network


def specification(precision: str | None = None) -> Any:
    made = exported("coreml", precision)  # skips where it is not installed
    import coremltools

    return coremltools.utils.load_spec(str(made.path))


def test_input_and_output_have_our_names_and_float32() -> None:
    found = specification().description
    import coremltools

    float32 = coremltools.proto.FeatureTypes_pb2.ArrayFeatureType.FLOAT32
    features = [(item.name, list(item.type.multiArrayType.shape)) for item in (*found.input, *found.output)]
    assert features == [("image", [1, 3, RESOLUTION, RESOLUTION]), ("logits", [1, 1000])]
    assert {item.type.multiArrayType.dataType for item in (*found.input, *found.output)} == {float32}


def test_no_date_is_in_it() -> None:
    found = specification()
    assert found.specificationVersion == SPECIFICATION
    assert not any("date" in key for key in found.description.metadata.userDefined)


def test_operators_are_native_and_folded() -> None:
    operators = exported("coreml").operators
    assert operators["gelu"] == 11
    assert operators["conv"] == 28
    assert "batch_norm" not in operators
    assert "const" not in operators
    # Of input and output, which stay float32.
    assert operators["cast"] == 2
    assert "cast" not in exported("coreml", "fp32").operators


def test_the_package_holds_the_hashed_files_and_the_manifest_only() -> None:
    path = exported("coreml").path
    found = {file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()}
    inner = "Data/com.apple.CoreML"
    assert found == {"Manifest.json", f"{inner}/model.mlmodel", f"{inner}/weights/weight.bin"}


def test_half_precision_is_half_as_large() -> None:
    assert exported("coreml").bytes < 0.65 * exported("coreml", "fp32").bytes


def test_another_signature_is_refused() -> None:
    source = Source(
        train=network(),
        deploy=network(),
        picture=torch.zeros(1, 3, 96, 96),
        expected=torch.zeros(1, 1000),
        precision="fp16",
        architecture=None,
        exporter="torchscript",
    )
    with pytest.raises(
        ExportError, match=r"version, inputs and outputs \(7, .*64, 64\].*\[1, 3, 96, 96\].* are needed"
    ):
        check_specification(specification(), source)
