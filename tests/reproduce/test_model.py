"""`reproduce_model` with made-up timing: the counts and proofs in it are real, of the smallest network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.errors import NetworkError
from bench.networks.models import Model
from bench.reproduce import model as module
from bench.reproduce import sessions
from bench.reproduce.model import reproduce_model
from bench.reproduce.work import Work
from bench.study.conditions import Conditions
from bench.study.models import find_model

from .made import Timing

WORK = Work(places=(Conditions(),), keep=lambda measurement: None)


@pytest.fixture
def timing(monkeypatch: pytest.MonkeyPatch) -> Timing:
    """Counts and proofs take seconds and have tests of their own."""
    found = Timing({"fastvit_t8": 10.0, "mobileone_s0": 3.0})
    monkeypatch.setattr(sessions, "measure_models", found)
    monkeypatch.setattr(module, "proof_findings", lambda model: [])
    return found


def model(name: str) -> Model:
    found = find_model(name)
    assert isinstance(found, Model)
    return found


def test_a_model_is_reported_with_its_opponents(timing: Timing) -> None:
    report = reproduce_model(model("mobileone_s0"), WORK)
    found = {finding.quantity: finding for finding in report.findings}
    assert timing.asked[0][0] == ("mobileone_s0", "fastvit_t8", "efficientnet_b0")
    assert found["latency, cpu, onnxruntime"].values["ms"] == pytest.approx(3.0, rel=0.01)
    assert found["latency of fastvit_t8"].values["ratio"] == pytest.approx(10 / 3, rel=0.01)
    assert "latency of efficientnet_b0 (nearest in published top-1)" in found
    assert found["latency elsewhere"].verdict.startswith("not run: iPhone 12 Pro with Core ML (ModelBench app)")
    assert found["top-1 (%)"].verdict.startswith("not run: ImageNet (--imagenet DIR) and weights")
    assert {point["name"]: point["top1"] for point in report.points} == {
        "mobileone_s0": 71.4,
        "fastvit_t8": 76.2,
        "efficientnet_b0": pytest.approx(76.5, abs=0.1),
    }
    assert [point["family"] for point in report.points] == ["mobileone", "fastvit", "efficientnet"]
    assert report.sessions[0]["place"] == "cpu, onnxruntime"
    assert "cpu, onnxruntime" in report.fingerprint["places"]


def test_another_resolution_has_its_own_figures(timing: Timing) -> None:
    report = reproduce_model(model("fastvit_ma36@384"), WORK)
    assert report.title == "fastvit_ma36@384: published and found here"
    found = {finding.quantity: finding for finding in report.findings}
    assert "9.2 ms" in found["latency elsewhere"].published
    assert "4.5 ms" not in found["latency elsewhere"].published
    assert {point["name"]: point["top1"] for point in report.points}["fastvit_ma36@384"] == 84.9


def test_what_cannot_be_timed_or_evaluated_is_a_finding(timing: Timing, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(model: Model, work: Work) -> Any:
        raise NetworkError("timm's hub is out of reach; a connection is needed; give --weights FILE")

    monkeypatch.setattr(module, "check_weights", refuse)
    timing.refused.add("fastvit_t8")
    report = reproduce_model(model("mobileone_s0"), replace(WORK, imagenet=Path("val"), download=True))
    found = {finding.quantity: finding for finding in report.findings}
    assert found["latency, cpu, onnxruntime"].verdict == "not run: 'fastvit_t8' cannot be exported; another; take it"
    assert found["top-1 (%)"].verdict.startswith("not run: timm's hub is out of reach")
    assert found["latency elsewhere"].verdict.startswith("not run: iPhone 12 Pro")
    assert report.points == report.sessions == ()


def test_a_file_that_the_user_names_has_to_be_right_before_anything_is_timed(timing: Timing, tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_text("<html>not found</html>")
    work = replace(WORK, imagenet=tmp_path, weights=tmp_path / "weights.pth")
    with pytest.raises(NetworkError, match=r"weights\.pth"):
        reproduce_model(model("mobileone_s0"), work)
    assert timing.asked == []
