"""Figures for notebooks: the numbers of the study, whatever it is called, and refusals in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_fields import score_fields
from made_studies import HOSTILE, TOP, add_mixed, add_random, add_study, add_trial, made_store

import bench
from bench.errors import ConfigError, StoreError
from bench.report.figures import front_figure
from bench.report.views import baselines_differences, baselines_view, study_view
from bench.simulate.comparison import Line, Panel
from bench.simulate.curves import Summary
from bench.store import open_store


@pytest.fixture
def db(tmp_path: Path) -> Path:
    with made_store(tmp_path / "made.db") as store:
        add_mixed(store)
    return tmp_path / "made.db"


def _trace(figure: Any, name: str) -> Any:
    return next(trace for trace in figure.data if trace.name == name)


def test_pareto_draws_the_front_with_its_intervals(db: Path) -> None:
    figure = bench.plots.pareto("made", db=db)
    front = _trace(figure, "front")
    assert list(front.x) == [10.0, 20.0, 30.0]
    assert list(front.y) == [0.5, 0.6, 0.7]
    assert list(front.error_x.array) == pytest.approx([0.5, 1.0, 1.5])
    line = _trace(figure, "attained")
    assert (list(line.x), line.line.shape) == ([10.0, 20.0, 30.0], "hv")
    assert list(_trace(figure, "dominated").x) == [25.0]
    assert list(_trace(figure, "stopped early (fewer pictures seen)").y) == [0.9]
    assert "3 on the front of 7 tried, hypervolume 18" in figure.layout.title.text


def test_a_study_that_was_loaded_is_drawn_from_its_database(db: Path) -> None:
    study = bench.load_study("made", db=db)
    assert bench.plots.pareto(study).to_json() == bench.plots.pareto("made", db=db).to_json()


def test_any_two_figures_can_be_drawn(db: Path) -> None:
    figure = bench.plots.pareto("made", x="params_m", y="latency_ms", db=db)
    assert figure.layout.xaxis.title.text == "parameters (M, deploy form)"
    assert list(_trace(figure, "front").y) == [10.0, 20.0, 30.0]
    with pytest.raises(ConfigError, match=r"no figure 'parms_m' in 'made'; known: .*; did you mean 'params_m'\?"):
        bench.plots.pareto("made", x="parms_m", db=db)


def test_baselines_of_the_study_are_drawn_and_others_are_not(tmp_path: Path) -> None:
    path = tmp_path / "made.db"
    with made_store(path) as store:
        add_mixed(store)
        other = add_study(store, "made-baselines")
        add_trial(store, other, accuracy=0.4, ms=12.0, name=HOSTILE)
        add_mixed(store, "second")
        add_mixed(store, "second-baselines", fingerprint={"machine": {"cpu": "another"}})
    trace = _trace(bench.plots.pareto("made", db=path), "baselines, measured here")
    assert "<script>" not in trace.customdata[0]
    assert "&lt;script&gt;" in trace.customdata[0]
    figure = bench.plots.pareto("second", db=path)
    assert not [trace.name for trace in figure.data if "baselines" in trace.name]
    assert "baselines are left out, measured under other conditions: machine.cpu: " in figure.layout.title.text
    figure = bench.plots.pareto("second", elsewhere=True, db=path)
    assert _trace(figure, "baselines, measured elsewhere").marker.symbol == "star-open"
    assert "were measured elsewhere and do not compare: machine.cpu" in figure.layout.title.text


def test_baselines_scored_with_other_pictures_are_left_out(tmp_path: Path) -> None:
    """What differs may stand with the scores alone: pictures that were packed anew have another hash."""
    path = tmp_path / "made.db"
    with made_store(path) as store:
        add_mixed(store)
        other = add_study(store, "made-baselines")
        record = add_trial(store, other, accuracy=None, name="fastvit_t8", status="running")
        fields = score_fields(TOP, images_seen=96)
        fields["fidelity"] = {**fields["fidelity"], "data_hash": "of other pictures"}
        store.record_score(record.id, accuracy=0.9, **fields)
    for figure in (
        bench.plots.pareto("made", db=path),
        front_figure_of("made", path),
    ):
        assert not [trace.name for trace in figure.data if "baselines" in (trace.name or "")]
        assert "data_hash" in figure.layout.title.text


def front_figure_of(name: str, db: Path) -> Any:
    """As `bench plot` draws it."""
    with open_store(db, read_only=True) as store:
        differing = baselines_differences(store, name)
        return front_figure(study_view(store, name), baselines_view(store, name), differing=differing)


def test_progress_of_several_studies_is_against_one_corner(tmp_path: Path) -> None:
    path = tmp_path / "made.db"
    with made_store(path) as store:
        add_mixed(store)
        add_mixed(store, "second", corner={"accuracy": 0.0, "latency_ms": 400.0})
    figure = bench.plots.progress("made", "second", db=path)
    assert [list(trace.y) for trace in figure.data] == [[0.0, 15.0, 17.0, 18.0]] * 2
    assert list(figure.data[0].x) == [0.0, 1, 2, 6]
    assert list(bench.plots.progress("made", over="device_seconds", db=path).data[0].x) == [0.0, 8.0, 16.0, 37.0]
    with pytest.raises(ConfigError, match=r"over='trials'; allowed: tried, seconds, device_seconds"):
        bench.plots.progress("made", over="trials", db=path)
    with pytest.raises(ConfigError, match=r"no study; at least one is drawn; name it"):
        bench.plots.progress(db=path)


def test_progress_without_a_reference_point_is_refused(tmp_path: Path) -> None:
    with made_store(tmp_path / "made.db") as store:
        add_study(store, corner={})
    with pytest.raises(ConfigError, match=r"'made' has no reference point .*; it comes with the first timings; draw"):
        bench.plots.progress("made", db=tmp_path / "made.db")


def test_parallel_leaves_out_what_never_changes(db: Path) -> None:
    figure = bench.plots.parallel("made", db=db)
    labels = [dimension.label for dimension in figure.data[0].dimensions]
    assert labels == ["stage1.depth", "artifact", "MACs", "params", "latency", "accuracy"]
    assert len(figure.data[0].dimensions[0]["values"]) == 4
    assert len(bench.plots.parallel("made", only_front=True, db=db).data[0].dimensions[0]["values"]) == 3


def test_compare_draws_two_fronts_and_refuses_other_machines(tmp_path: Path) -> None:
    path = tmp_path / "made.db"
    with made_store(path) as store:
        add_mixed(store)
        add_mixed(store, "second", reference_ms={"256": 20.0})
        add_mixed(store, "other", fingerprint={"machine": {"cpu": "another"}})
    figure = bench.plots.compare("made", "second", db=path)
    assert [trace.name for trace in figure.data] == ["made", "second"]
    assert list(figure.data[1].x) == [5.0, 10.0, 15.0]
    with pytest.raises(ConfigError, match=r"'made' and 'other' differ in machine\.cpu: .*; fronts of one machine"):
        bench.plots.compare("made", "other", db=path)


def test_intervals_are_those_of_the_front_the_fastest_first(db: Path) -> None:
    figure = bench.plots.intervals("made", db=db)
    assert list(figure.data[0].x) == [10.0, 20.0, 30.0]
    assert figure.data[0].y[0] == "#0 fastvit_t8"
    assert list(figure.data[0].error_x.arrayminus) == pytest.approx([0.5, 1.0, 1.5])
    with pytest.raises(ConfigError, match=r"no latency 'latency_ms:pi5' in 'made'; known: latency_ms"):
        bench.plots.intervals("made", latency="latency_ms:pi5", db=db)


def test_a_study_without_trials_is_drawn_empty(tmp_path: Path) -> None:
    path = tmp_path / "made.db"
    with made_store(path) as store:
        add_study(store)
    for figure in (
        bench.plots.pareto("made", db=path),
        bench.plots.progress("made", db=path),
        bench.plots.parallel("made", db=path),
        bench.plots.intervals("made", db=path),
    ):
        figure.to_json()


def test_several_runners_have_axes_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "made.db"
    with made_store(path) as store:
        add_random(store, 10, name="two", timing={"runners": ["pi5", "pixel8"]})
    figure = bench.plots.pareto("two", x="latency_ms:pi5", y="latency_ms:pixel8", db=path)
    assert figure.layout.xaxis.title.text == "latency (ms, batch 1) on pi5"
    assert bench.plots.intervals("two", latency="latency_ms:pixel8", db=path).data


def test_an_unknown_study_is_named_with_the_nearest(db: Path) -> None:
    with pytest.raises(StoreError, match=r"no study 'mad'.*did you mean 'made'\?"):
        bench.plots.pareto("mad", db=db)


def test_samplers_are_drawn_with_bands_where_there_are_several_seeds() -> None:
    steps = Summary(spent=(1.0, 2.0), mean=(0.25, 0.5), spread=(0.125, 0.0))
    lines = (Line(label="tpe <b>", seeds=3, summary=steps), Line(label="random", seeds=1, summary=steps))
    made = [Panel(task="made", scale=scale, over="evaluations", lines=lines) for scale in ("tight", "wide")]
    figure = bench.plots.samplers(made)
    named = [trace for trace in figure.data if trace.showlegend]
    assert [trace.name for trace in named] == ["tpe &lt;b&gt; (3 seeds)", "random (1 seeds)"]
    first = [trace for trace in figure.data if trace.xaxis in (None, "x")]
    assert [list(trace.y) for trace in first] == [[0.375, 0.5], [0.125, 0.5], [0.25, 0.5], [0.25, 0.5]]
    assert [trace.fill for trace in first] == [None, "tonexty", None, None]
    assert first[2].line.color != first[3].line.color
    assert [found.text for found in figure.layout.annotations] == ["made, tight", "made, wide"]
    with pytest.raises(ConfigError, match="nothing to draw"):
        bench.plots.samplers([])
