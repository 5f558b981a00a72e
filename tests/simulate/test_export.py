"""A study as a table: what it tried comes back as rows of a space, with the figures that it had."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_studies import add_mixed, add_study, add_trial, made_store, network

from bench.errors import ConfigError
from bench.networks.cost import cost_quantities
from bench.report.views import study_view
from bench.simulate import Settings, evaluations, make_task
from bench.simulate.export import StudyTable, study_table, write_study_table
from bench.space import Architecture, TableSpace, load_space, read_table
from bench.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return made_store(tmp_path / "made.db")


def bound(found: StudyTable, path: Path) -> TableSpace:
    space = load_space(str(write_study_table(found, path)))
    assert isinstance(space, TableSpace)
    return space.bind(read_table(path))


def test_a_study_comes_back_as_rows_with_its_figures(store: Store, tmp_path: Path) -> None:
    add_mixed(store)
    found = study_table(study_view(store, "made"))
    assert found.accuracies == {"accuracy_at_32": 5, "accuracy": 4}
    assert found.rung_costs == (pytest.approx(1 / 3), 1.0)
    assert found.costs == ("latency_ms",)
    space = bound(found, tmp_path / "made.csv")
    assert space.rows is not None
    assert len(space.rows) == 6  # the queued one has no result
    table = space.rows.table
    assert table.cells["architecture_id"][0] == network(0).id
    assert table.numbers("latency_ms", what="")[:3].tolist() == [10.0, 20.0, 25.0]
    assert table.cells["accuracy"][3:5] == ("", "")  # stopped early, and failed
    assert table.cells["accuracy_at_32"][3:5] == ("0.9", "")
    assert space.costs(space.at_row(4)) == dict(cost_quantities(network(4)))
    assert space.columns == ("stage1_depth",)
    assert space.identity == "architecture_id"


def test_the_table_can_be_searched(store: Store, tmp_path: Path) -> None:
    study = add_study(store, budget=20)
    for number in range(20):
        add_trial(store, study, accuracy=0.3 + number / 100, ms=10.0 + (number * 7) % 20)
    space = bound(study_table(study_view(store, "made")), tmp_path / "made.csv.gz")
    assert space.columns == ("stage1_depth", "stage2_depth")
    task = make_task(space, maximize="accuracy", minimize=["latency_ms"])
    found = list(evaluations(task, Settings(sampler="random", budget=20), seed=0))
    assert sorted(evaluation.row for evaluation in found) == list(range(20))
    assert space.with_rules(["stage1_depth <= 4 and macs_g <= 2"]).rules == ("stage1_depth <= 4 and macs_g <= 2",)


def test_words_that_do_not_apply_are_choices_too(store: Store, tmp_path: Path) -> None:
    study = add_study(store)
    plain = network(0).to_dict()
    stages = [dict(stage) for stage in plain["stages"]]  # type: ignore[attr-defined]
    attends = [*stages[:3], {**stages[3], "mixer": "attention"}]
    add_trial(store, study, architecture=Architecture.from_dict(plain), accuracy=0.5)
    add_trial(store, study, architecture=Architecture.from_dict({**plain, "stages": attends}), accuracy=0.6)
    kernels = [*stages[:3], {**stages[3], "mixer_kernel": 5}]
    settings = {**plain["settings"], "head_squeeze_excite": False}  # type: ignore[dict-item]
    last = Architecture.from_dict({**plain, "stages": kernels, "settings": settings})
    add_trial(store, study, architecture=last, accuracy=0.7)
    space = bound(study_table(study_view(store, "made")), tmp_path / "made.csv")
    said = {gene.name: (gene.word.kind, gene.word.is_ordered) for gene in space.genes}
    assert said["stage4_mixer_kernel"] == ("word", False)
    assert said["head_squeeze_excite"] == ("boolean", False)
    settings_of = [space.at_row(row).settings for row in range(3)]
    assert [found["stage4_mixer_kernel"] for found in settings_of] == ["3", "-", "5"]
    assert [found["head_squeeze_excite"] for found in settings_of] == [True, True, False]


def test_a_study_with_nothing_in_it_is_refused(store: Store) -> None:
    add_study(store)
    with pytest.raises(ConfigError, match="study 'made' has 0 trials that were scored or failed; a table needs two"):
        study_table(study_view(store, "made"))


def test_places_that_a_table_cannot_go_to_are_refused(store: Store, tmp_path: Path) -> None:
    add_mixed(store)
    found = study_table(study_view(store, "made"))
    with pytest.raises(ConfigError, match=r"made.txt; a table ends in .csv or .csv.gz, its space in .yaml; rename it"):
        write_study_table(found, tmp_path / "made.txt")
    with pytest.raises(ConfigError, match=r"there is no folder .*none; make it first"):
        write_study_table(found, tmp_path / "none" / "made.csv")
