"""What is told of a front: provisional or final, and who fell out, in the same words everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from made_studies import add_final, add_mixed, add_retrainings, add_trial, made_store

import bench
from bench.report.figures import front_figure
from bench.report.points import KINDS, StudyPoints
from bench.report.retrained import FELL_OUT, standing
from bench.report.rows import study_data
from bench.report.tables import front_table
from bench.report.views import study_view
from bench.store import Store, StudyRecord

FINAL = "final front: trained again with 2 fresh seeds at 96 pictures; #5 of the provisional one fell out"


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Store]:
    with made_store(tmp_path / "made.db") as opened:
        yield opened


def follow(store: Store, study: StudyRecord, points: StudyPoints | None = None) -> StudyPoints:
    found = StudyPoints(study) if points is None else points
    with store.changes(study.id, after=found.columns.sequence) as changes:
        found.apply(changes)
    return found


def test_it_is_said_how_sure_a_front_is() -> None:
    said = {
        standing(is_final=False, is_trained=False, is_over=True, seeds=0, images=0, fell_out=()): (
            "provisional front: its scores come without a training of these networks"
        ),
        standing(is_final=False, is_trained=True, is_over=False, seeds=0, images=0, fell_out=()): (
            "provisional front: not trained again with fresh seeds (bench search --retrain-seeds 3)"
        ),
        standing(is_final=False, is_trained=True, is_over=False, seeds=2, images=96, fell_out=()): (
            "provisional front: not yet trained again with 2 fresh seeds"
        ),
        standing(is_final=False, is_trained=True, is_over=True, seeds=2, images=0, fell_out=()): (
            "provisional front: no training of it with 2 fresh seeds succeeded"
        ),
        standing(is_final=True, is_trained=True, is_over=True, seeds=1, images=8000, fell_out=()): (
            "final front: trained again with one fresh seed at 8,000 pictures; none of the provisional one fell out"
        ),
        standing(is_final=True, is_trained=True, is_over=False, seeds=2, images=96, fell_out=range(8)): (
            "final front: trained again with 2 fresh seeds at 96 pictures; #0, #1, #2, #3, #4, #5 and 2 more of the "
            "provisional one fell out"
        ),
    }
    assert list(said) == list(said.values())


def test_tables_figures_and_pages_say_the_same(made: Store, tmp_path: Path) -> None:
    study = add_final(made)
    view, points = study_view(made, study.name), follow(made, study)
    assert view.standing == points.standing == FINAL
    assert (view.fell_out, points.fell_out) == ((5,), (5,))
    assert f"\n{FINAL}\n" in front_table(view)
    assert study_data(view)["fell_out"] == [5]
    for figure in (front_figure(view), bench.plots.pareto(study.name, db=tmp_path / "made.db")):
        assert FINAL in figure.layout.title.text
        drawn = {trace.name: list(trace.x) for trace in figure.data}
        assert drawn[FELL_OUT] == [30.0]
        assert drawn["front"] == [10.0, 20.0]
        assert drawn["dominated"] == [25.0]
    hovered = next(trace for trace in front_figure(view).data if trace.name == FELL_OUT)
    assert FELL_OUT in hovered.text[0]


def test_a_provisional_front_is_called_so_and_nobody_fell_out(made: Store, tmp_path: Path) -> None:
    study = add_mixed(made)
    view = study_view(made, study.name)
    assert view.fell_out == ()
    assert view.standing.startswith("provisional front: not trained again")
    for figure in (front_figure(view), bench.plots.pareto(study.name, db=tmp_path / "made.db")):
        assert view.standing in figure.layout.title.text
        assert FELL_OUT not in [trace.name for trace in figure.data]


def test_a_front_that_is_followed_becomes_final_with_its_last_training(made: Store) -> None:
    study = add_mixed(made, retrain={"seeds": 2})
    trials = {trial.number: trial for trial in made.trials(study.id)}
    points = follow(made, study)
    for number in (0, 1):
        add_retrainings(made, trials[number], 0.65)
        points = follow(made, study, points)
        assert (
            points.standing
            == study_view(made, study.name).standing
            == ("provisional front: not yet trained again with 2 fresh seeds")
        )
        assert points.front == (0, 1, 5)
    add_retrainings(made, trials[5], 0.6)
    points = follow(made, study, points)
    assert (points.front, points.fell_out) == ((0,), (1, 5)), "#1 scores as #0 and is slower"
    assert [KINDS[code] for code in points.kinds()[[1, 5]].tolist()] == ["dominated", "dominated"]
    add_trial(made, study, accuracy=0.95, ms=4.0)
    points = follow(made, study, points)
    assert (points.is_final, points.fell_out) == (False, ())
    assert points.standing == study_view(made, study.name).standing
