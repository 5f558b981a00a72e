"""The front is trained again with fresh seeds, whatever happens meanwhile, and only then called final."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_ind
from scripted import add_study, config_of, luck, scored, session_of, works

from bench.errors import ConfigError
from bench.report.ladder import ladder_of
from bench.report.points import StudyPoints
from bench.report.retrained import final_front
from bench.report.rows import study_data
from bench.report.tables import front_table
from bench.report.verdicts import differences
from bench.report.views import StudyView, study_view
from bench.space import Architecture, load_space
from bench.store import Store, StudyRecord, open_store
from bench.study.config import StudyConfig
from bench.study.evaluation import EvaluationJob
from bench.study.jobs import Job
from bench.study.planned import Candidate
from bench.study.replay import replay
from bench.study.retraining import to_train_again, with_seeds
from bench.study.session import Session
from bench.study.worker import Update

from .test_resuming import copy_before_commits

SETTINGS: dict[str, Any] = {"budget": 9, "objectives": ["accuracy", "macs"], "retrain": {"seeds": 2}}


# With it all reach the top, published networks too.
ONE_RUNG: dict[str, Any] = {"proxy": {"images": 96, "rungs": 1, "batch_size": 16}}


def again(job: Job) -> Iterator[tuple[int, Update]]:
    """As it is scripted; with another seed the score has another luck, and some fail."""
    if not isinstance(job, EvaluationJob) or job.seed is None:
        yield from works(job)
        return
    assert (job.rung, job.rungs, job.is_prepared) == (0, (96,), True)
    chance = (luck(Architecture.from_dict(job.architecture)) * (7 + job.seed)) % 1.0
    if chance < 0.15:
        yield job.number, {"kind": "failed", "reason": f"scripted ({chance:.3f})"}
        return
    yield job.number, {"kind": "training", "images_seen": 0, "seconds": {"build to train": 0.1}}
    yield job.number, scored(job, round(0.4 + 0.4 * chance, 4))


def drive(session: Session) -> Session:
    while not session.is_done:
        job = session.next_job()
        assert job is not None
        for number, update in again(job):
            session.update(number, update)
        session.ended(job, has_died=False)
    return session


def run(store: Store, folder: Path, **settings: Any) -> StudyView:
    study = add_study(store, config_of(**{**SETTINGS, **settings}))
    drive(session_of(store, study, folder)).finish()
    return study_view(store, "scripted")


def test_the_front_and_published_networks_beside_it_are_trained_again_once_a_seed(store: Store, tmp_path: Path) -> None:
    view = run(store, tmp_path, **ONE_RUNG)
    rows = store.study_retrainings(view.study.id)
    front = [trial for trial in view.trials if trial.is_provisional or trial.name]
    assert sum(trial.is_provisional for trial in front) > 2
    assert any(not trial.is_provisional for trial in front)
    assert sorted((row.trial_id, row.seed) for row in rows) == [(t.trial_id, seed) for t in front for seed in (1, 2)]
    for row in rows:
        assert (row.accuracy is None) == (row.reason is not None)
        assert row.fidelity["images_seen"] == 96
    assert any(row.reason for row in rows), "nothing failed: this test shows less than it should"
    assert all("retrain" in trial.stage_seconds for trial in front if trial.retrained and trial.retrained.scores)
    assert replay(store, "scripted") == ()


def test_the_final_front_is_that_of_the_means(store: Store, tmp_path: Path) -> None:
    view = run(store, tmp_path)
    assert view.is_final
    again = [trial for trial in view.trials if trial.is_provisional]
    means = {t.number: (t.retrained.mean, t.figures["macs_g"]) for t in again if t.retrained}
    expected = {
        number
        for number, (mean, macs) in means.items()
        if not math.isnan(mean)
        and not any(other >= mean and cost <= macs and (other, cost) != (mean, macs) for other, cost in means.values())
    }
    assert {trial.number for trial in view.front} == expected
    fallen = {trial.number for trial in again} - expected
    assert fallen, "nobody fell out: this test shows less than it should"
    data = study_data(view)
    assert data["is_final"]
    assert set(data["fell_out"]) == fallen
    text = front_table(view)
    assert "final front: trained again with 2 fresh seeds at 96 pictures" in text
    assert all(f"#{number} " in text for number in fallen)


def test_who_beats_a_published_network_is_told_by_the_same_trainings(store: Store, tmp_path: Path) -> None:
    view = run(store, tmp_path, retrain={"seeds": 3}, **ONE_RUNG)
    references = {
        trial.name: trial for trial in view.trials if trial.name and trial.retrained and trial.retrained.scores
    }
    found = differences(view)
    assert {(each.name, each.number) for each in found} == {
        (name, trial.number)
        for name in references
        for trial in view.trials
        if trial.is_provisional and trial.name is None and trial.retrained and trial.retrained.scores
    }
    assert found
    for each in found:
        trial, reference = view.trials[each.number], references[each.name]
        assert each.against == reference.number
        assert trial.retrained
        assert reference.retrained
        assert each.costs == {"macs_g": trial.figures["macs_g"] / reference.figures["macs_g"]}
        expected = ttest_ind(trial.retrained.scores, reference.retrained.scores, alternative="greater")
        assert each.score == pytest.approx(trial.retrained.mean - reference.retrained.mean)
        if min(len(trial.retrained.scores), len(reference.retrained.scores)) > 1:
            assert each.score_low == pytest.approx(expected.confidence_interval(0.95).low, abs=1e-4)
    text = front_table(view)
    assert all(f"#{each.number} against {each.name} " in text for each in found)
    assert "published, beside it" in text
    assert study_data(view)["differences"] == [each.to_dict() for each in found]


def test_the_pinned_network_is_trained_again_wherever_it_was_stopped() -> None:
    def tried(name: str, accuracy: dict[int, float], **told: Any) -> Candidate:
        architecture = load_space("fastvit").reference_points[name]
        return Candidate(
            architecture=architecture, source=f"reference:{name}", accuracy=accuracy, is_timed=True, **told
        )

    candidates = {
        0: tried("fastvit_t8", {0: 0.2}),
        1: tried("fastvit_t12", {0: 0.2}),
        2: tried("fastvit_s12", {0: 0.2, 1: 0.3}),
        3: tried("fastvit_sa12", {0: 0.2, 1: 0.3}, is_failed=True),
    }
    assert to_train_again([(7, (0.5, 1.0))], candidates, top=1) == {0, 2, 7}
    assert to_train_again([], candidates, top=1) == set()


def test_the_ladder_ends_with_it(store: Store, tmp_path: Path) -> None:
    view = run(store, tmp_path)
    last = ladder_of(view)[-1]
    came = sum(trial.retrained is not None for trial in view.trials)
    assert last.name == "trained again, 96 pictures"
    assert (last.came, last.passed) == (came, len(view.front))
    assert last.seconds == sum(row.seconds for row in store.study_retrainings(view.study.id)) > 0.0


def test_pages_have_the_same_front(store: Store, tmp_path: Path) -> None:
    view = run(store, tmp_path)
    points = StudyPoints(view.study)
    with store.changes(view.study.id) as changes:
        points.apply(changes)
    assert points.is_final
    assert points.front == tuple(trial.number for trial in view.front)
    told = [math.nan if trial.retrained is None else trial.retrained.mean for trial in view.trials]
    np.testing.assert_array_equal(points.columns.retrained_means(), told)
    assert points.hypervolume == pytest.approx(view.hypervolume)


def test_a_search_without_it_ends_with_a_provisional_front(store: Store, tmp_path: Path) -> None:
    view = run(store, tmp_path, retrain={"seeds": 0})
    assert not view.is_final
    assert [trial for trial in view.trials if trial.is_provisional] == [
        trial for trial in view.trials if trial.is_front
    ]
    assert "provisional front: not trained again" in front_table(view)


def test_an_interval_needs_two_seeds(store: Store, tmp_path: Path) -> None:
    view = run(store, tmp_path, retrain={"seeds": 3})
    found = [trial for trial in view.trials if trial.retrained and len(trial.retrained.scores) == 3]
    assert found
    for trial in found:
        if trial.retrained:
            low, high = trial.retrained.interval or (0.0, 0.0)
            deviation = np.std(trial.retrained.scores, ddof=1)
            assert high - low == pytest.approx(2 * 4.303 * deviation / math.sqrt(3))
            assert low < trial.retrained.mean < high


def test_a_worker_that_dies_is_a_result_of_its_seed_alone(store: Store, tmp_path: Path) -> None:
    study = add_study(store, config_of(**SETTINGS))
    session = session_of(store, study, tmp_path)
    while not session.plan.is_done:
        job = session.next_job()
        assert job is not None
        for number, update in again(job):
            session.update(number, update)
        session.ended(job, has_died=False)
    job = session.next_job()
    assert isinstance(job, EvaluationJob)
    assert job.seed == 1
    session.ended(job, has_died=True)
    (row,) = store.study_retrainings(study.id)
    assert (row.seed, row.accuracy, row.reason) == (1, None, "the worker died: killed, or out of memory")
    assert store.trial(row.trial_id).status == "complete"
    drive(session).finish()
    assert study_view(store, "scripted").is_final


def outcome(path: Path) -> Any:
    with open_store(path, read_only=True) as store:
        study = store.study("scripted")
        rows = store.study_retrainings(study.id)
        return study.status, [(row.trial_id, row.seed, row.accuracy, row.reason) for row in rows]


def test_a_study_killed_at_any_commit_of_it_ends_as_the_one_that_was_not(tmp_path: Path) -> None:
    path = tmp_path / "whole.db"
    with open_store(path) as store:
        session = session_of(store, add_study(store, config_of(**SETTINGS)), tmp_path)
        while not session.plan.is_done:
            step(session)
        copies = copy_before_commits(store, tmp_path, every=1)
        drive(session).finish()
    expected = outcome(path)
    assert len(copies) > 8
    for copy in copies:
        with open_store(copy) as store:
            study: StudyRecord = store.set_study_status(store.study("scripted").id, "running")
            drive(session_of(store, study, tmp_path)).finish()
        assert outcome(copy) == expected, copy.stem


def step(session: Session) -> None:
    job = session.next_job()
    assert job is not None
    for number, update in again(job):
        session.update(number, update)
    session.ended(job, has_died=False)


def test_progress_counts_the_trainings_to_come(store: Store, tmp_path: Path) -> None:
    left: list[tuple[int, float | None]] = []

    def listen(session: Session, kind: str, data: object) -> None:
        if session.plan.is_done:
            view = session.snapshot()
            left.append((view["again"], view["seconds_left"]))

    session = session_of(store, add_study(store, config_of(**SETTINGS)), tmp_path, listener=listen)
    drive(session).finish()
    counts = [count for count, _ in left]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 4
    assert left[0][1] is not None
    assert left[-1] == (0, 0.0)


def test_larger_searches_take_more_seeds() -> None:
    budgets = {8: 0, 24: 1, 60: 2, 200: 3}
    for budget, seeds in budgets.items():
        assert with_seeds(StudyConfig(budget=budget)).retrain.seeds == seeds
    zero_cost = StudyConfig.from_dict({"budget": 200, "proxy": {"kind": "zero-cost"}})
    assert with_seeds(zero_cost).retrain.seeds == 0
    assert with_seeds(StudyConfig.from_dict({"budget": 8, "retrain": {"seeds": 5}})).retrain.seeds == 5
    with pytest.raises(ConfigError, match="nothing is trained again in this search; add --retrain-seeds 1"):
        with_seeds(StudyConfig.from_dict({"budget": 8, "retrain": {"images": 20_000}}))
    with pytest.raises(ConfigError, match="only trainings are repeated with fresh seeds"):
        StudyConfig.from_dict({"proxy": {"kind": "zero-cost"}, "retrain": {"seeds": 1}})


def test_who_could_not_be_trained_again_keeps_the_score_of_the_search() -> None:
    values = np.array([[0.7, 3.0], [0.6, 2.0], [0.5, 1.0]])
    given = {"is_provisional": np.ones(3, dtype=bool), "seeds": 1, "maximise": (True, False)}
    done = np.ones(3, dtype=np.int64)
    found = final_front(values, np.array([0.55, np.nan, 0.5]), done, **given)
    assert found is not None
    assert found.tolist() == [False, True, True]
    assert final_front(values, np.full(3, np.nan), done, **given) is None
