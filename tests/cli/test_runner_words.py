from __future__ import annotations

from typing import Any

import pytest

from bench.cli.runner_words import details, row
from bench.fleet.states import RunnerState

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


def test_an_agent_cannot_write_on_the_screen() -> None:
    evil = "Cortex\x1b]0;owned\x07\x1b[2J\nrunner  ready"
    found = state(
        {"device": {"cpu": evil}, "driver": evil, "runtimes": {evil: {"versions": {evil: evil}}}}, {evil: evil}
    )
    texts = [*row(found), *(text for pair in details(found) for text in pair)]
    assert any("Cortex" in text for text in texts)
    assert all(text.isprintable() for text in texts)
