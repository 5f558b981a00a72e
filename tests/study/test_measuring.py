from __future__ import annotations

from pathlib import Path

import pytest

from bench.study.conditions import Conditions
from bench.study.measuring import make_job


@pytest.mark.parametrize(("reference", "expected"), [(None, 64), (96, 96), (100, 96)])
def test_the_reference_has_the_models_resolution_or_its_own(
    tmp_path: Path, reference: int | None, expected: int
) -> None:
    """With one of its own, sessions at other resolutions tell ratios to the same network."""
    (tmp_path / "model.onnx").write_bytes(b"not looked into before it is timed")
    conditions = Conditions(resolution=64, reference_resolution=reference)
    job = make_job([tmp_path / "model.onnx"], conditions, conditions.setups(), tmp_path / "made", lambda text: None)
    assert job.reference.resolution == expected
    assert job.resolution == 64
    assert [artifact.resolution for artifact in job.artifacts] == [64]
    assert job.reference.logits is not None
    made = make_job([tmp_path / "model.onnx"], conditions, conditions.setups(), tmp_path / "again", lambda text: None)
    assert made.reference.sha256 == job.reference.sha256
