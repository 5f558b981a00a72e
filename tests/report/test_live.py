from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
from rich.console import Console

from bench.report.live import Display

STARTED = {"number": 3, "rung": 0, "source": "sampler:tpe", "is_trained": True}
MEASURED = {
    "number": 3,
    "summary": {
        "comparable_ms": 2.0,
        "comparable_low_ms": 1.9,
        "comparable_high_ms": 2.1,
        "ratio_to_reference": 0.5,
    },
}
SCORED = {"number": 3, "rung": 0, "accuracy": 0.51234}
EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("timing", {"number": 3, "source": "sampler:tpe", "is_here": True}),
    ("timing", {"number": 4, "source": "sampler:tpe", "is_here": False}),
    ("started", STARTED),
    ("prepared", {"number": 3, "figures": {"params_m": 1.0}}),
    ("measured", MEASURED),
    ("training", {"number": 3, "images_seen": 500}),
    ("scored", SCORED),
    ("away", {"numbers": [4, 5], "runners": ["pi5", "pixel8"]}),
    ("sent", {"runner": "pi5", "numbers": [4, 5], "job": "0" * 32}),
    ("waiting", {"runner": "pi5", "reason": "last seen 70 s ago", "is_new": True}),
    ("waiting", {"runner": "pi5", "reason": "last seen 80 s ago", "is_new": False}),
    ("back", {"runner": "pi5"}),
    ("measured", {**MEASURED, "number": 4, "runner": "pi5"}),
    ("started", {"number": 2, "rung": 1, "source": "sampler:tpe"}),
    ("failed", {"number": 2, "reason": "the worker died: Segmentation fault"}),
    ("finished", {"reason": None}),
]


class Scripted:
    """A study in the middle, as `bench.study.session.Session` shows it."""

    def snapshot(self) -> dict[str, Any]:
        return {
            "name": "mystudy",
            "done": 7,
            "budget": 24,
            "failed": 1,
            "jobs": [(8, 0, "trains, 512 pictures seen"), (3, 1, "is timed")],
            "away": [("pi5", (4, 5), "timed")],
            "waiting": {"pi5": "last seen 70 s ago"},
            "objectives": ["accuracy", "latency_ms"],
            "front": [(2, (0.31, 4.25)), (5, (0.45, 8.5))],
            "hypervolume": 12.345,
            "reference": {"accuracy": 0.0, "latency_ms": 50.0},
            "seconds": 75.0,
            "seconds_left": 3725.0,
        }


def shown(*, is_terminal: bool) -> str:
    """What ends up on the screen."""
    console = Console(
        file=io.StringIO(), force_terminal=is_terminal, record=True, width=140, height=60, legacy_windows=False
    )
    with Display(as_json=False, console=console) as display:
        display.progress("pictures", 50, 100)
        display.progress("pictures", 100, 100)
        for kind, data in EVENTS:
            display.event(Scripted(), kind, data)
        assert display.study_name == "mystudy"
    return console.export_text()


def test_a_terminal_shows_the_state_of_the_study() -> None:
    text = shown(is_terminal=True)
    assert (
        "mystudy   7/24 done, 2 running, 2 sent, 1 failed   hypervolume 12.345 (against accuracy 0, latency_ms 50)"
        in text
    )
    assert "1:15, about 1:02:05 left" in text
    assert "#8 to rung 0 trains, 512 pictures seen" in text
    assert "#4 #5 on pi5: timed" in text
    assert "waiting for pi5 (last seen 70 s ago)" in text
    assert re.search(r"#5 +0\.45 +8\.5", text)
    assert "#2 failed: the worker died: Segmentation fault" in text


def test_elsewhere_every_event_is_a_plain_line() -> None:
    lines = shown(is_terminal=False).splitlines()
    assert all(line.isascii() and "\x1b" not in line for line in lines)
    assert "preparing pictures: 100 of 100" in lines
    state = "1:15  7/24 done, 2 running, 2 sent, 1 failed  "
    assert [line.removeprefix(state) for line in lines if line.startswith(state)] == [
        "#3 is prepared and timed (sampler:tpe)",
        "#4 is prepared (sampler:tpe)",
        "#3 is trained (sampler:tpe)",
        "#3 takes 2.00 ms [1.90, 2.10], 0.50 x T8",
        "#3 has accuracy 0.5123 at rung 0",
        "#4 #5 are sent to pi5, pixel8",
        "waiting for pi5 (last seen 70 s ago)",
        "pi5 is back",
        "#4 takes 2.00 ms [1.90, 2.10] on pi5, 0.50 x T8",
        "#2 goes on to rung 1",
        "#2 failed: the worker died: Segmentation fault",
        "finished",
    ]


def test_machines_get_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with Display(as_json=True) as display:
        display.progress("pictures", 50, 100)
        for kind, data in EVENTS:
            display.event(Scripted(), kind, data)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = [kind for kind, data in EVENTS if kind != "training" and data.get("is_new", True)]
    assert [line["event"] for line in lines] == ["preparing", *told]
    assert lines[0] == {"event": "preparing", "what": "pictures", "done": 50, "total": 100}
    assert lines[6]["accuracy"] == 0.51234
    assert lines[6]["progress"]["seconds_left"] == 3725.0


def test_a_score_without_training_is_told_as_what_it_is() -> None:
    console = Console(file=io.StringIO(), record=True, width=200)
    with Display(as_json=False, console=console) as display:
        display.event(Scripted(), "started", {**STARTED, "is_trained": False})
        display.event(Scripted(), "scored", {"number": 3, "rung": 0, "zero_cost": 0.51234})
    text = console.export_text()
    assert "#3 is looked at (sampler:tpe)" in text
    assert "#3 has zero-cost score 0.5123 (no accuracy: nothing was trained)" in text
    assert "is trained" not in text


def test_markup_in_a_reason_is_shown_as_it_is() -> None:
    console = Console(file=io.StringIO(), record=True, width=200)
    with Display(as_json=False, console=console) as display:
        display.event(Scripted(), "failed", {"number": 1, "reason": "[red]odd[/red] \n text"})
    assert "[red]odd[/red]" in console.export_text()
