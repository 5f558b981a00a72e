"""Several seeds, one after the other, side by side, interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.simulate import Settings, Task, run_seeds

from .made import made_task

SETTINGS = Settings(sampler="random", budget=12)


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return made_task(tmp_path)


def test_processes_change_nothing_but_the_time(task: Task) -> None:
    plain = {result.seed: result.evaluations for result in run_seeds(task, SETTINGS, range(3))}
    told: list[tuple[int, int]] = []
    spread = run_seeds(task, SETTINGS, range(3), processes=2, progress=lambda done, total: told.append((done, total)))
    assert {result.seed: result.evaluations for result in spread} == plain
    assert told == [(12, 36), (24, 36), (36, 36)]


def test_an_interrupted_search_keeps_what_is_done(task: Task) -> None:
    def interrupt(done: int, total: int) -> None:
        assert total == 36
        if done == 17:
            raise KeyboardInterrupt

    first, second = run_seeds(task, SETTINGS, range(3), progress=interrupt)
    whole = list(run_seeds(task, SETTINGS, range(2)))
    assert (first.is_complete, first.evaluations) == (True, whole[0].evaluations)
    assert (second.is_complete, second.evaluations) == (False, whole[1].evaluations[:5])
