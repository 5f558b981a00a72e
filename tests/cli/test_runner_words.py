from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.cli.runner_words import attempt_row, details, row
from bench.fleet.states import AttemptState, RunnerState

KNOWN = {"id": "0" * 32, "name": "pi5", "status": "ready", "last_seen_s": 3.2, "queue": 2}


def state(capabilities: dict[str, Any], health: dict[str, Any] | None = None) -> RunnerState:
    return RunnerState.from_dict({**KNOWN, "capabilities": capabilities, "health": health or {}})


def test_a_runner_is_a_row() -> None:
    found = state(
        {"device": {"cpu": "Cortex-A76", "os": "Linux"}, "runtimes": {"onnxruntime": {"versions": {"numpy": "2.4"}}}},
        {"celsius": 41.2, "gpu_celsius": 55},
    )
    assert row(found)[2:] == ("Cortex-A76", "Linux", "onnxruntime", "3 s ago", "2", "-", "55 C")
    assert ("runtime onnxruntime", "numpy 2.4") in details(found)


@pytest.mark.parametrize(
    ("capabilities", "health"),
    [
        ({"device": {"gpus": ["RTX"]}}, {}),
        ({"device": {"gpus": 3}}, {}),
        ({"device": "a phone"}, {}),
        ({"runtimes": ["onnxruntime"]}, {}),
        ({"runtimes": {"onnxruntime": 1}}, {}),
        ({"runtimes": {"onnxruntime": {"versions": ["1"]}}}, {}),
        ({}, {"celsius": "41 C"}),
        ({}, {"celsius": True}),
        ({}, {"celsius": {"cpu": 41}}),
    ],
)
def test_what_an_agent_tells_may_have_any_shape(capabilities: dict[str, Any], health: dict[str, Any]) -> None:
    found = state(capabilities, health)
    assert row(found)[0] == "pi5"
    assert row(found)[-1] == "-"
    assert ("id", "0" * 32) in details(found)


def test_an_attempt_is_a_row() -> None:
    attempt = AttemptState.from_dict(
        {
            "job_id": "0123456789abcdef" * 2,
            "number": 2,
            "is_test": False,
            "num_files": 3,
            "status": "expired",
            "kind": "expired",
            "reason": "gone\x1b[2J\nready",
            "started_at": "2026-11-20T12:00:07+00:00",
            "finished_at": "2026-11-20T12:01:09.5+00:00",
            "fence": 9,
        }
    )
    assert attempt_row(attempt) == ("2026-11-20 12:00", "62.5 s", "01234567", "2", "3", "expired", "gone?[2J ready")
    live = replace(attempt, status="leased", kind=None, reason=None, finished_at=None, is_test=True)
    assert attempt_row(live)[1:3] == ("-", "01234567 (test)")
    assert attempt_row(replace(attempt, finished_at=attempt.started_at[:10] + "T11:00:00+00:00"))[1] == "0.0 s"


def test_an_agent_cannot_write_on_the_screen() -> None:
    evil = "Cortex\x1b]0;owned\x07\x1b[2J\nrunner  ready"
    found = state(
        {"device": {"cpu": evil}, "driver": evil, "runtimes": {evil: {"versions": {evil: evil}}}}, {evil: evil}
    )
    texts = [*row(found), *(text for pair in details(found) for text in pair)]
    assert any("Cortex" in text for text in texts)
    assert all(text.isprintable() for text in texts)
