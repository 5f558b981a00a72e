"""One hard life of a real search: its driver killed, its workers killed, interrupted, and brought to its end.

The stages follow each other in one fixture, since each start of Ray takes seconds; every test looks at one of them.
"""

from __future__ import annotations

import os
import random
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from command import Ended, are_gone, bench, family, is_agent, started, wait_for, worker_of, write_quick

from bench.store import EventRecord, MeasurementRecord, ScoreRecord, StudyRecord, TrialRecord, open_store

pytestmark = pytest.mark.timeout(600)

NAME = "hard"
BUDGET = 5
# Of one command of the long form, on a machine that may be busy.
SOAK_LIMIT_S = 900.0
# Trainings long enough to be hit.
SETTINGS = """
space: smoke
data: {classes: 2, per_class: 24, val_per_class: 6}
proxy: {images: 640, rungs: 2, batch_size: 16}
timing: {restarts: 1, blocks: 2, iterations: 2, batch: 1}
execution: {concurrency: 1}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the database held at a moment."""

    study: StudyRecord
    trials: tuple[TrialRecord, ...]
    scores: tuple[ScoreRecord, ...]
    measurements: tuple[MeasurementRecord, ...]
    events: tuple[EventRecord, ...]


def state(folder: Path, name: str = NAME) -> State:
    with open_store(folder / "results" / "bench.db", read_only=True) as store:
        study = store.study(name)
        return State(
            study=study,
            trials=store.trials(study.id),
            scores=store.study_scores(study.id),
            measurements=store.study_measurements(study.id),
            events=store.events(study.id),
        )


def identities(records: Any) -> set[tuple[int, object]]:
    return {(record.id, record.created_at) for record in records}


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """The stages: killed, interrupted, ended."""

    folder: Path
    killed: State
    are_workers_gone: bool
    interrupted: State
    interruption: Ended
    end: Ended
    ended: State
    are_later_gone: bool


def wait_until_at_work(folder: Path, number: int) -> None:
    """Until the worker has opened the candidate's crash log, into which its last words go."""
    log = folder / "results" / "studies" / NAME / "logs" / f"{number:05d}.log"
    end = time.monotonic() + 60
    while not log.exists():
        assert time.monotonic() < end, f"candidate {number} was not begun"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    folder = tmp_path_factory.mktemp("hard")
    new = ["search", "--config", write_quick(folder, SETTINGS), "--budget", BUDGET, "--name", NAME, "--json"]
    go_on = ["search", "--resume", NAME, "--json"]
    with started(*new, cwd=folder) as process:
        wait_for(process, "started", number=1)
        members = family(process.pid)
        workers = [member for member in members if not is_agent(member)]
        process.kill()
        process.wait(30)
        are_workers_gone = are_gone(workers)
    killed = state(folder)
    with started(*go_on, cwd=folder) as process:
        wait_for(process, "started", number=2)
        wait_until_at_work(folder, 2)
        worker_of(process).kill()
        wait_for(process, "started", number=3)
        wait_until_at_work(folder, 3)
        worker_of(process).send_signal(signal.SIGSEGV)
        wait_for(process, "started", number=4)
        later_members = family(process.pid)
        # As the terminal does it: to all processes of the group.
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
        interruption = Ended(code=process.returncode, out=out, err=err)
        are_later_gone = are_gone(later_members)
    interrupted = state(folder)
    end = bench(*go_on, cwd=folder)
    return Life(
        folder=folder,
        killed=killed,
        are_workers_gone=are_workers_gone,
        interrupted=interrupted,
        interruption=interruption,
        end=end,
        ended=state(folder),
        are_later_gone=are_later_gone,
    )


def test_a_killed_driver_leaves_what_was_finished(life: Life) -> None:
    assert life.killed.study.status == "running"
    assert [trial.status for trial in life.killed.trials] == ["paused", "running"]
    assert len(life.killed.scores) == 1
    assert len(life.killed.measurements) == 2


def test_ray_ends_with_its_driver(life: Life) -> None:
    assert life.are_workers_gone
    assert life.are_later_gone


def test_the_study_is_completed(life: Life) -> None:
    assert life.end.code == 0, life.end.err
    assert life.ended.study.status == "complete"
    assert [trial.number for trial in life.ended.trials] == list(range(BUDGET))
    assert len({trial.architecture_id for trial in life.ended.trials}) == BUDGET
    assert {trial.status for trial in life.ended.trials} == {"complete", "stopped", "failed"}


