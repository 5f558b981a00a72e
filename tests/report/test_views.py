from __future__ import annotations

from pathlib import Path

import pytest
from scripted import add_study, config_of, scored, session_of

from bench import pareto
from bench.errors import StoreError
from bench.report.views import StudyView, best_trial, reference_verdicts, stage_seconds, study_view
from bench.store import Store
from bench.study.session import Session


def finish(session: Session, accuracy: dict[tuple[int, int], float]) -> None:
    """Runs a study whose candidates have the accuracy given by (number, rung)."""
    while not session.plan.is_done:
        job = session.next_job()
        assert job is not None
        if job.rung == 0:
            session.update(job.number, {"kind": "prepared", "figures": {"macs_g": costs(job.number)},
                "artifact": {"sha256": "0", "format": "onnx", "bytes": 1}, "seconds": {"build": 1.0}})  # fmt: skip
        session.update(job.number, scored(job, accuracy[job.number, job.rung]))
    session.finish()


def costs(number: int) -> float:
    return 0.001 * (1.0 + number)


def exact_study(store: Store, folder: Path, accuracy: dict[tuple[int, int], float], **settings: object) -> StudyView:
    config = config_of(objectives=["accuracy", "macs"], budget=len({number for number, _ in accuracy}), **settings)
    finish(session_of(store, add_study(store, config), folder), accuracy)
    return study_view(store, "scripted")


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
        assert job is not None
        session.update(number, {"kind": "prepared", "figures": {"macs_g": 0.001}, "seconds": {},
            "artifact": {"sha256": "0", "format": "onnx", "bytes": 1}})  # fmt: skip
        session.update(number, scored(job, 0.9 - 0.4 * number))
    while (job := session.next_job()) is not None:
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


def test_reference_points_are_compared_at_the_rung_they_reached(store: Store, tmp_path: Path) -> None:
    # References are 0 and 1; 1 is dominated by 0, another reference point, and stops at the first rung.
    accuracy = {(0, 0): 0.8, (0, 1): 0.9, (1, 0): 0.3, (1, 1): 0.3, (2, 0): 0.85, (2, 1): 0.85}
    found = exact_study(store, tmp_path, accuracy)
    first, second = reference_verdicts(found)
    assert (first.name, second.name) == ("smoke_repmixer", "smoke_attention")
    assert (first.images_seen, second.images_seen) == (96, 32)
    # 2 has more MACs than both: more accurate than 1 and still no domination; 0 is no rival, being a reference.
    assert first.dominated_by == second.dominated_by == ()


def test_a_reference_point_is_dominated_at_its_rung_only(store: Store, tmp_path: Path) -> None:
    config = config_of(objectives=["accuracy", "macs"], budget=3)
    session = session_of(store, add_study(store, config), tmp_path)
    macs = {0: 0.001, 1: 0.004, 2: 0.002}
    first_rung = {0: 0.2, 1: 0.5, 2: 0.6}
    while not session.plan.is_done:
        job = session.next_job()
        assert job is not None
        if job.rung == 0:
            session.update(job.number, {"kind": "prepared", "figures": {"macs_g": macs[job.number]}, "seconds": {},
                "artifact": {"sha256": "0", "format": "onnx", "bytes": 1}})  # fmt: skip
        # At the top all fall far below what reference 1 had at the first rung.
        session.update(job.number, scored(job, first_rung[job.number] if job.rung == 0 else 0.1))
    session.finish()
    verdicts = {verdict.name: verdict for verdict in reference_verdicts(study_view(store, "scripted"))}
    assert verdicts["smoke_attention"].dominated_by == (2,)
    assert verdicts["smoke_attention"].images_seen == 32


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
