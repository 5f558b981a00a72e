from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.measure import Measurement
from bench.reproduce.latency import (
    latency_verdict,
    opponent_finding,
    opponents,
    own_finding,
    published_findings,
    top1,
    verdict_of,
)
from bench.reproduce.published import Figure, figures

from .made import measurement, session


def figure_of(name: str, device: str) -> Figure:
    return next(figure for figure in figures(name) if figure.device == device)


def mac(label: str, ms: float, **how: Any) -> Measurement:
    return measurement(label, ms, machine={"cpu": "Apple M3 Max"}, runner="apple", runtime="coreml", **how)


@pytest.mark.parametrize(
    ("name", "resolution", "value"),
    [
        ("fastvit_t8", None, 76.2),  # the released weights'; the paper's are 75.6, the distilled ones 77.2
        ("fastvit_ma36", None, 83.9),
        ("fastvit_ma36", 256, 83.9),
        ("fastvit_ma36", 384, 84.9),
        ("fastvit_t8", 64, None),
        ("mobileone_s0", 224, 71.4),
        ("nfnet_f1", None, 84.7),
        ("efficientformer_l7", None, None),  # published distilled only
        ("poolformer_s12", 256, 77.6),
        ("nothing", None, None),
    ],
)
def test_a_published_accuracy_belongs_to_a_resolution(name: str, resolution: int | None, value: float | None) -> None:
    assert top1(name, resolution=resolution) == value


def test_a_model_is_timed_beside_whom_it_is_claimed_against() -> None:
    def told(name: str, resolution: int) -> list[tuple[str, bool]]:
        return [(other.built, other.is_claimed) for other in opponents(name, resolution)]

    assert told("fastvit_t8", 256) == [("mobileone_s0@224", True), ("mobileone_s1@224", False)]
    assert told("fastvit_sa24", 256)[0] == ("timm:efficientformer_l7@224", True)
    assert [built for built, _ in told("fastvit_ma36", 256)] == [
        "cmt_s@224",
        "efficientnet_b5@456",
        "convnext_b@224",
        "efficientnetv2_s@384",
    ]
    assert told("fastvit_ma36", 384)[0] == ("timm:nfnet_f1@320", True)
    assert told("cmt_s", 512) == [("fastvit_ma36@512", True)]
    # Nobody published it at that resolution, nor claimed anything of it.
    assert told("fastvit_t8", 64) == []


def test_opponents_in_accuracy_are_of_another_family() -> None:
    claimed, nearest = opponents("mobileone_s4", 224)
    assert (claimed.name, claimed.is_claimed) == ("fastvit_s12", True)
    assert not nearest.name.startswith("mobileone")


def test_the_ratio_to_the_reference_is_told_with_its_interval() -> None:
    found = own_finding(session(measurement("fastvit_t8", 10.0, twin=1.004)))
    assert found.quantity == "latency, cpu, onnxruntime"
    assert found.measured.endswith("] x FastViT-T8 at 256 px")
    assert found.note == "6 restarts: fastvit_t8 valid, noise floor 0.4 %"
    assert found.values["ratio_low"] <= found.values["ratio"] <= found.values["ratio_high"]
    assert found.values["memory_mib"] == 40.0
    assert found.verdict == ""
    failed = own_finding(session(measurement("a", 1.0, verdict="failed", reason="it hung")))
    assert (failed.measured, failed.verdict) == ("", "not run: failed: it hung")


def test_an_opponent_stands_beside_every_like_published_ratio() -> None:
    found = session(measurement("fastvit_t8", 10.0), measurement("mobileone_s0", 3.0))
    claimed, nearest = opponents("fastvit_t8", 256)
    finding = opponent_finding(found, "mobileone_s0", claimed, "fastvit_t8")
    assert finding.quantity == "latency of mobileone_s0"
    assert finding.published.startswith("x fastvit_t8: 1.06 = 0.790 ms / 0.744 ms (iPhone 12 Pro, ")
    assert "; 1.07 = 0.868 ms / 0.815 ms" in finding.published
    assert finding.measured.startswith("3.00 ms, 0.300 [")
    assert finding.verdict.startswith("not run: iPhone 12 Pro with Core ML (ModelBench app); Pixel 6 CPU; ")
    assert finding.note == "faster; 6 restarts: fastvit_t8 valid, mobileone_s0 valid, noise floor 0.0 %"
    stranger = opponent_finding(found, "mobileone_s0", nearest, "fastvit_t8")
    assert stranger.quantity == "latency of mobileone_s1 (nearest in published top-1)"