def test_no_finished_trial_is_lost_or_repeated(life: Life) -> None:
    for before, after in ((life.killed, life.interrupted), (life.interrupted, life.ended)):
        assert identities(before.scores) <= identities(after.scores)
        assert identities(before.measurements) <= identities(after.measurements)
    scores = [(score.trial_id, score.rung) for score in life.ended.scores]
    assert len(set(scores)) == len(scores)
    # What was timed before its driver died is trained and not timed again.
    timed = [found.trial_id for found in life.ended.measurements]
    assert sorted(timed) == sorted({trial.id for trial in life.ended.trials})


def test_a_killed_worker_fails_its_trial_and_no_other(life: Life) -> None:
    failed = {trial.number: trial.reason for trial in life.ended.trials if trial.status == "failed"}
    assert set(failed) == {2, 3}
    assert failed[2] == "the worker died: killed, or out of memory"


def test_a_segmentation_fault_is_named(life: Life) -> None:
    assert life.ended.trials[3].reason == "the worker died: Segmentation fault"


def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(life: Life) -> None:
    assert life.interruption.code == 130
    assert f"bench search --resume {NAME}" in life.interruption.err
    assert "Traceback" not in life.interruption.err
    assert life.interruption.err.splitlines()[-1] == "bench: interrupted"
    assert life.interrupted.study.status == "interrupted"
    assert life.interrupted.study.reason == "interrupted by the user"


def test_checkpoints_of_an_ended_study_are_gone(life: Life) -> None:
    folder = life.folder / "results" / "studies" / NAME
    assert not list((folder / "checkpoints").glob("*"))
    assert not (folder / "artifacts").exists()
    kept = {path.stem for path in (folder / "weights").iterdir()}
    assert kept == {f"{trial.number:05d}" for trial in life.ended.trials if trial.status == "complete"}


def test_a_search_whose_ray_dies_ends_and_says_so(tmp_path: Path) -> None:
    # Without timing, which takes longest before the first job.
    settings = write_quick(tmp_path, f"{SETTINGS}\nobjectives: [accuracy, macs]\n")
    new = ["search", "--config", settings, "--budget", BUDGET, "--name", NAME, "--json"]
    with started(*new, cwd=tmp_path) as process:
        wait_for(process, "started", number=0)
        (raylet,) = (member for member in family(process.pid) if member.name() == "raylet")
        raylet.terminate()
        _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert err.splitlines()[-1] == "bench: Ray's processes have ended, killed or out of memory; --resume goes on"
    assert "Traceback" not in err
    assert state(tmp_path).study.status == "interrupted"


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(4))
def test_a_search_killed_at_random_moments_is_completed(tmp_path: Path, seed: int) -> None:
    die = random.Random(seed)
    new = ["search", "--config", write_quick(tmp_path, SETTINGS), "--budget", 12, "--seed", seed, "--name", NAME]
    command = [*new, "--concurrency", 2, "--json"]
    before: State | None = None
    for _ in range(6):
        with started(*command, cwd=tmp_path) as process:
            wait_for(process, "started")
            for _ in range(die.randrange(12)):
                assert process.stdout is not None
                process.stdout.readline()
            members = family(process.pid)
            victim = process.pid if die.random() < 0.7 else die.choice(members).pid
            os.kill(victim, die.choice([signal.SIGKILL, signal.SIGTERM]))
            if victim == process.pid:
                process.wait(60)
                assert are_gone([member for member in members if not is_agent(member)])
            else:
                process.communicate(timeout=SOAK_LIMIT_S)
        after = state(tmp_path)
        if before is not None:
            assert identities(before.scores) <= identities(after.scores)
            assert identities(before.measurements) <= identities(after.measurements)
        before = after
        if after.study.status == "complete":
            break
        command = ["search", "--resume", NAME, "--json"]
    else:
        assert bench(*command, cwd=tmp_path, limit_s=SOAK_LIMIT_S).code == 0
    end = state(tmp_path)
    assert end.study.status == "complete"
    scores = [(score.trial_id, score.rung) for score in end.scores]
    assert len(set(scores)) == len(scores)
    assert len({found.trial_id for found in end.measurements}) == len(end.measurements)
