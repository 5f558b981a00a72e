from __future__ import annotations

import pytest

from bench.reproduce import sessions
from bench.reproduce.claims import brief, pair_of, pairs, reproduce_pair
from bench.reproduce.findings import Finding
from bench.reproduce.published import Claim, claims
from bench.reproduce.work import Work
from bench.study.conditions import Conditions
from bench.study.models import reference_points

from .made import Timing, measurement

WORK = Work(places=(Conditions(),), keep=lambda measurement: None)


@pytest.fixture
def timing(monkeypatch: pytest.MonkeyPatch) -> Timing:
    found = Timing()
    monkeypatch.setattr(sessions, "measure_models", found)
    return found


def claim(name: str) -> Claim:
    return next(found for found in claims() if found.name == name)


def of(findings: tuple[Finding, ...], name: str) -> Finding:
    return next(finding for finding in findings if finding.quantity == claim(name).text)


def test_claims_of_one_pair_are_measured_once_and_each_pair_can_be_built() -> None:
    grouped = pairs()
    assert sum(len(found) for found in grouped.values()) == len(claims())
    assert len(grouped[pair_of(claim("convnext"))]) == 2  # phone and GPU
    assert next(iter(grouped)) == pair_of(claims()[0])
    assert pair_of(claim("cmt")) == ("fastvit_ma36@256", "cmt_s@224")
    assert pair_of(claim("nfnet")) == ("fastvit_ma36@384", "timm:nfnet_f1@320")
    ours = {name.split("@")[0] for both in grouped for name in both if not name.startswith("timm:")}
    assert ours <= set(reference_points())


def test_a_claim_is_told_with_its_sentence_and_what_a_verdict_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    timing = Timing({"fastvit_ma36": 100.0, "convnext_b": 190.0}, restarts=4, verdict="not_converged")
    monkeypatch.setattr(sessions, "measure_models", timing)
    report = reproduce_pair(pair_of(claim("convnext")), WORK)
    phone, card = of(report.findings, "convnext"), of(report.findings, "convnext_gpu")
    assert phone.measured.startswith("1.90 [")
    assert phone.measured.endswith("(cpu, onnxruntime): fastvit_ma36 100.0 ms, convnext_b 190.0 ms")
    assert phone.verdict == "not run: iPhone 12 Pro Max with Core ML (coremltools 6.0; iOS 16)"
    assert phone.note.startswith("fastvit_ma36 is faster here too, as claimed: 1.90 times; 4 restarts: ")
    assert "fastvit_ma36 not_converged, convnext_b not_converged, noise floor 0.0 %" in phone.note
    assert card.published == "2.0 times on RTX 2080 Ti, batch 8"
    assert "(cpu, onnxruntime, at batch 1)" in card.measured
    assert card.verdict == "not run: RTX 2080 Ti with TensorRT 8.0.1.6 at batch 8"
    assert "less than the 2.0 times claimed" in card.note
    assert report.sessions[0]["restarts"] == {"fastvit_ma36": 4, "convnext_b": 4}
    assert [point["name"] for point in report.points] == ["fastvit_ma36", "convnext_b"]
    assert "cpu, onnxruntime" in report.fingerprint["places"]


def test_with_two_restarts_nothing_is_called_an_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "measure_models", Timing({"cmt_s": 15.0}, restarts=2))
    found = of(reproduce_pair(pair_of(claim("cmt")), WORK).findings, "cmt")
    assert found.measured.startswith("1.50 (of 2 restarts, no interval) (cpu, onnxruntime): ")
    assert found.note.startswith("in 2 restarts, too few for an interval, cmt_s took 1.50 times as long")


def test_a_claim_of_backbones_says_that_whole_networks_were_timed(timing: Timing) -> None:
    report = reproduce_pair(pair_of(claim("cmt_backbone")), WORK)
    found, card = of(report.findings, "cmt_backbone"), of(report.findings, "cmt_backbone_gpu")
    assert "(cpu, onnxruntime, whole networks at 512 px): fastvit_ma36@512 10.0 ms" in found.measured
    assert found.verdict.endswith("with Core ML (coremltools 6.0; iOS 16) and backbones without their classifiers")
    assert "whole networks at 512 px, at batch 1)" in card.measured
    assert "RTX 2080 Ti with TensorRT 8.0.1.6 at batch 2" in card.verdict


def test_a_claim_measured_as_it_was_made_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """No machine runs an iPhone's claims; this one says that it is one."""
    for ms, verdict in ((35.0, "reproduced"), (15.0, "differs")):
        found = {"fastvit_ma36": 10.0, "cmt_s": ms}

        def timed(models: object, *_: object, found: dict[str, float] = found, **__: object) -> object:
            del models
            how = {"machine": {"cpu": "iPhone 12 Pro Max"}, "runner": "apple", "runtime": "coreml"}
            return tuple(measurement(label, value, **how) for label, value in found.items())  # type: ignore[arg-type]

        monkeypatch.setattr(sessions, "measure_models", timed)
        assert of(reproduce_pair(pair_of(claim("cmt")), WORK).findings, "cmt").verdict == verdict


def test_what_cannot_be_timed_is_a_finding(timing: Timing) -> None:
    timing.refused.add("cmt_s")
    report = reproduce_pair(pair_of(claim("cmt")), WORK)
    assert of(report.findings, "cmt").verdict == "not run: 'cmt_s' cannot be exported; another; take it"
    assert report.points == report.sessions == ()
    timing.failed.add("timm:efficientformer_l7@224")
    found = of(reproduce_pair(pair_of(claim("efficientformer")), WORK).findings, "efficientformer")
    assert found.verdict == "not run: timm:efficientformer_l7@224: it hung"
    assert (found.measured, found.published) == ("", "2.7 times on iPhone 12 Pro Max, batch 1")


def test_accuracy_and_what_others_measured_are_told_once_whatever_the_number_of_places(timing: Timing) -> None:
    places = (Conditions(), Conditions(runtimes=("torch",)))
    report = reproduce_pair(pair_of(claim("mobileone")), Work(places=places, keep=lambda measurement: None))
    quantities = [finding.quantity for finding in report.findings]
    assert quantities == [
        claim("mobileone").text,
        claim("mobileone_latency").text,
        claim("mobileone_latency").text,
        "fastvit_t8 against mobileone_s0 as others measured it",
    ]
    assert report.findings[0].verdict == "not run: ImageNet (--imagenet DIR) and both weights (--download)"
    assert "None" not in " ".join(finding.published for finding in report.findings)


def test_the_protocol_is_brief_unless_the_place_says_otherwise() -> None:
    own = Conditions(most_restarts=30, target=0.005)
    usual, kept = brief(Work(places=(Conditions(), own), keep=lambda measurement: None)).places
    assert (usual.is_quick, usual.most_restarts, usual.target) == (True, 12, 0.02)
    assert (kept.is_quick, kept.most_restarts, kept.target) == (True, 30, 0.005)