def test_an_opponent_that_failed_says_why() -> None:
    found = session(measurement("fastvit_t8", 10.0), measurement("mobileone_s0", 3.0, verdict="failed", reason="hung"))
    finding = opponent_finding(found, "mobileone_s0", opponents("fastvit_t8", 256)[0], "fastvit_t8")
    assert finding.verdict == "not run: mobileone_s0: hung"
    assert (finding.measured, dict(finding.values)) == ("", {})


def test_published_latencies_need_their_device() -> None:
    found = session(measurement("fastvit_t8", 10.0))
    (finding,) = published_findings("fastvit_t8", 256, [found])
    assert finding.quantity == "latency elsewhere"
    assert "0.8 ms (iPhone 12 Pro Max, Core ML (coremltools 6.0; iOS 16)); 0.815 ms" in finding.published
    assert finding.verdict.startswith(
        "not run: iPhone 12 Pro Max with Core ML (coremltools 6.0; iOS 16); iPhone 12 Pro"
    )
    # Latencies of 256 px have no place beside a measurement at 384 px.
    (larger,) = published_findings("fastvit_ma36", 384, [found])
    assert larger.published == (
        "9.2 ms (iPhone 12 Pro Max, Core ML (coremltools 6.0; iOS 16)); "
        "16.5 ms (RTX 2080 Ti, TensorRT 8.0.1.6, batch 8, median)"
    )
    assert larger.verdict.endswith("RTX 2080 Ti with TensorRT 8.0.1.6 at batch 8")
    assert list(published_findings("efficientnet_b0", 224, [])) == []


@pytest.mark.parametrize(("ms", "verdict"), [(0.62, "reproduced"), (0.624, "reproduced"), (0.7, "differs")])
def test_a_latency_measured_as_it_was_published_is_judged(ms: float, verdict: str) -> None:
    here, there = session(mac("fastvit_t8", ms)), session(measurement("fastvit_t8", 9.0))
    judged, elsewhere = published_findings("fastvit_t8", 256, [there, here])
    assert (judged.quantity, judged.verdict) == ("latency on M3 Max", verdict)
    assert judged.published == "0.62 ms (M3 Max, Core ML (macOS 14.4; float16))"
    assert "M3 Max" not in elsewhere.published


def test_a_ratio_measured_as_it_was_published_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    # No source has both networks on a device that anybody could run this on: one is made up.
    known = figure_of("fastvit_ma36", "M3 Max")
    other = replace(known, model="cmt_s", value=8.97, resolution=224)
    everything = {"fastvit_ma36": (known,), "cmt_s": (other,)}
    monkeypatch.setattr("bench.reproduce.ratios.figures", lambda name: everything[name])
    opponent = opponents("fastvit_ma36", 256)[0]
    for ms, restarts, verdict in ((30.0, 6, "reproduced"), (20.0, 6, "differs"), (30.0, 2, "not run: 3 restarts")):
        found = session(mac("fastvit_ma36", 10.0, restarts=restarts), mac("cmt_s", ms, restarts=restarts))
        assert opponent_finding(found, "cmt_s", opponent, "fastvit_ma36").verdict == verdict


def test_few_restarts_judge_nothing() -> None:
    figure = figure_of("fastvit_t8", "M3 Max")
    assert latency_verdict(figure, mac("fastvit_t8", 0.62, restarts=2)) == "not run: 3 restarts"
    assert latency_verdict(figure, mac("fastvit_t8", 0.62, restarts=3)) == "reproduced"


def test_intervals_that_touch_agree() -> None:
    assert verdict_of((1.0, 2.0), (2.0, 3.0)) == "reproduced"
    assert verdict_of((1.0, 1.9), (2.0, 3.0)) == "differs"
    assert verdict_of((3.1, 4.0), (2.0, 3.0)) == "differs"
