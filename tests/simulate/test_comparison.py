"""Samplers side by side: what is pooled, what is kept apart, what is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from made_studies import add_study, add_trial, made_store
from made_tables import made_rows

from bench import pareto
from bench.errors import ConfigError
from bench.simulate import Fidelity, Noise, Settings, Task, run_seeds
from bench.simulate.comparison import comparison_data, comparison_text, read_simulation, simulation_panels, study_panel
from bench.simulate.document import simulation_document

from .made import made_task


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return made_task(tmp_path_factory.mktemp("made"))


def document(task: Task, *, seeds: Sequence[int] = range(3), **settings: Any) -> dict[str, Any]:
    """As it comes out of a file."""
    chosen = Settings(**{"sampler": "random", "budget": 20, **settings})
    found = simulation_document(task, chosen, list(run_seeds(task, chosen, seeds)), asked=len(seeds))
    return dict(json.loads(json.dumps(found)))


def test_simulations_of_one_sampler_are_pooled(task: Task) -> None:
    whole = simulation_panels([document(task, seeds=range(4))])
    pooled = simulation_panels([document(task, seeds=range(2)), document(task, seeds=range(2, 4))])
    assert comparison_data(whole) == comparison_data(pooled)
    tight, wide = whole
    assert (tight.scale, wide.scale) == ("tight", "wide")
    assert [(line.label, line.seeds) for line in tight.lines] == [("random", 4)]
    mean = [seed["tight"][9] for seed in document(task, seeds=range(4))["seeds"]]
    assert tight.lines[0].summary.at(10)[0] == pytest.approx(sum(mean) / 4)


def test_a_label_says_what_differs(task: Task) -> None:
    noisy = document(task, noise=Noise(relative={"latency_ms": 0.05}))
    panels = simulation_panels([document(task), document(task, in_flight=4), noisy, document(task, sampler="nsga2")])
    assert [line.label for line in panels[0].lines] == [
        "random, 1 in flight",
        "random, 4 in flight",
        "random, 1 in flight, noise latency_ms 0.05 relative",
        "nsga2, 1 in flight",
    ]


def test_halving_stands_beside_full_training(task: Task, tmp_path: Path) -> None:
    halving = made_task(tmp_path, fidelities=[Fidelity(column="accuracy_low", cost=0.1)])
    panels = simulation_panels([document(task), document(halving)])
    assert {panel.over for panel in panels} == {"cost in full trainings"}
    assert [line.label for line in panels[0].lines] == ["random, 1 rungs", "random, 2 rungs"]
    assert panels[0].lines[1].summary.spent[-1] < 15


def test_tables_have_panels_of_their_own(task: Task, tmp_path: Path) -> None:
    other = made_task(tmp_path, rows=made_rows()[::2])
    panels = simulation_panels([document(task), document(other)])
    assert [(panel.task, panel.scale) for panel in panels] == [
        (f"made: accuracy, latency_ms ({number})", scale) for number in (1, 2) for scale in ("tight", "wide")
    ]
    text = comparison_text(panels)
    assert text.count("normalised hypervolume by evaluations") == 4
    line = next(line for line in text.splitlines() if line.startswith("random"))
    mean, spread = panels[0].lines[0].summary.at(20)
    assert f"{mean:.3f} (sd {spread:.3f})" in line


def test_a_seed_that_is_given_twice_is_refused(task: Task) -> None:
    found = document(task)
    with pytest.raises(ConfigError, match=r"seed 0 of random on made: accuracy, latency_ms is given twice; .*"):
        simulation_panels([found, found])


def test_what_bench_did_not_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for text, message in (
        ("{", "is not JSON"),
        ("[1]", "is not what bench simulate --json prints"),
        ("{}", "is not what"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=message):
            read_simulation(path)


def test_repeated_studies_share_what_they_found_together(tmp_path: Path) -> None:
    with made_store(tmp_path / "made.db") as store:
        for name, sampler, points in (
            ("a", "tpe", [(0.5, 20.0), (0.6, 10.0)]),
            ("b", "tpe", [(0.6, 10.0)]),
            ("c", "random", [(0.4, 5.0), (0.2, 30.0)]),
        ):
            study = add_study(store, name, sampler=sampler)
            for accuracy, ms in points:
                add_trial(store, study, accuracy=accuracy, ms=ms)
        panel = study_panel(store, ["a", "b", "c"])
        corner, flags = (0.0, 40.0), (True, False)
        total = pareto.hypervolume([(0.6, 10.0), (0.4, 5.0)], corner, maximise=flags)
        first, second = (
            pareto.hypervolume([point], corner, maximise=flags) / total for point in ((0.5, 20), (0.6, 10))
        )
        lines = {line.label: line for line in panel.lines}
        assert {label: line.seeds for label, line in lines.items()} == {"tpe": 2, "random": 1}
        assert lines["tpe"].summary.mean == pytest.approx(((first + second) / 2, second))
        assert lines["random"].summary.at(2)[0] == pytest.approx(0.4 * 35 / total)


def test_studies_that_do_not_compare_are_refused(tmp_path: Path) -> None:
    with made_store(tmp_path / "made.db") as store:
        add_study(store, "a")
        add_study(store, "b", rules=["macs_g <= 1"])
        add_study(store, "c", corner={})
        with pytest.raises(
            ConfigError, match=r"'a' and 'b' differ in space or rules: fastvit and fastvit macs_g <= 1; .*"
        ):
            study_panel(store, ["a", "b"])
        with pytest.raises(ConfigError, match="study 'c' has no reference point of the hypervolume yet"):
            study_panel(store, ["c"])
        with pytest.raises(ConfigError, match="nothing in a is better than the worst corner yet"):
            study_panel(store, ["a"])
