"""Files of every form compute what their network computes: the worker that times them checks it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import MeasureError
from bench.measure import Job, JobArtifact, file_artifact, make_artifact, make_form, measure
from bench.space import load_space

POINT = load_space("smoke").reference_points["smoke_attention"]
T8 = load_space("fastvit").reference_points["fastvit_t8"]


def timed(*artifacts: JobArtifact, runtime: str, resolution: int = 64) -> dict[str, tuple[str, str | None, bool]]:
    job = Job(
        artifacts=artifacts[1:],
        reference=artifacts[0],
        resolution=resolution,
        runtime=runtime,
        restarts=1,
        blocks=2,
        iterations=1,
        target=10.0,
        repeats=False,
    )
    return {
        found.label: (found.verdict, found.reason, found.protocol["output"]["is_checked"]) for found in measure(job)
    }


@pytest.mark.parametrize("runtime", ["onnxruntime", "torch"])
def test_all_forms_compute_their_networks_output(runtime: str, tmp_path: Path) -> None:
    deploy, prepared = make_artifact(POINT, tmp_path, "deploy", runtime=runtime)
    train = make_form(POINT, tmp_path, "train", form="train", runtime=runtime)
    timm = make_form(T8, tmp_path, "timm", form="timm", runtime=runtime, timm_name="fastvit_t8", resolution=64)
    assert prepared.fold_error < 1e-10
    found = timed(deploy, train, timm, runtime=runtime)
    for verdict, reason, is_checked in found.values():
        assert verdict not in ("failed", "wrong_output"), reason
        assert is_checked


def test_both_formats_have_the_same_weights(tmp_path: Path) -> None:
    onnx, _ = make_artifact(POINT, tmp_path, "a", runtime="onnxruntime")
    weights, _ = make_artifact(POINT, tmp_path, "b", runtime="torch")
    assert onnx.logits == weights.logits  # and torch is held to them above


def test_form_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MeasureError, match="timm has no such network"):
        make_form(POINT, tmp_path, "a", form="timm", runtime="torch")
    with pytest.raises(MeasureError, match="form 'train' for runtime 'litert'; torch and ONNX Runtime time other"):
        make_form(POINT, tmp_path, "a", form="train", runtime="litert")


def test_file_of_another_kind_or_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "network.pt").write_bytes(b"")
    with pytest.raises(MeasureError, match=r"a file named \.pt; onnx, tflite files are timed"):
        file_artifact(tmp_path / "network.pt")
    with pytest.raises(MeasureError, match=r"nowhere\.onnx cannot be read \(No such file or directory\)"):
        file_artifact(tmp_path / "nowhere.onnx")
