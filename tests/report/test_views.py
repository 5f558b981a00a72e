from __future__ import annotations

from pathlib import Path

import pytest
from scripted import add_study, config_of, scored, session_of

from bench import pareto
from bench.errors import StoreError
from bench.report.views import StudyView, best_trial, stage_seconds, study_view
from bench.store import Store
from bench.study.evaluation import EvaluationJob

from .exact import exact_study


def test_the_front_holds_what_reached_the_top_and_did_not_fail(view: StudyView) -> None:
    assert {"complete", "stopped", "failed"} <= set(view.counts)
    assert view.front
    assert all(trial.status == "complete" and trial.rung == view.top_rung for trial in view.front)
    points = [(trial.accuracy[view.top_rung], trial.figures["latency_ms"]) for trial in view.front]
    assert pareto.front(points, maximise=(True, False)).all()
    assert [latency for _, latency in points] == sorted(latency for _, latency in points)


def test_a_failed_trial_with_the_best_score_is_not_on_the_front(store: Store, tmp_path: Path) -> None:
    session = session_of(store, add_study(store, config_of(objectives=["accuracy", "macs"], budget=2)), tmp_path)
    for number in range(2):
        job = session.next_job()
        assert isinstance(job, EvaluationJob)
        session.update(number, {"kind": "prepared", "figures": {"macs_g": 0.001}, "seconds": {},
            "artifact": {"sha256": "0", "format": "onnx", "bytes": 1}})  # fmt: skip
        session.update(number, scored(job, 0.9 - 0.4 * number))
    while isinstance(job := session.next_job(), EvaluationJob):
        if job.number == 0:
            session.failed(0, "scripted")
        else:
            session.update(job.number, scored(job, 0.5))
    found = study_view(store, "scripted")
    assert [trial.number for trial in found.front] in ([1], [])
    assert found.trials[0].accuracy == {0: 0.9}
    assert not found.trials[0].is_front


def test_a_better_score_of_fewer_pictures_takes_nobody_off_the_front(store: Store, tmp_path: Path) -> None:
    # 0 falls at the top rung below what 1 had at the first; 1 is dominated at the first rung and stops there.
    accuracy = {(0, 0): 0.8, (0, 1): 0.5, (1, 0): 0.7, (1, 1): 0.7}
    found = exact_study(store, tmp_path, accuracy)
    assert [trial.number for trial in found.front] == [0]
    assert found.trials[1].status == "stopped"


def test_rungs_that_the_pictures_do_not_make_are_not_waited_for(store: Store, tmp_path: Path) -> None:
    """64 pictures in batches of 32 make two rungs, whatever was asked for."""
    accuracy = {(number, rung): 0.5 for number in range(3) for rung in range(3)}
    found = exact_study(store, tmp_path, accuracy, proxy={"images": 64, "rungs": 3, "batch_size": 32})
    assert found.front


def test_stage_seconds_add_up(view: StudyView) -> None:
    total = stage_seconds(view)
    assert total["train"] == pytest.approx(sum(trial.stage_seconds.get("train", 0.0) for trial in view.trials))


def test_the_knee_is_on_the_front(view: StudyView) -> None:
    best = best_trial(view)
    assert best is not None
    assert best.is_front


def test_a_study_without_results_has_no_front(store: Store) -> None:
    add_study(store, config_of())
    empty = study_view(store, "scripted")
    assert empty.front == ()
    assert empty.hypervolume == 0.0
    assert best_trial(empty) is None


def test_an_unknown_study_is_named_with_the_nearest(store: Store) -> None:
    add_study(store, config_of(), name="mystudy")
    with pytest.raises(StoreError, match=r"no study 'mystdy'.*did you mean 'mystudy'\?"):
        study_view(store, "mystdy")
