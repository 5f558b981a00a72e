from __future__ import annotations

from dataclasses import replace

import pytest

from bench.fleet.states import JobEvent, RunnerState, ago

READY = RunnerState.from_dict({"id": "0" * 32, "name": "pi5", "status": "ready", "last_seen_s": 3.2, "queue": 2})


def test_a_runner_is_away_when_it_was_not_seen_for_a_minute() -> None:
    assert (READY.shown_status, READY.why_waiting, READY.why_unusable) == ("ready", None, None)
    away = replace(READY, last_seen_s=61.0)
    assert (away.shown_status, away.why_waiting) == ("away", "last seen 61 s ago")
    assert replace(READY, last_seen_s=None).why_waiting == "last seen never"


def test_one_that_drains_is_waited_for() -> None:
    draining = replace(READY, status="draining")
    assert draining.why_waiting == "draining until `bench runners resume pi5`"
    assert draining.why_unusable is None


def test_one_that_gets_no_jobs_says_what_to_do() -> None:
    quarantined = replace(READY, status="quarantined", reason="its A/A failed", last_seen_s=1e6)
    assert quarantined.shown_status == "quarantined"
    assert quarantined.why_unusable == (
        "runner 'pi5' is quarantined (its A/A failed); only tests run there; see `bench runners test pi5`, then "
        "`bench runners resume pi5`"
    )
    assert "run `bench runners register pi5`" in (replace(READY, status="removed").why_unusable or "")


def test_an_event_is_a_line_of_json() -> None:
    event = JobEvent.from_json(b'{"sequence":7,"kind":"requeued","fence":3,"data":{"kind":"device_lost"}}')
    assert event == JobEvent(sequence=7, kind="requeued", data={"kind": "device_lost"})


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "never"),
        (-1.0, "0 s ago"),
        (119.0, "119 s ago"),
        (180.0, "3 min ago"),
        (7300.0, "2 h ago"),
        (2e5, "2 days ago"),
    ],
)
def test_how_long_ago(seconds: float | None, words: str) -> None:
    assert ago(seconds) == words
