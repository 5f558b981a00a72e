"""What a search demands: known costs are never built, latencies turn away before training, and the sampler learns."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scripted import add_study, config_of, do, drive, latency_ms, run_study, session_of, works, zero_cost

from bench.errors import ConfigError
from bench.networks.cost import cost_quantities
from bench.report.ladder import ladder_of
from bench.report.points import StudyPoints
from bench.report.views import study_view
from bench.space import Architecture, every, load_space
from bench.store import Store, open_store
from bench.study.config import StudyConfig, override
from bench.study.constraints import latency_rules, measured_constraints, rules_of
from bench.study.replay import replay
from bench.study.timing import TimingJob

# Near the median of what the networks of the space take.
LIMIT = "latency_ms <= 4.5"


def test_names_are_written_out_and_flags_add_to_a_file() -> None:
    config = override(config_of(constraints=["latency<=12"]), {"constraints": ("params<=5", "accuracy>=0.5")})
    assert config.constraints == ("latency_ms <= 12", "params_m <= 5", "accuracy >= 0.5")
    assert rules_of(config) == ("params_m <= 5",)
    assert [found.figure for found in measured_constraints(config.constraints)] == ["latency_ms", "accuracy"]
    assert StudyConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_a_latency_holds_on_every_runner_or_on_one() -> None:
    timing = {"runners": ["pi5", "pixel8"]}
    assert config_of(timing=timing, constraints=["latency<=12"]).constraints == (
        "latency_ms:pi5 <= 12",
        "latency_ms:pixel8 <= 12",
    )
    assert config_of(timing=timing, constraints=["latency:pixel8<=9"]).constraints == ("latency_ms:pixel8 <= 9",)
    assert config_of(timing={"runner": "pi5"}, constraints=["latency:pi5<=9"]).constraints == ("latency_ms <= 9",)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"constraints": ["latncy<=12"]}, "reads 'latncy'; known: accuracy, .*; did you mean 'latency'?"),
        ({"constraints": ["latency:pi5<=12"]}, "is timed on cpu; name one of these, or add --runner pi5"),
        ({"constraints": ["macs:cpu<=1"]}, "reads 'macs:cpu'; known"),
        ({"constraints": ["accuracy>=70"]}, "a score lies between 0 and 1; give accuracy as a share"),
        ({"warm_start": ["a@postgresql://me:secret@host/db"]}, "warm_start holds a password"),
        ({"constraints": ["zero-cost>=1"]}, "this study scores by accuracy; bound that"),
        ({"constraints": ["zero_cost_at_size>=40"]}, "a score lies between 0 and 1; give zero_cost_at_size as a share"),
        ({"constraints": ["latency<=1"], "objectives": ["accuracy", "macs"]}, "latency is no objective, so nothing is"),
        ({"warm_start": ["other"], "sampler": "tpe"}, "only 'model' learns from earlier studies"),
    ],
)
def test_what_cannot_be_bounded_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_of(**settings)


def test_what_is_known_without_trying_is_not_built(store: Store, tmp_path: Path) -> None:
    costs = [cost_quantities(found) for found in every(load_space("smoke"), cost_quantities)]
    bounds = {name: float(np.median([each[name] for each in costs])) for name in costs[0]}
    config = config_of(constraints=[f"{name} <= {bound!r}" for name, bound in bounds.items()])
    drive(session_of(store, add_study(store, config), tmp_path)).finish()
    trials = store.trials(store.study("scripted").id)
    assert len(trials) == 8
    assert all(trial.costs[name] <= bound for trial in trials for name, bound in bounds.items())


@pytest.mark.parametrize("sampler", ["model", "tpe", "nsga2", "random"])
def test_what_is_too_slow_is_not_trained(store: Store, tmp_path: Path, sampler: str) -> None:
    session = run_study(store, tmp_path, sampler=sampler, budget=12, constraints=[LIMIT], timing={"batch": 2})
    study = store.study("scripted")
    trials = store.trials(study.id)
    slow = {trial.number for trial in trials if latency_ms(Architecture.from_dict(trial.architecture)) > 4.5}
    assert 0 < len(slow) < 12
    for trial in trials:
        if trial.number in slow:
            assert trial.status == "stopped"
            assert trial.reason is not None
            assert trial.reason.startswith(f"breaks {LIMIT}: ")
            assert not store.scores(trial.id)
        else:
            assert store.scores(trial.id)
    view = study_view(store, "scripted")
    assert {trial.number for trial in view.trials if trial.infeasible == LIMIT} == slow
    assert {trial.number for trial in view.front} == {number for number, _ in session.front()}
    assert not {trial.number for trial in view.front} & slow
    assert session.snapshot()["done"] == 12
    assert replay(store, "scripted") == ()


@pytest.mark.parametrize("sampler", ["model", "tpe", "nsga2"])
def test_a_bound_of_the_score_is_unknown_of_what_was_turned_away(store: Store, tmp_path: Path, sampler: str) -> None:
    proxy = {"images": 96, "rungs": 1, "batch_size": 16}
    session = run_study(
        store, tmp_path, sampler=sampler, budget=12, proxy=proxy, constraints=[LIMIT, "accuracy >= 0.2"]
    )
    assert session.snapshot()["done"] == 12
    statuses = {trial.status for trial in store.trials(store.study("scripted").id)}
    assert statuses == {"complete", "stopped"}
    assert replay(store, "scripted") == ()


def test_only_an_upper_bound_of_latency_is_held_against_a_prediction() -> None:
    assert latency_rules(["latency_ms <= 12", "latency_ms >= 2", "accuracy >= 0.5"]) == ("latency_ms <= 12",)


def test_the_model_learns_where_networks_are_feasible(store: Store, tmp_path: Path) -> None:
    """Under the lower quartile of latencies a uniform draw would be feasible one time in four."""
    networks = every(load_space("smoke"), cost_quantities)
    bound = float(np.quantile([latency_ms(found) for found in networks], 0.25))
    config = config_of(budget=20, constraints=[f"latency_ms <= {bound}"], seed=1)
    drive(session_of(store, add_study(store, config), tmp_path)).finish()
    trials = store.trials(store.study("scripted").id)
    assert sum(bool(store.scores(trial.id)) for trial in trials) >= 8


def test_a_bound_of_the_score_is_one_of_the_top_rung(store: Store, tmp_path: Path) -> None:
    run_study(store, tmp_path, budget=8)
    scores = sorted(trial.accuracy[1] for trial in study_view(store, "scripted").front)
    bound = scores[len(scores) // 2]
    config = config_of(constraints=[f"accuracy >= {bound}"])
    session = drive(session_of(store, add_study(store, config, name="bound"), tmp_path))
    session.finish()
    view = study_view(store, "bound")
    assert {trial.accuracy[1] >= bound for trial in view.front} == {True}
    assert [trial.number for trial in view.trials if trial.infeasible]
    # Nobody is stopped for what only a longer training can tell.
    assert all(trial.accuracy for trial in view.trials)
    points = StudyPoints(view.study)
    with store.changes(view.study.id) as changes:
        points.apply(changes)
    assert points.infeasible == [trial.infeasible for trial in view.trials]
    assert set(points.front) == {trial.number for trial in view.front} == {number for number, _ in session.front()}


@pytest.mark.parametrize("concurrency", [1, 3])
def test_whose_file_breaks_a_bound_is_not_trained_where_nothing_is_timed(
    store: Store, tmp_path: Path, concurrency: int
) -> None:
    settings = {"objectives": ["accuracy", "macs"], "constraints": ["size <= 0.2"]}
    session = run_study(store, tmp_path, budget=10, concurrency=concurrency, **settings)
    trials = store.trials(session.study.id)
    large = [trial for trial in trials if trial.costs["artifact_mb"] > 0.2]
    assert 0 < len(large) < len(trials) == 10
    assert {(trial.status, trial.rung) for trial in large} == {("stopped", None)}
    assert all(trial.reason is not None and trial.reason.startswith("breaks artifact_mb <= 0.2") for trial in large)
    assert all(store.scores(trial.id) for trial in trials if trial not in large)
    assert replay(store, "scripted") == ()


@pytest.mark.parametrize("objectives", [["accuracy", "latency"], ["accuracy", "macs"]])
def test_who_looks_hopeless_untrained_is_not_trained(store: Store, tmp_path: Path, objectives: list[str]) -> None:
    bounds = ["size <= 0.25", "zero_cost_at_size >= 0.4"]
    session = run_study(
        store, tmp_path, budget=12, sampler="random", objectives=objectives, constraints=bounds, timing={"batch": 2}
    )
    trials = store.trials(session.study.id)
    scores = {trial.number: zero_cost(Architecture.from_dict(trial.architecture)) for trial in trials}
    assert {trial.number: trial.costs["zero_cost_at_size"] for trial in trials} == scores
    large = {trial.number for trial in trials if trial.costs["artifact_mb"] > 0.25}
    low = {number for number, found in scores.items() if found < 0.4}
    assert low - large
    assert {trial.number for trial in trials if not store.scores(trial.id)} == low | large
    reasons = {trial.reason for trial in trials if trial.number in low - large}
    assert all(reason is not None and reason.startswith("breaks zero_cost_at_size >= 0.4: 0.") for reason in reasons)
    assert replay(store, "scripted") == ()
    view = study_view(store, "scripted")
    assert {trial.number for trial in view.front} == {number for number, _ in session.front()}
    _, looked_at, built, first, _ = ladder_of(view)
    assert (looked_at.name, looked_at.came, looked_at.passed) == ("zero-cost score", 12, 12 - len(low))
    assert (built.came, built.passed) == (12 - len(low), 12 - len(low | large))
    assert first.came == built.passed
    assert looked_at.seconds == 12 * 0.25


def test_a_study_killed_between_a_latency_and_its_consequence_draws_it(tmp_path: Path) -> None:
    with open_store(tmp_path / "bench.db") as store:
        study = add_study(store, config_of(constraints=["latency_ms <= 0.1"], budget=1))
        session = session_of(store, study, tmp_path)
        job = session.next_job()
        assert isinstance(job, TimingJob)
        # What is written of a measurement before anything follows from it.
        session._outcomes.look_at_demands = lambda number: None  # type: ignore[method-assign]
        for number, update in works(job):
            session.update(number, update)
        assert store.trials(study.id)[0].status == "queued"
        again = session_of(store, study, tmp_path)
        assert store.trials(study.id)[0].status == "stopped"
        assert again.plan.is_done
        with pytest.raises(AssertionError):
            do(again)
