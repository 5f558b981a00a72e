"""What the disorder disturbs is really disturbed: a clock that jumps in one process alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from command import ROOT, environment

from .clock import WallClock

DAY_S = 86_400
# Answers each line with what the time is, in as many ways as the hub and the agent ask.
TELL = """
import json, sys, time
from datetime import datetime
from bench.store.opening import utc_now

for line in sys.stdin:
    moment = utc_now()
    assert isinstance(moment, datetime) and isinstance(datetime(2026, 1, 1), datetime)
    wall = [time.time(), time.time_ns() / 1e9, moment.timestamp(), datetime.now().timestamp()]
    wall.append(time.mktime(time.localtime()))
    print(json.dumps([wall, time.monotonic(), time.strftime("%Y-%m-%d")]), flush=True)
"""


@contextmanager
def telling(folder: Path, clock: WallClock) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", TELL]
    surroundings = environment(folder) | clock.environment(ROOT)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=surroundings
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def told(process: subprocess.Popen[str]) -> tuple[list[float], float, str]:
    """The wall clock in several forms, the monotonic one, and the date."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    wall, monotonic, date = json.loads(process.stdout.readline())
    return wall, monotonic, date


def test_a_wall_clock_jumps_in_its_process_and_the_monotonic_one_does_not(tmp_path: Path) -> None:
    clock = WallClock(tmp_path / "clock")
    with telling(tmp_path, clock) as process:
        begin = time.monotonic()
        for jump in (0, 40 * DAY_S, -90 * DAY_S):
            clock.jump(jump)
            before = time.time() + clock.seconds
            wall, monotonic, date = told(process)
            after = time.time() + clock.seconds
            assert all(before - 1.5 <= value <= after + 0.1 for value in wall), (wall, before, after)
            assert date in {time.strftime("%Y-%m-%d", time.localtime(moment)) for moment in (before, after)}
            assert begin <= monotonic <= time.monotonic()
    assert clock.seconds == -50 * DAY_S
