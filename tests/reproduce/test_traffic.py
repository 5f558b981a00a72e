from __future__ import annotations

import pytest

from bench.reproduce import sessions, traffic
from bench.reproduce.traffic import MIXERS, RESOLUTIONS, parts, reproduce_part, with_mixer
from bench.reproduce.work import Work
from bench.study.conditions import Conditions
from bench.study.models import reference_point

from .made import Timing

WORK = Work(places=(Conditions(),), keep=lambda measurement: None)


@pytest.fixture
def timing(monkeypatch: pytest.MonkeyPatch) -> Timing:
    found = Timing({"fastvit_t8@512 (train form)": 13.0, "fastvit_t8 with attention": 15.0})
    monkeypatch.setattr(sessions, "measure_models", found)
    return found


def test_a_mixer_takes_the_place_of_repmixer_in_the_last_two_stages() -> None:
    assert with_mixer("repmixer") == reference_point("fastvit_t8")
    for mixer in MIXERS:
        words = [stage["mixer"] for stage in with_mixer(mixer).to_dict()["stages"]]  # type: ignore[attr-defined]
        assert words == ["repmixer", "repmixer", mixer, mixer]


def test_every_resolution_is_measured() -> None:
    assert parts() == tuple((what, side) for what in ("form", "mixer") for side in RESOLUTIONS)


def test_forms_are_a_pair(timing: Timing) -> None:
    report = reproduce_part("form", 512, WORK)
    ((labels, conditions),) = timing.asked
    assert labels == ("fastvit_t8@512", "fastvit_t8@512 (train form)")
    assert conditions.forms == ("deploy", "train")
    (found,) = report.findings
    assert found.quantity == "train form against deploy form at 512 px"
    assert found.measured.startswith("1.300 [")
    assert found.measured.endswith("; peak memory: deploy form 40 MiB, train form 40 MiB")
    assert found.note.startswith("slower; 6 restarts: fastvit_t8@512 valid, ")
    assert [point["ratio"] for point in report.points] == [1.0, pytest.approx(1.3, rel=0.01)]
    assert report.points[1]["low"] <= report.points[1]["ratio"] <= report.points[1]["high"]
    assert report.points[1]["restarts"] == 6


def test_one_restart_has_no_interval_and_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "measure_models", Timing({"fastvit_t8@1024 (train form)": 13.0}, restarts=1))
    (found,) = reproduce_part("form", 1024, WORK).findings
    assert found.measured.startswith("1.300 (of 1 restart, no interval) times as long (cpu, onnxruntime)")
    assert found.note.startswith("too few restarts to say more; 1 restart: ")


def test_mixers_are_told_against_repmixer(timing: Timing) -> None:
    report = reproduce_part("mixer", 256, WORK)
    assert [finding.quantity for finding in report.findings] == [
        "attention against repmixer at 256 px",
        "pooling against repmixer at 256 px",
    ]
    assert report.findings[0].values["ratio"] == pytest.approx(1.5, rel=0.01)


def test_memory_is_left_out_on_a_gpu(timing: Timing, monkeypatch: pytest.MonkeyPatch) -> None:
    # No machine of the tests has one: what can run where is asked elsewhere.
    monkeypatch.setattr(sessions, "place_of", lambda conditions: "cuda, torch")
    monkeypatch.setattr(traffic, "circumstances", lambda places: {})
    report = reproduce_part("form", 256, Work(places=(Conditions(runner="cuda"),), keep=lambda measurement: None))
    assert "memory" not in report.findings[0].measured
    assert [point["memory_mib"] for point in report.points] == [None, None]


def test_what_cannot_be_timed_is_a_finding(timing: Timing) -> None:
    timing.refused.add("fastvit_t8@1024")
    (found,) = reproduce_part("form", 1024, WORK).findings
    assert found.quantity == "train form against deploy form at 1024 px"
    assert found.verdict == "not run: 'fastvit_t8@1024' cannot be exported; another; take it"
    timing.failed.add("fastvit_t8@512")
    report = reproduce_part("form", 512, WORK)
    assert report.findings[0].verdict == "not run: fastvit_t8@512: it hung"
    assert [point["ratio"] for point in report.points] == [None, None]
