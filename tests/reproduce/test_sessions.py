from __future__ import annotations

import json

import pytest

from bench.errors import MeasureError, StoreError
from bench.measure import Measurement
from bench.networks.models import TimmModel
from bench.reproduce import sessions
from bench.reproduce.sessions import as_plain, circumstances, latency_words, time_together, within
from bench.reproduce.work import Work
from bench.study.conditions import Conditions
from bench.version import __version__

from .made import PLACE, Timing, measurement, session

MODELS = [TimmModel(timm_name="resnet18", resolution=512), TimmModel(timm_name="resnet34", resolution=224)]


@pytest.fixture
def timing(monkeypatch: pytest.MonkeyPatch) -> Timing:
    found = Timing({"timm:resnet34@224": 20.0})
    monkeypatch.setattr(sessions, "measure_models", found)
    return found


def test_every_session_has_one_reference_and_keeps_what_it_measured(timing: Timing) -> None:
    kept: list[Measurement] = []
    work = Work(places=(), keep=kept.append)
    found = time_together(MODELS, Conditions(), work)
    assert [conditions.reference_resolution for _, conditions in timing.asked] == [256]
    assert [measurement.label for measurement in kept] == ["timm:resnet18@512", "timm:resnet34@224"]
    assert found.place == PLACE
    pair = found.ratio("timm:resnet34@224")
    assert pair is not None
    assert pair.ratio == pytest.approx(2.0, rel=0.01)


def test_a_store_that_cannot_be_written_is_no_reason_why_models_cannot_be_timed(timing: Timing) -> None:
    def refuse(measurement: Measurement) -> None:
        raise StoreError("the disk is full")

    with pytest.raises(StoreError):
        time_together(MODELS, Conditions(), Work(places=(), keep=refuse))
    timing.refused.add("timm:resnet18@512")
    with pytest.raises(MeasureError):
        time_together(MODELS, Conditions(), Work(places=(), keep=refuse))
    assert issubclass(MeasureError, sessions.UNTIMED)
    assert not issubclass(StoreError, sessions.UNTIMED)


def test_few_restarts_make_no_interval() -> None:
    assert within(1.5, 1.4, 1.6, restarts=3, unit=" %") == "1.50 % [1.40, 1.60]"
    assert within(1.5, 1.4, 1.6, restarts=2) == "1.50 (of 2 restarts, no interval)"
    assert within(1.5, 1.4, 1.6, restarts=1) == "1.50 (of 1 restart, no interval)"
    told = latency_words(measurement("a", 20.0))
    assert told.startswith("20.0")
    assert told.endswith("x FastViT-T8 at 256 px")
    assert told.count("[") == 2
    few = latency_words(measurement("a", 20.0, restarts=2))
    assert few.endswith("x FastViT-T8 at 256 px (of 2 restarts, no interval)")
    assert "[" not in few


def test_a_remark_says_how_far_a_session_can_be_believed() -> None:
    found = session(measurement("a", 20.0, restarts=4, twin=1.02), measurement("b", 9.0, restarts=4, verdict="noisy"))
    assert found.remark(["a", "b"]) == "4 restarts: a valid, b noisy, noise floor 2.0 %"


def test_the_protocol_of_a_session_is_plain_data() -> None:
    found = session(measurement("a", 20.0, restarts=4), measurement("b", 9.0, verdict="failed")).protocol()
    assert json.loads(json.dumps(found)) == found
    assert found["restarts"] == {"a": 4, "b": 0}
    assert found["verdicts"] == {"a": "valid", "b": "failed"}
    asked = ("least_restarts", "most_restarts", "target", "limit_s", "reference_resolution")
    assert [found[name] for name in asked] == [3, 12, 0.02, 40.0, 256]


def test_memory_of_a_process_says_nothing_of_a_gpu() -> None:
    assert session(measurement("a", 9.0, memory_mib=41.5)).memory_mib("a") == 41.5
    assert session(measurement("a", 9.0, memory_mib=41.5, runner="cuda", runtime="torch")).memory_mib("a") is None


def test_points_of_a_chart_have_the_ratio_with_its_interval() -> None:
    point = as_plain(measurement("a", 20.0))
    assert point["ratio_low"] <= point["ratio_to_t8"] <= point["ratio_high"]
    assert point["ratio_to_t8"] == pytest.approx(2.0, rel=0.01)
    assert point["restarts"] == 6
    assert as_plain(measurement("a", 9.0, verdict="failed", reason="it hung")) == {
        "name": "a",
        "verdict": "failed",
        "reason": "it hung",
    }


def test_circumstances_name_what_is_timed_with_in_each_place() -> None:
    found = circumstances((Conditions(), Conditions(runtimes=("torch",), threads=(2,))))
    assert found["bench"] == __version__
    assert list(found["places"]) == ["cpu, onnxruntime", "cpu, torch, 2 threads"]
    one, other = found["places"].values()
    assert (one["runtime"], one["threads"]) == ("onnxruntime", 1)
    assert (other["runtime"], other["threads"]) == ("torch", 2)
    assert "onnxruntime" in one["software"]
    assert "onnxruntime" not in other["software"]
