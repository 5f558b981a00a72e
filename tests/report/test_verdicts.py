from __future__ import annotations

from pathlib import Path

import pytest
from scripted import add_study, config_of

from bench.report.verdicts import baseline_verdicts, left_out, reference_verdicts
from bench.report.views import StudyView, baselines_view, study_view
from bench.store import Store

from .exact import exact_study


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
    first_rung = {0: 0.2, 1: 0.5, 2: 0.6}
    # At the top all fall far below what reference 1 had at the first rung.
    accuracy = {(number, rung): first_rung[number] if rung == 0 else 0.1 for number in range(3) for rung in range(2)}
    found = exact_study(store, tmp_path, accuracy, macs_g={0: 0.001, 1: 0.004, 2: 0.002}.__getitem__)
    verdicts = {verdict.name: verdict for verdict in reference_verdicts(found)}
    assert verdicts["smoke_attention"].dominated_by == (2,)
    assert verdicts["smoke_attention"].images_seen == 32


@pytest.fixture
def with_baselines(store: Store, tmp_path: Path) -> tuple[StudyView, StudyView]:
    """A study with 0 and 2 on its front, and two baselines, the first of which is the network of trial 0."""
    accuracy = {(0, 0): 0.3, (0, 1): 0.3, (1, 0): 0.35, (1, 1): 0.35, (2, 0): 0.6, (2, 1): 0.6}
    study = exact_study(store, tmp_path, accuracy, macs_g={0: 0.001, 1: 0.004, 2: 0.002}.__getitem__)
    baselines = exact_study(
        store,
        tmp_path,
        {(0, 0): 0.2, (1, 0): 0.7},
        macs_g={0: 0.003, 1: 0.005}.__getitem__,
        name="scripted-baselines",
        proxy={"images": 96, "rungs": 1, "batch_size": 16},
    )
    return study, baselines


def test_a_baseline_is_dominated_by_other_networks_of_the_front(with_baselines: tuple[StudyView, StudyView]) -> None:
    study, baselines = with_baselines
    assert [trial.number for trial in study.front] == [0, 2]
    first, second = baseline_verdicts(study, baselines)
    # Trial 0 beats it too, by its costs, and is the same network.
    assert (first.name, first.number, first.dominated_by) == ("smoke_repmixer", 0, (2,))
    assert (second.name, second.number, second.dominated_by) == ("smoke_attention", 1, ())
    assert first.images_seen == second.images_seen == 96


def test_a_baseline_that_failed_or_waits_gets_no_verdict(store: Store, tmp_path: Path) -> None:
    study = exact_study(store, tmp_path, {(0, 0): 0.5, (0, 1): 0.5})
    waiting = add_study(store, config_of(objectives=["accuracy", "macs"]), name="scripted-baselines")
    store.add_trial(waiting.id, architecture_id="a", architecture={"stages": []}, source="", seed=0, proposal={})
    assert baseline_verdicts(study, study_view(store, "scripted-baselines")) == ()


def test_baselines_are_found_by_the_name_of_their_study(
    store: Store, with_baselines: tuple[StudyView, StudyView]
) -> None:
    _, baselines = with_baselines
    assert baselines_view(store, "scripted") == baselines
    assert baselines_view(store, "scripted-baselines") is None


def test_a_reference_point_that_was_not_tried_is_told_with_its_reasons(store: Store) -> None:
    rule = "stage4.mixer == repmixer and stage1.width == 8"
    add_study(store, config_of(rules=[rule]))
    assert left_out(study_view(store, "scripted")) == {"smoke_attention": (f"breaks {rule}",)}
    add_study(store, config_of(rules=[rule], try_reference_points=False), name="untried")
    assert left_out(study_view(store, "untried")) == {}
