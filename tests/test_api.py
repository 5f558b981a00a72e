"""The API gives what the command gives, and a seed gives the same study twice: both shown by the same two runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import plotly.graph_objects as go
import pytest
from command import LIMIT_S, Ended, bench, environment, write_quick

import bench as package
from bench.errors import StoreError
from bench.store import open_store

if TYPE_CHECKING:
    from .conftest import RealSearch

# The reference points and as many that the sampler proposes.
BUDGET = 4
# As a user would write it; what it prints is all that comes out.
SCRIPT = """
import bench

study = bench.search(
    "smoke",
    budget=4,
    name="exact",
    rules=["macs_g <= 0.001"],
    objectives=["accuracy", "macs"],
    seed=3,
    data={"classes": 2, "per_class": 24, "val_per_class": 6},
    proxy={"images": 96, "rungs": 2, "batch_size": 16},
    execution={"concurrency": 1},
)
print(len(study.front()), study.name)
"""


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any], Ended]:
    """The same study by the command and by the API, and what the command printed."""
    by_command, by_script = (tmp_path_factory.mktemp(name) for name in ("command", "script"))
    words = ["--objectives", "accuracy,macs", "--rule", "macs_g <= 0.001", "--concurrency", 1, "--seed", 3]
    ended = bench(
        "search", "--config", write_quick(by_command), "--budget", BUDGET, "--name", "exact", *words, cwd=by_command
    )
    assert ended.code == 0, ended.err
    script = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=by_script,
        env=environment(by_script),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert script.returncode == 0, script.stderr
    assert script.stdout.split()[1:] == ["exact"]
    return facts(by_command), facts(by_script), ended


def facts(folder: Path) -> dict[str, Any]:
    """All that a study decided and found, without times."""
    with open_store(folder / "results" / "bench.db", read_only=True) as store:
        study = store.study("exact")
        trials = store.trials(study.id)
        return {
            "config": {name: value for name, value in study.config.items() if name not in ("execution", "timing")},
            "trials": [
                (t.number, t.architecture_id, t.source, t.status, dict(t.costs), dict(t.proposal)) for t in trials
            ],
            "scores": [(s.trial_id, s.rung, s.accuracy, s.loss, s.curve) for s in store.study_scores(study.id)],
            "artifacts": [artifact.sha256 for trial in trials for artifact in store.artifacts(trial.id)],
            "hypervolume_reference": dict(study.hypervolume_reference),
            "events": [(event.kind, event.trial_id) for event in store.events(study.id)],
        }


def test_a_seed_gives_the_same_study_by_command_and_by_api(exact: tuple[dict[str, Any], dict[str, Any], Ended]) -> None:
    first, second, _ = exact
    for name in first:
        assert first[name] == second[name], name
    assert len(first["trials"]) == BUDGET


def test_without_a_terminal_it_prints_plain_lines_and_the_front(
    exact: tuple[dict[str, Any], dict[str, Any], Ended],
) -> None:
    *_, ended = exact
    assert "\x1b" not in ended.out + ended.err
    assert re.search(r"^\d:\d\d  4/4 done, 0 running, 0 failed  finished$", ended.err, re.MULTILINE), ended.err
    assert re.search(r"^\d:\d\d  0/4 done, 1 running, 0 failed  #0 is trained \(reference:", ended.err, re.MULTILINE)
    assert re.search(r"exact: \d on the front of 4 tried", ended.out)
    assert "bench export exact/" in ended.out
    assert "the front as a page:  front.html" in ended.out


def test_a_study_is_loaded_as_frames(real_search: RealSearch) -> None:
    study = package.load_study("real", db=real_search.db)
    front, trials = study.front(), study.trials()
    assert isinstance(front, pd.DataFrame)
    assert list(front.columns) == list(trials.columns)
    assert list(trials["number"]) == list(range(6))
    assert list(front["latency_ms"]) == sorted(front["latency_ms"])
    assert front["is_front"].all()
    assert set(front["number"]) == set(trials[trials["is_front"]]["number"])
    assert trials["name"][0] == "smoke_repmixer"
    assert (trials["latency_low_ms"] <= trials["latency_ms"]).all()
    assert (trials["images_seen"] > 0).all()
    json.loads(trials.to_json())


def test_a_front_is_drawn(real_search: RealSearch) -> None:
    assert isinstance(package.load_study("real", db=real_search.db).figure(), go.Figure)


def test_an_empty_study_gives_empty_frames(tmp_path: Path) -> None:
    from scripted import add_study, config_of

    with open_store(tmp_path / "bench.db") as store:
        add_study(store, config_of(), name="empty")
    study = package.load_study("empty", db=tmp_path / "bench.db")
    assert study.front().empty
    assert "latency_ms" in study.trials().columns


def test_unknown_studies_and_settings_are_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError):
        package.load_study("unknown")
    with pytest.raises(ValueError, match=r"unknown setting 'budgets'.*did you mean 'budget'\?"):
        package.search("smoke", budgets=3)
    assert list(tmp_path.iterdir()) == []


def test_the_package_names_what_it_has() -> None:
    assert set(package.__all__) == {"Study", "__version__", "load_study", "plots", "repeat", "resume", "search"}
    for name in package.__all__:
        assert getattr(package, name)
    with pytest.raises(AttributeError, match="has no attribute 'serch'"):
        package.serch  # noqa: B018
