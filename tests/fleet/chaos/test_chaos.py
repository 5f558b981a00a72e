"""Jobs survive what happens to processes, links and clocks: each ends once, nothing is lost, nothing counts twice.

Three agents as on devices (the packed file, ONNX Runtime) and `bench hub serve`, all of them processes, while a client
submits. In an order that a seed gives, and as the work goes on:

- agents are killed (SIGKILL) in the middle of a session and started again, with the hub there and without it;
- the hub is killed and started again on its database;
- links are cut, slowed and reset: by a relay in front of each agent, or, where root may make network namespaces, by
  pulling cables between hosts and by tc (netem where the kernel has it, else tbf), then with TLS;
- the wall clocks of the hub and of agents jump by up to a month, forward and back. It is `time.time` and `datetime`
  of these processes that jump (clock.py); the machine's own clock is not touched.

The long form also lets leases run out: an agent that is silent, or dead, for longer than a lease lives.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from random import Random

import psutil
import pytest

from ..hubs import until
from ..processes import check_untold
from .disorder import EXPIRES_AFTER, TOLD_AFTER, Disorder
from .ledger import Life, check_life, check_turns
from .scene import Scene, on_hosts, on_loopback
from .submitting import Submitter

NAMES = ("pi3", "pi4", "pi5")
# Each once, in an order that the seed gives.
SHORT = (
    *("kill agent", "kill agent", "kill hub", "kill hub, set its clock", "kill hub and agent"),
    *("cut link", "slow link", "reset link", "set clock of hub", "set clock of agent"),
)
# What the long form repeats, and what takes it more than a minute each time.
ROUND, NUM_ROUNDS = (*SHORT, "kill agent", "reset link", "cut link"), 4
LONG = ("silence agent", "leave agent dead")
# Where jobs do not end, the next thing happens all the same.
PATIENCE_S = 20.0

Place = Callable[[Path, Sequence[str]], AbstractContextManager[Scene]]


@pytest.mark.slow
def test_twenty_jobs_survive(tmp_path: Path) -> None:
    order = Random(5).sample(SHORT, len(SHORT))
    lives = survive(on_loopback, tmp_path, count=20, order=order, seed=5, limit_s=240.0)
    assert any(life.lost for life in lives)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("place", [on_loopback, on_hosts])
def test_five_hundred_jobs_survive(tmp_path: Path, place: Place) -> None:
    random = Random(6)
    order = [what for number in range(NUM_ROUNDS) for what in _round(random, number)]
    lives = survive(place, tmp_path, count=500, order=order, seed=6, limit_s=3300.0)
    assert {attempt.kind for life in lives for attempt in life.lost} == {"device_lost", "expired"}


def survive(
    place: Place, folder: Path, *, count: int, order: Sequence[str], seed: int, limit_s: float
) -> tuple[Life, ...]:
    """Has `count` jobs done while things happen in that order; checks all that must hold, and gives what is told."""
    with place(folder, NAMES) as scene:
        submitter = Submitter(scene, folder / "networks", count)
        submitter.start()
        disorder = Disorder(scene, seed=seed)
        try:
            disturb(scene, submitter, disorder, count=count, order=order, limit_s=limit_s)
        finally:
            submitter.end()
        # What a client is told of each job.
        assert submitter.follow_all() == {job_id: (label,) for job_id, label in submitter.labels.items()}
        for agent in scene.agents.values():
            until(lambda lease=agent.own / "lease.json": not lease.exists(), limit_s=90.0)  # it has heard
            agent.end()
            assert not list((agent.own / "blobs").iterdir())
        until(lambda: not _left_running(folder))
        check_untold(scene.secrets(), scene.hub.log, *(agent.log for agent in scene.agents.values()))
        lives = scene.ledger.lives(tuple(submitter.labels))
        assert len(lives) == count
        for life in lives:
            check_life(life, submitter.labels[life.job.id])
            check_reasons(life, disorder, scene)
        check_turns(lives)
        if "set clock of hub" in order:
            moments = [event.created_at for life in lives for event in life.events]
            assert max(moments) - min(moments) > timedelta(hours=1)  # it did jump
        return lives


def disturb(
    scene: Scene, submitter: Submitter, disorder: Disorder, *, count: int, order: Sequence[str], limit_s: float
) -> None:
    """Strikes as jobs end, spread over all of them; returns when all jobs have ended."""
    end_s, last_s = time.monotonic() + limit_s, time.monotonic()
    left = list(order)
    while (num_ended := scene.ledger.num_ended()) < count:
        assert submitter.error is None, submitter.error
        assert time.monotonic() < end_s, f"{num_ended} of {count} jobs after {disorder.strikes}: {_tails(scene)}"
        is_due = num_ended >= count * len(disorder.strikes) / (len(order) + 1)
        if left and (is_due or time.monotonic() - last_s > PATIENCE_S):
            disorder.strike(left.pop(0))
            last_s = time.monotonic()
        elif not left:
            submitter.may_end.set()
        time.sleep(0.1)
    submitter.join(timeout=60.0)
    assert not submitter.is_alive()


def check_reasons(life: Life, disorder: Disorder, scene: Scene) -> None:
    """Every attempt that came to nothing did so because of something that was done to its runner, and logs say so."""
    whats = {strike.what for strike in disorder.strikes if strike.whom == life.job.runner}
    for attempt in life.lost:
        if attempt.kind == "device_lost":
            assert whats & TOLD_AFTER, attempt
            told = scene.agents[life.job.runner].log.read_text(encoding="utf-8", errors="replace")
            assert f"lease {attempt.fence}: an agent before this one left it open" in told
        else:
            assert attempt.kind == "expired", attempt
            assert whats & EXPIRES_AFTER, attempt


def _round(random: Random, number: int) -> list[str]:
    deeds = [*ROUND, *LONG[number : number + 1]]
    return random.sample(deeds, len(deeds))


def _left_running(folder: Path) -> list[psutil.Process]:
    """Processes of agents: those that were killed must have left none of theirs behind."""
    lines = {process: " ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])}
    return [process for process, line in lines.items() if any(f"{folder / name}/" in line for name in NAMES)]


def _tails(scene: Scene) -> list[str]:
    return [agent.tail()[-600:] for agent in scene.agents.values()]
