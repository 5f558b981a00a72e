from __future__ import annotations

import json

import pytest

from bench.errors import MeasureError
from bench.measure import Measurement

MEASUREMENT = Measurement(
    label="a",
    architecture_id=None,
    artifact_sha256="0" * 64,
    runner="cpu",
    runtime="onnxruntime",
    threads=1,
    resolution=256,
    samples=(((1, 2), (3, 4)), ((5, 6), (7, 8))),
    reference_samples=(((2, 2), (3, 4)), ((5, 6), (7, 8))),
    twin_samples=(((2, 2), (3, 4)), ()),
    contended=((False, False), (False, True)),
    verdict="valid",
    reason=None,
    fingerprint={"machine": {"cpu": "abacus"}},
    protocol={"seed": 0},
    session="abc",
)


def test_measurement_survives_json() -> None:
    assert Measurement.from_dict(json.loads(json.dumps(MEASUREMENT.to_dict()))) == MEASUREMENT


def test_missing_and_unknown_keys_are_errors() -> None:
    data = MEASUREMENT.to_dict()
    with pytest.raises(
        MeasureError, match=r"malformed measurement \('samples'\); known keys: label, .*; measure again"
    ):
        Measurement.from_dict({key: value for key, value in data.items() if key != "samples"})
    with pytest.raises(MeasureError, match="unexpected keyword argument 'colour'"):
        Measurement.from_dict({**data, "colour": "red"})
