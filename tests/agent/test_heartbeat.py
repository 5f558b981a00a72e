from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from bench.agent.heartbeat import Heartbeat
from bench.agent.transport import Hub
from bench.agent.wire import Lease

from .scripted_hub import LIMIT_S, Answer, ScriptedHub, scripted_hub

CONTINUE = Answer(body={"action": "continue"})


def beating(
    server: ScriptedHub, told: list[str], *, every_s: float = 0.02, health: Callable[[], dict[str, Any]] = dict
) -> Heartbeat:
    lease = Lease(fence=7, attempt=1, job_id="job7", heartbeat_s=every_s, max_s=60.0, body={})
    beat = Heartbeat(Hub(server.url, timeout_s=5.0), lease, health=health, told=told.append)
    beat.start()
    return beat


def test_hub_hears_at_once_and_again() -> None:
    told: list[str] = []
    with scripted_hub(lambda asked: CONTINUE) as server:
        beat = beating(server, told, health=lambda: {"celsius": 41.5})
        server.wait_for("/heartbeat")
        beat.enter("measuring")
        beat.progress(3, 40)
        last = server.wait_for("/heartbeat", count=len(server.asked) + 3)[-1]
        beat.end()
        assert not beat.is_alive()
    assert last.path == "/v1/leases/7/heartbeat"
    assert last.json() == {"phase": "measuring", "done": 3, "total": 40, "health": {"celsius": 41.5}}
    assert server.asked[0].json()["phase"] == "fetching"
    assert (beat.why_over, told) == (None, [])


@pytest.mark.parametrize(
    ("answer", "why", "is_refused"),
    [
        (Answer(body={"action": "cancel"}), "the hub cancelled it", False),
        (Answer(409, {"error": "the fence 7 is stale"}), "its fence is stale: the fence 7 is stale (HTTP 409)", False),
        (Answer(404), "the hub does not know its lease: Not Found (HTTP 404)", False),
        (Answer(403), "the lease is another's: Forbidden (HTTP 403)", False),
        (Answer(401), "the hub refuses its token: Unauthorized (HTTP 401)", True),
    ],
)
def test_lease_that_is_over_is_told_of(answer: Answer, why: str, is_refused: bool) -> None:
    with scripted_hub(lambda asked: answer) as server:
        beat = beating(server, [])
        beat.join(LIMIT_S)
        assert not beat.is_alive()
    assert (beat.why_over, beat.is_refused) == (why, is_refused)
    assert len(server.asked) == 1


def test_hub_that_is_away_changes_nothing_and_is_told_of_once() -> None:
    told: list[str] = []
    answers = iter([CONTINUE, *[Answer(503)] * 3])
    with scripted_hub(lambda asked: next(answers, CONTINUE)) as server:
        beat = beating(server, told)
        server.wait_for("/heartbeat", count=6)
        beat.end()
    assert beat.why_over is None
    assert len(told) == 2
    assert "no sign of life reaches the hub" in told[0]
    assert told[1] == "lease 7: the hub is back"


@pytest.mark.parametrize(
    "answer", [Answer(200, b"<html>"), Answer(200, b"[]"), Answer(302), Answer(body={"action": 5})]
)
def test_nonsense_changes_nothing(answer: Answer) -> None:
    with scripted_hub(lambda asked: answer) as server:
        beat = beating(server, [])
        server.wait_for("/heartbeat", count=3)
        beat.end()
    assert beat.why_over is None


def test_draining_is_told_of_once() -> None:
    told: list[str] = []
    with scripted_hub(lambda asked: Answer(body={"action": "drain"})) as server:
        beat = beating(server, told)
        server.wait_for("/heartbeat", count=3)
        beat.end()
    assert beat.why_over is None
    assert len(told) == 1


def fails() -> dict[str, Any]:
    raise OSError("no thermometer")


@pytest.mark.parametrize(
    ("health", "found"),
    [(fails, {"error": "OSError: no thermometer"}), (lambda: {"celsius": math.nan}, {"celsius": None})],
)
def test_device_that_cannot_tell_its_health_keeps_its_lease(
    health: Callable[[], dict[str, Any]], found: dict[str, Any]
) -> None:
    with scripted_hub(lambda asked: CONTINUE) as server:
        beat = beating(server, [], health=health)
        assert server.wait_for("/heartbeat", count=2)[0].json()["health"] == found
        beat.end()


def test_first_reason_stays() -> None:
    with scripted_hub(lambda asked: CONTINUE) as server:
        beat = beating(server, [])
        beat.give_up("first")
        beat.give_up("second", is_refused=True)
        beat.end()
    assert (beat.why_over, beat.is_refused) == ("first", True)
