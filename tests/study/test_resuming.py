"""A study killed at any moment goes on as if nothing had happened.

What the process that dies leaves behind is what its database holds, and the database changes one transaction at a
time; so "any moment" is "before any commit", and every one of them can be tried.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from scripted import add_study, config_of, drive, fails_sometimes, session_of
from sqlalchemy import event

from bench.store import Store, open_store

SAMPLERS = ("model", "tpe", "nsga2", "random")


def copy_before_commits(store: Store, folder: Path, *, every: int) -> list[Path]:
    """Copies of the database as it lies on the disk before each `every`-th commit: what a killed process leaves."""
    copies: list[Path] = []
    commits = 0
    database = store.location.path
    assert database is not None

    def copy(connection: object) -> None:
        nonlocal commits
        if commits % every == every // 2:
            target = folder / f"before-commit-{commits}.db"
            for suffix in ("", "-wal"):
                if (source := Path(f"{database}{suffix}")).exists():
                    shutil.copy(source, f"{target}{suffix}")
            copies.append(target)
        commits += 1

    event.listen(store._engine, "commit", copy)
    return copies


def history(path: Path) -> dict[str, Any]:
    """Everything that was decided and found in a study, without times."""
    with open_store(path, read_only=True) as store:
        study = store.study("scripted")
        return {
            "status": study.status,
            "trials": [
                (trial.number, trial.architecture_id, trial.source, trial.status, trial.rung, dict(trial.proposal))
                for trial in store.trials(study.id)
            ],
            "scores": [(score.trial_id, score.rung, score.accuracy) for score in store.study_scores(study.id)],
            "latencies": [(found.trial_id, found.summary["median_ms"]) for found in store.study_measurements(study.id)],
        }


def study_with_copies(
    folder: Path, sampler: str, budget: int, *, every: int, batch: int = 1, **settings: Any
) -> tuple[Path, list[Path]]:
    """A whole study, and what it would have left behind at some moments."""
    path = folder / "whole.db"
    with open_store(path) as store:
        proxy = {"images": 144, "rungs": 3, "reduction": 3.0, "batch_size": 16}
        settings = {"sampler": sampler, "budget": budget, "proxy": proxy, "timing": {"batch": batch}, **settings}
        study = add_study(store, config_of(**settings))
        copies = copy_before_commits(store, folder, every=every)
        drive(session_of(store, study, folder), fails_sometimes).finish()
    return path, copies


def go_on(path: Path) -> None:
    with open_store(path) as store:
        study = store.study("scripted")
        store.set_study_status(study.id, "running")
        drive(session_of(store, study, path.parent), fails_sometimes).finish()


def check_all_ends(folder: Path, sampler: str, budget: int, *, every: int, batch: int, **settings: Any) -> None:
    whole, copies = study_with_copies(folder, sampler, budget, every=every, batch=batch, **settings)
    expected = history(whole)
    assert expected["status"] == "complete"
    assert len(expected["trials"]) == budget
    assert {"complete", "stopped", "failed"} == {trial[3] for trial in expected["trials"]}
    assert len(copies) > 5
    for path in copies:
        go_on(path)
        assert history(path) == expected, path.stem


@pytest.mark.parametrize(("sampler", "batch"), [("model", 4), ("tpe", 1), ("nsga2", 3), ("random", 4)])
def test_a_study_killed_at_some_commits_ends_as_the_one_that_was_not(tmp_path: Path, sampler: str, batch: int) -> None:
    check_all_ends(tmp_path, sampler, 10, every=19, batch=batch)


@pytest.mark.parametrize("sampler", ["model", "nsga2"])
def test_a_study_of_constraints_killed_at_some_commits_ends_as_the_one_that_was_not(
    tmp_path: Path, sampler: str
) -> None:
    check_all_ends(tmp_path, sampler, 9, every=13, batch=2, constraints=["latency_ms <= 4.5", "size <= 0.25"])


@pytest.mark.soak
@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_study_killed_at_any_commit_ends_as_the_one_that_was_not(tmp_path: Path, sampler: str, batch: int) -> None:
    check_all_ends(tmp_path, sampler, 12, every=1, batch=batch)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 40))])
def test_a_study_killed_again_and_again_ends_as_the_one_that_was_not(tmp_path: Path, seed: int) -> None:
    die = random.Random(seed)
    whole, copies = study_with_copies(tmp_path, "tpe", 6, every=30)
    expected = history(whole)
    # Each run is killed a few commits after it went on.
    while copies:
        path = copies[0]
        folder = path.with_suffix("")
        folder.mkdir()
        with open_store(path) as store:
            study = store.study("scripted")
            copies = copy_before_commits(store, folder, every=die.randrange(4, 60))
            store.set_study_status(study.id, "running")
            drive(session_of(store, study, folder), fails_sometimes).finish()
    assert history(path) == expected


def test_a_killed_study_repeats_nothing(tmp_path: Path) -> None:
    _, copies = study_with_copies(tmp_path, "tpe", 6, every=40)
    path = copies[1]
    with open_store(path, read_only=True) as store:
        study = store.study("scripted")
        scores, timed = store.study_scores(study.id), store.study_measurements(study.id)
    assert scores, "it was killed too early for this test"
    assert timed
    go_on(path)
    with open_store(path, read_only=True) as store:
        later_scores, later_timed = store.study_scores(study.id), store.study_measurements(study.id)
    assert set(map(repr, scores)) < set(map(repr, later_scores))
    assert set(map(repr, timed)) < set(map(repr, later_timed))
    assert len({(score.trial_id, score.rung) for score in later_scores}) == len(later_scores)
    assert len({found.trial_id for found in later_timed}) == len(later_timed)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
