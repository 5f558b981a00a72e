from __future__ import annotations

import pytest

from bench.measure import Measurement
from bench.reproduce import sessions, table
from bench.reproduce.findings import Finding, Report
from bench.reproduce.table import LIMIT_S, TableRow, parts, reproduce_rows, rows, subject
from bench.reproduce.work import Work
from bench.study.conditions import Conditions

from .made import Timing, measurement

WORK = Work(places=(Conditions(),), keep=lambda measurement: None)


@pytest.fixture
def timing(monkeypatch: pytest.MonkeyPatch) -> Timing:
    found = Timing({"mobileone_s0": 3.0})
    monkeypatch.setattr(sessions, "measure_models", found)
    return found


def row(label: str) -> TableRow:
    return next(found for found in rows() if found.label == label)


def of(report: Report, name: str) -> Finding:
    return next(finding for finding in report.findings if finding.quantity.startswith(f"{name} at "))


def test_the_table_is_the_papers_whole_table() -> None:
    labels = [found.label for found in rows()]
    assert len(set(labels)) == len(labels)
    assert {"fastvit_ma36", "fastvit_ma36@384", "fastvit_sa36@384", "efficientnet_b0", "cmt_ti"} <= set(labels)
    assert {"nfnet_f1", "efficientformer_l7", "poolformer_s12", "poolformer_s12@256", "deit_b"} <= set(labels)
    assert {"regnety_16g", "rsb_resnet_152", "swin_t", "mobilevit_s", "litv2_b"} <= set(labels)
    assert not any("_step_" in label or label.startswith("smoke") for label in labels)
    assert row("nfnet_f1").built == "timm:nfnet_f1@320"
    assert row("litv2_b").built is None


def test_rows_of_one_family_are_timed_together_a_few_at_a_time() -> None:
    grouped = parts()
    assert [found for members in grouped for found in members] == sorted(
        rows(), key=lambda found: [members[0].family for members in grouped].index(found.family)
    )
    assert all(len({found.family for found in members}) == 1 and len(members) <= 4 for members in grouped)
    assert len({subject(members) for members in grouped}) == len(grouped)


def test_a_row_has_all_its_published_latencies_and_a_verdict(timing: Timing) -> None:
    report = reproduce_rows([row("mobileone_s0"), row("fastvit_t8")], WORK)
    small, first = of(report, "mobileone_s0"), of(report, "fastvit_t8")
    assert small.quantity == "mobileone_s0 at 224 px, 2.08 M, 0.28 G"
    assert small.published == (
        "top-1 71.4 %, 0.790 ms (iPhone 12 Pro, Core ML (ModelBench app), minimum), "
        "0.868 ms (iPhone 12 Pro, Core ML (ModelBench app), mean)"
    )
    assert small.verdict == "not run: iPhone 12 Pro with Core ML (ModelBench app)"
    assert "0.8 ms (iPhone 12 Pro Max, " in first.published
    assert "Pixel" not in first.published  # what others measured has its own place
    assert first.verdict.startswith("not run: iPhone 12 Pro Max with Core ML (coremltools 6.0; iOS 16); iPhone 12 Pro ")
    assert small.measured.startswith("3.00 ms [")
    assert small.measured.endswith("] x FastViT-T8 at 256 px")
    assert small.values["ratio_to_t8"] == pytest.approx(0.3, rel=0.01)
    ((labels, conditions),) = timing.asked
    assert labels == ("mobileone_s0", "fastvit_t8")
    assert conditions.limit_s == 2 * LIMIT_S
    assert report.sessions[0]["reference_resolution"] == 256
    point = report.points[0]
    assert (point["name"], point["family"], point["top1"], point["place"]) == (
        "mobileone_s0",
        "mobileone",
        71.4,
        "cpu, onnxruntime",
    )
    assert point["ratio_low"] <= point["ratio_to_t8"] <= point["ratio_high"]


def test_networks_of_timm_are_rows_too(timing: Timing) -> None:
    report = reproduce_rows([row("deit_s"), row("efficientformer_l1")], WORK)
    assert timing.asked[0][0] == ("timm:deit_small_patch16_224@224", "timm:efficientformer_l1@224")
    assert of(report, "deit_s").quantity == "deit_s at 224 px, 22.05 M, 4.60 G"
    assert "batch 8, median" in of(report, "deit_s").published
    assert of(report, "efficientformer_l1").published.startswith("top-1 79.2 % (distilled), 1.6 ms (iPhone 12")
    assert [point["family"] for point in report.points] == ["deit", "efficientformer (distilled)"]


def test_a_network_that_nobody_can_build_here_is_a_row(timing: Timing) -> None:
    report = reproduce_rows([row("litv2_b")], WORK)
    found = of(report, "litv2_b")
    assert (found.verdict, found.measured) == ("not run: no implementation here", "")
    assert found.published.startswith("top-1 84.7 %")
    assert "the FastViT paper could not export it" in found.note
    assert timing.asked == []
    assert report.points == ()


def test_one_that_cannot_be_timed_does_not_keep_the_others_from_it(timing: Timing) -> None:
    timing.refused.add("fastvit_t8")
    timing.failed.add("fastvit_s12")
    kept: list[Measurement] = []
    members = [row("fastvit_t8"), row("fastvit_t12"), row("fastvit_s12")]
    report = reproduce_rows(members, Work(places=(Conditions(),), keep=kept.append))
    assert of(report, "fastvit_t8").verdict == "not run: 'fastvit_t8' cannot be exported; another; take it"
    assert of(report, "fastvit_t12").measured.startswith("10.0")
    assert of(report, "fastvit_s12").verdict == "not run: failed: it hung"
    assert [found.label for found in kept] == ["fastvit_t12", "fastvit_s12"]


def test_a_latency_measured_as_it_was_published_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    # The model card that has the M3 Max is left to the models; here it is looked at as if it were the paper.
    monkeypatch.setattr(table, "is_independent", lambda figure: figure.device != "M3 Max")
    for ms, verdict in ((0.62, "reproduced"), (0.7, "differs")):

        def timed(*_: object, ms: float = ms, **__: object) -> tuple[Measurement, ...]:
            machine = {"cpu": "Apple M3 Max"}
            return (measurement("fastvit_t8", ms, machine=machine, runner="apple", runtime="coreml"),)

        monkeypatch.setattr(sessions, "measure_models", timed)
        assert of(reproduce_rows([row("fastvit_t8")], WORK), "fastvit_t8").verdict == verdict
