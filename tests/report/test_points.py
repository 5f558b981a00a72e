"""The columns and the front that follow a study are those that are read of it at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from made_studies import (
    HOSTILE,
    add_mixed,
    add_random,
    add_study,
    add_timing,
    add_trial,
    made_store,
    network,
)
from scripted import fails_sometimes, run_study

from bench import pareto
from bench.report.columns import StudyColumns
from bench.report.points import KINDS, StudyPoints
from bench.report.tables import trial_rows
from bench.report.verdicts import reference_verdicts
from bench.report.views import StudyView, point, stage_seconds, study_view
from bench.store import Store, StudyRecord, open_store


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Store]:
    with made_store(tmp_path / "made.db") as opened:
        yield opened


def follow(store: Store, study: StudyRecord, points: StudyPoints | None = None) -> StudyPoints:
    found = StudyPoints(study) if points is None else points
    with store.changes(study.id, after=found.columns.sequence) as changes:
        found.apply(changes)
    return found


def assert_same(points: StudyPoints, view: StudyView) -> None:
    """All figures that both tell, trial by trial."""
    columns = points.columns
    numbers = columns.column("number").tolist()
    assert numbers == [trial.number for trial in view.trials]
    assert columns.architecture_ids == [trial.architecture_id for trial in view.trials]
    assert columns.names == [trial.name for trial in view.trials]
    assert columns.reasons == [trial.reason for trial in view.trials]
    assert points.infeasible == [trial.infeasible for trial in view.trials]
    assert [numbers[row] for row in points.front] == [trial.number for trial in view.front]
    assert points.hypervolume == pytest.approx(view.hypervolume)
    wanted = [point(trial, view.objectives, view.top_rung) for trial in view.trials]
    np.testing.assert_array_equal(columns.points(), np.array(wanted).reshape(len(wanted), -1))
    for name in columns.costs:
        wanted_figures = [trial.figures.get(name, math.nan) for trial in view.trials]
        np.testing.assert_array_equal(columns.figure(name), wanted_figures)
    for name in columns.latencies:
        for end in ("low", "high"):
            told = [trial.latencies.get(name, {}).get(f"{end}_ms", math.nan) for trial in view.trials]
            np.testing.assert_array_equal(columns.column(f"{end} {name}"), told)
    assert [None if rung < 0 else rung for rung in columns.column("rung").tolist()] == [
        trial.rung for trial in view.trials
    ]
    assert columns.column("images").tolist() == [trial.images_seen for trial in view.trials]
    assert columns.stage_seconds() == pytest.approx(stage_seconds(view))


def test_a_study_read_at_once_is_its_view(tmp_path: Path) -> None:
    with open_store(tmp_path / "bench.db") as store:
        run_study(store, tmp_path, fails_sometimes, budget=14)
        assert_same(follow(store, store.study("scripted")), study_view(store, "scripted"))


def test_a_study_followed_step_by_step_is_its_view(made: Store) -> None:
    study = add_study(made)
    points = follow(made, study)
    for number in range(12):
        add_trial(made, study, accuracy=0.3 + 0.07 * (number * 5 % 7), ms=10.0 + number * 7 % 11)
        points = follow(made, study, points)
        assert_same(points, study_view(made, "made"))


def test_several_runners_have_a_latency_each(made: Store) -> None:
    add_random(made, 20, name="two", timing={"runners": ["pi5", "pixel8"]})
    points = follow(made, made.study("two"))
    assert points.columns.latencies == ("latency_ms:pi5", "latency_ms:pixel8")
    assert_same(points, study_view(made, "two"))
    assert len(points.attainments()) == 3


def test_kinds_say_what_a_trial_is_to_the_front(made: Store) -> None:
    points = follow(made, add_mixed(made))
    kinds = [KINDS[code] for code in points.kinds().tolist()]
    assert kinds == ["front", "front", "dominated", "early", "failed", "front", "incomplete"]
    assert points.columns.reasons[4] == f"it broke {HOSTILE}"


def test_a_figure_that_changes_later_makes_the_history_anew(made: Store) -> None:
    study = add_mixed(made)
    points = follow(made, study)
    best = made.trials(study.id)[0]
    add_timing(made, best, ms=35.0)  # timed again, and far slower
    points = follow(made, study, points)
    assert_same(points, study_view(made, "made"))
    steps = points.progress().hypervolume
    assert steps == tuple(sorted(steps))
    assert steps[-1] == pytest.approx(points.hypervolume)


def test_rows_told_anew_are_those_that_changed_or_moved(made: Store) -> None:
    study = add_mixed(made)
    points = follow(made, study)
    before = points.columns.sequence
    add_trial(made, study, accuracy=0.65, ms=20.0)  # takes number 1 off the front
    follow(made, study, points)
    changed = np.flatnonzero(points.columns.column("changed") > before)
    assert changed.tolist() == [1, 7]


def test_attainment_is_the_front_of_two_objectives(made: Store) -> None:
    study = add_random(made, 40, objectives=("accuracy", "latency", "params"))
    points = follow(made, study)
    assert [(line.x, line.y) for line in points.attainments()] == [
        ("latency_ms", "accuracy"),
        ("params_m", "accuracy"),
        ("params_m", "latency_ms"),
    ]
    values = points.columns.points()
    for line, (a, b) in zip(points.attainments(), ((0, 1), (0, 2), (1, 2)), strict=True):
        pair = np.where(np.isnan(values).any(axis=1)[:, None], np.nan, values[:, [b, a]])
        maximise = tuple(points.columns.maximise[place] for place in (b, a))
        wanted = {tuple(value) for value in pair[pareto.front(pair, maximise=maximise)]}
        assert {tuple(value) for value in pair[list(line.rows)]} == wanted
        assert (np.diff(pair[list(line.rows)][:, 0]) > 0).all()


def test_progress_tells_what_had_been_spent(made: Store) -> None:
    points = follow(made, add_mixed(made))
    progress = points.progress()
    assert [points.columns.column("number")[row] for row in progress.rows] == [0, 1, 5]
    assert progress.tried == (1, 2, 6)
    assert progress.device_seconds == (8.0, 16.0, 37.0)
    assert list(progress.seconds) == sorted(progress.seconds)
    assert progress.hypervolume[-1] == pytest.approx(points.hypervolume)


def test_what_breaks_a_rule_is_told_with_it(made: Store) -> None:
    study = add_study(made, rules=["latency_ms <= 15", "macs_g <= 2", "stage4.width >= 64"])
    for ms in (10.0, 20.0):
        add_trial(made, study, ms=ms)
    add_trial(made, study, ms=None, accuracy=None, status="running")
    assert follow(made, study).infeasible == [None, "latency_ms <= 15", None]


def test_what_breaks_a_rule_is_never_on_the_front(made: Store) -> None:
    study = add_study(made, rules=["latency_ms <= 15"])
    add_trial(made, study, accuracy=0.5, ms=10.0, name="fastvit_t8")
    add_trial(made, study, accuracy=0.9, ms=20.0)
    add_trial(made, study, accuracy=0.4, ms=12.0)
    points = follow(made, study)
    assert_same(points, study_view(made, "made"))
    assert [KINDS[code] for code in points.kinds()] == ["front", "infeasible", "dominated"]
    assert points.hypervolume == pytest.approx(0.5 * 30)
    assert [line.rows for line in points.attainments()] == [(0,)]
    add_timing(made, made.trials(study.id)[0], ms=16.0)  # timed again: what stood on the front breaks the rule now
    points = follow(made, study, points)
    assert_same(points, study_view(made, "made"))
    assert [KINDS[code] for code in points.kinds()] == ["infeasible", "infeasible", "front"]


def test_what_breaks_a_rule_beats_nothing(made: Store) -> None:
    study = add_study(made, rules=["params_m <= 1.1"])
    add_trial(made, study, accuracy=0.5, ms=10.0, name="fastvit_t8")
    add_trial(made, study, accuracy=0.9, ms=5.0)  # 1.125 M
    view = study_view(made, "made")
    assert [trial.number for trial in view.front] == [0]
    assert reference_verdicts(view)[0].dominated_by == ()
    assert "breaks the rule" in dict(trial_rows(view.trials[1]))


def test_empty_and_failed_studies_have_no_front(made: Store) -> None:
    study = add_study(made)
    points = follow(made, study)
    assert points.front == ()
    assert points.hypervolume == 0.0
    assert points.progress().rows == ()
    assert [line.rows for line in points.attainments()] == [()]
    add_trial(made, study, status="failed", reason="it broke")
    points = follow(made, study, points)
    assert points.front == ()
    assert [KINDS[code] for code in points.kinds()] == ["failed"]


def test_a_reference_point_that_comes_later_gives_the_hypervolume(made: Store) -> None:
    study = add_study(made, corner={})
    add_trial(made, study)
    points = follow(made, study)
    assert points.hypervolume is None
    made.set_hypervolume_reference(study.id, {"accuracy": 0.0, "latency_ms": 40.0})
    assert follow(made, study, points).hypervolume == pytest.approx(15.0)


def test_columns_grow_beyond_their_first_size(made: Store) -> None:
    study = add_study(made)
    for _ in range(300):
        add_trial(made, study, accuracy=None, ms=None, status="queued")
    columns = follow(made, study).columns
    assert isinstance(columns, StudyColumns)
    assert columns.column("number").tolist() == list(range(300))
    assert columns.row_of(299) == 299
    assert columns.row_of(300) is None
    assert columns.architecture_ids[7] == network(7).id
