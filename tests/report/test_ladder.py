"""What each rung of a search let through follows from its trials alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scripted import add_study, config_of, fails_sometimes, latency_ms, run_study

from bench.networks.cost import cost_quantities
from bench.report.ladder import ladder_of
from bench.report.rows import study_data
from bench.report.tables import ladder_table
from bench.report.views import study_view
from bench.space import Architecture, every, load_space
from bench.store import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "bench.db")


def test_each_rung_says_what_came_and_what_it_let_through(store: Store, tmp_path: Path) -> None:
    networks = list(every(load_space("smoke"), cost_quantities))
    params = float(np.median([cost_quantities(found)["params_m"] for found in networks]))
    bounds = [f"params_m <= {params}", "latency_ms <= 4.8"]
    run_study(store, tmp_path, fails_sometimes, budget=12, sampler="random", constraints=bounds)
    view = study_view(store, "scripted")
    static, timed, first, top = ladder_of(view)
    trials = store.trials(view.study.id)
    assert (static.name, static.passed) == ("static limits", 12)
    assert static.came == 12 + sum((trial.proposal.get("turned_down") or {}).get(static.name, 0) for trial in trials)
    assert static.came > 12
    slow = [trial for trial in trials if latency_ms(Architecture.from_dict(trial.architecture)) > 4.8]
    assert (timed.name, timed.came) == ("measured latency", 12)
    assert timed.passed == sum(bool(trial.accuracy) for trial in view.trials) < 12
    assert slow
    assert first.name == "training, 32 pictures"
    assert (first.came, first.passed) == (timed.passed, top.came)
    assert top.passed == len(view.front) <= top.came
    assert timed.seconds > 0.0
    assert static.seconds > 0.0
    # A scripted training of a rung ends after its first second, whatever the rung.
    assert first.seconds == first.came
    assert [rung["came"] for rung in study_data(view)["ladder"]] == [static.came, 12, first.came, top.came]
    assert "training, 96 pictures" in ladder_table(view)


def test_a_study_without_trials_has_its_rungs(store: Store, tmp_path: Path) -> None:
    add_study(store, config_of(objectives=["accuracy", "macs"]))
    assert [(rung.name, rung.came) for rung in ladder_of(study_view(store, "scripted"))] == [
        ("static limits", 0),
        ("built and exported", 0),
        ("training", 0),
        ("training", 0),
    ]
