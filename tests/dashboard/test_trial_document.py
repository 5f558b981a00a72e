"""One trial: its network in parts, its runs in milliseconds, what is near it and what to do with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_studies import HOSTILE, add_mixed, add_study, add_trial, made_store, network

from bench.dashboard.source import Source
from bench.errors import StoreError
from bench.store import Store


@pytest.fixture
def found(source: Source) -> dict[str, Any]:
    return source.trial(2)


def test_what_was_stored_is_told(found: dict[str, Any]) -> None:
    assert (found["label"], found["number"], found["status"], found["kind"]) == ("made/1", 1, "complete", "front")
    assert found["is_front"]
    assert found["values"] == {
        "accuracy": 0.6,
        "latency_ms": 20.0,
        "params_m": 1.125,
        "macs_g": 0.1125,
        "artifact_mb": 4.0,
    }
    scores = [(score["rung"], score["accuracy"], score["images"]) for score in found["scores"]]
    assert scores == [(0, 0.5, 48), (1, 0.6, 96)]
    assert found["scores"][0]["curve"] == {"images": [48], "loss": [1.5]}
    assert found["stage_seconds"] == {"build": 0.5, "time": 2.0, "train": 6.0}
    json.dumps(found, allow_nan=False)


def test_runs_are_milliseconds_by_process(found: dict[str, Any]) -> None:
    (measured,) = found["measurements"]
    assert (measured["ms"], measured["low_ms"], measured["high_ms"]) == (20.0, 19.0, 21.0)
    assert measured["session_ms"] == 22.0
    assert measured["samples"]["ms"] == [[19.999, 20.0, 20.001]] * 2
    assert measured["samples"]["contended"] == [[False] * 3, [True] * 3]
    assert measured["samples"]["reference_ms"] == [[10.0], [10.0]]
    assert measured["verdict_text"]
    assert ["machine.cpu", "a made CPU"] in measured["fingerprint"]


def test_stages_and_the_rest_are_the_network(found: dict[str, Any]) -> None:
    architecture = found["architecture"]
    assert [stage["depth"] for stage in architecture["stages"]] == [2, 1, 1, 1]
    parts = sum(stage["blocks"]["macs_g"] for stage in architecture["stages"]) + architecture["elsewhere"]["macs_g"]
    assert parts == pytest.approx(architecture["total"]["macs_g"], rel=1e-5)
    assert architecture["text"].startswith("fastvit: input_resolution 256")
    assert len(architecture["text"].splitlines()) == 5


def test_neighbours_differ_in_one_word(found: dict[str, Any]) -> None:
    neighbours = found["relatives"]["neighbours"]
    assert [near["number"] for near in neighbours] == [0, 2, 3, 4, 5, 6]
    assert all(near["words"] == ["stage1.depth"] for near in neighbours)


def test_the_nearest_named_network_is_told_with_the_differences(found: dict[str, Any]) -> None:
    nearest = found["nearest"]
    assert (nearest["name"], nearest["number"], nearest["is_baseline"]) == ("fastvit_t8", 0, False)
    assert nearest["differences"] == {"accuracy": pytest.approx(0.1), "latency_ms": pytest.approx(1.0)}
    assert nearest["text"] == "Against fastvit_t8: +10.0 points accuracy, +100.0 % latency"


def test_commands_are_lines_to_copy(found: dict[str, Any], db: Path) -> None:
    assert found["commands"]["show"] == f"bench show made/1 --db {db}"
    assert found["commands"]["export"].startswith("bench export made/1 --format onnx --out made-1.onnx")


def test_a_failed_trial_has_its_reason_and_no_export(source: Source) -> None:
    found = source.trial(5)
    assert (found["status"], found["kind"], found["reason"]) == ("failed", "failed", f"it broke {HOSTILE}")
    assert found["measurements"] == found["scores"] == []
    assert "export" not in found["commands"]
    assert found["nearest"] is None


def test_a_baseline_is_read_with_its_study(store: Store, source: Source) -> None:
    other = add_study(store, "made-baselines")
    trial = add_trial(store, other, accuracy=0.61, ms=21.0, name="mobileone_s0", architecture=network(77))
    assert source.trial(trial.id)["study"]["name"] == "made-baselines"
    nearest = source.trial(2)["nearest"]
    assert (nearest["name"], nearest["is_baseline"]) == ("mobileone_s0", True)


def test_a_baseline_of_another_machine_is_near_nothing(store: Store, source: Source) -> None:
    other = add_study(store, "made-baselines", fingerprint={"machine": {"cpu": "another"}})
    add_trial(store, other, accuracy=0.61, ms=21.0, name="mobileone_s0")
    assert source.trial(2)["nearest"]["name"] == "fastvit_t8"


def test_baselines_without_their_study_are_read_alone(tmp_path: Path) -> None:
    with made_store(tmp_path / "alone.db") as store:
        add_mixed(store, "gone-baselines")
    with Source(tmp_path / "alone.db") as source:
        assert source.trial(1)["label"] == "gone-baselines/0"


def test_an_unknown_trial_is_named(source: Source) -> None:
    with pytest.raises(StoreError, match=r"no trial with id 99; known studies: made; name a trial"):
        source.trial(99)
