"""Two studies: differences with intervals, regions that say who wins, ranks of what both have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from made_studies import add_random, add_study, add_trial, made_store, network

from bench.report.contrast import (
    common_rows,
    correlation,
    hypervolume_difference,
    objective_points,
    regions,
)
from bench.report.likeness import differences, search_differences, told_in
from bench.report.points import StudyPoints
from bench.report.stand_ins import device_correlations, stand_ins
from bench.report.strategies import strategies
from bench.store import Store

from .test_points import follow

MAXIMISE = (True, False)
CORNER = (0.0, 40.0)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Store]:
    with made_store(tmp_path / "made.db") as opened:
        yield opened


def test_a_study_differs_from_itself_by_nothing() -> None:
    points = np.random.default_rng(0).uniform(0, 1, (80, 2)) * (1, 40)
    found = hypervolume_difference(points, points, CORNER, MAXIMISE)
    assert found.value == 0
    assert found.low < 0 < found.high
    assert found == hypervolume_difference(points, points, CORNER, MAXIMISE)


def test_a_clearly_better_study_is_told_apart() -> None:
    points = np.random.default_rng(0).uniform(0, 0.5, (200, 2)) * (1, 80)
    found = hypervolume_difference(points + np.array((0.4, -5.0)), points, CORNER, MAXIMISE)
    assert 0 < found.low < found.value < found.high


def test_what_is_not_known_adds_nothing() -> None:
    points = np.array([[0.5, 10.0], [np.nan, 1.0]])
    assert hypervolume_difference(points, points[:1], CORNER, MAXIMISE).value == 0
    assert hypervolume_difference(points[:0], points[:0], CORNER, MAXIMISE).value == 0


def test_regions_say_who_is_better_for_at_most_so_much() -> None:
    first, second = np.array([[10.0, 0.5], [30.0, 0.9]]), np.array([[20.0, 0.7], [30.0, 0.9]])
    found = regions(first, second, maximise=(False, True))
    assert [(region.low, region.high, region.winner) for region in found] == [
        (10.0, 20.0, "first"),
        (20.0, 30.0, "second"),
        (30.0, 30.0, "equal"),
    ]
    assert (found[0].first, found[0].second) == (0.5, None)
    assert regions(first[:0], first[:0], maximise=(False, True)) == ()


def test_ranks_of_what_both_have(made: Store) -> None:
    first, second = add_study(made), add_study(made, "second")
    for number, ms in enumerate((10.0, 20.0, 30.0)):
        add_trial(made, first, ms=ms, architecture=network(number))
        add_trial(made, second, ms=100 - ms, architecture=network(2 * number))
    left, right = follow(made, first), follow(made, second)
    rows = common_rows(left.columns, right.columns)
    assert rows == ((0, 0), (2, 1))
    x, y = left.columns.figure("latency_ms"), right.columns.figure("latency_ms")
    found = correlation(x, y, rows)
    assert (found.x, found.y) == ((10.0, 30.0), (90.0, 80.0))
    assert found.spearman is None  # two are no ranking
    same = correlation(x, -x, [(row, row) for row in range(3)])
    assert (same.spearman, same.kendall) == (pytest.approx(-1), pytest.approx(-1))
    assert correlation(x, np.full(3, 7.0), [(0, 0), (1, 1), (2, 2)]).spearman is None


def test_milliseconds_are_told_by_the_reference(made: Store) -> None:
    first = add_study(made, reference_ms={"256": 10.0})
    second = add_study(made, "second", reference_ms={"256": 20.0})
    add_trial(made, second, ms=8.0)
    factor = told_in(first, second)
    assert factor == 0.5
    assert objective_points(follow(made, second), told_in=factor).tolist() == [[0.5, 4.0]]
    assert told_in(first, first) == 1.0


def test_studies_of_other_conditions_are_refused_with_the_reason(made: Store) -> None:
    first = add_study(made)
    assert differences(first, add_study(made, "same", seed=3, sampler="random", rules=["macs_g <= 1"])) == ()
    other = add_study(made, "machine", fingerprint={"machine": {"cpu": "another"}})
    assert any(line.startswith("machine.cpu: 'a made CPU' and 'another'") for line in differences(first, other))
    other = add_study(made, "pictures", proxy={"images": 192, "rungs": 2, "batch_size": 16})
    assert differences(first, other) == ("proxy.images: 96 and 192",)
    other = add_study(made, "objectives", objectives=("accuracy", "macs"))
    assert differences(first, other)[0] == "objectives: accuracy, latency_ms and accuracy, macs_g"
    scores = {"data_hash": "ab", "resolution": 64}, {"data_hash": "cd", "resolution": 64}
    assert differences(first, first, scores) == ("data_hash: 'ab' and 'cd'",)
    # Another resolution is another packing of the same pictures.
    assert differences(first, first, (scores[0], {"data_hash": "cd", "resolution": 56})) == ()


def test_another_seed_is_the_same_search_and_another_rule_is_not(made: Store) -> None:
    first = add_study(made)
    assert search_differences(first, add_study(made, "seed", seed=1, sampler="random")) == ()
    other = add_study(made, "rules", rules=["macs_g <= 1"])
    assert search_differences(first, other) == ("space or rules: fastvit and fastvit macs_g <= 1",)


def test_choosing_by_another_figure_is_priced(made: Store) -> None:
    study = add_study(made)
    costs = [(0.4, 10.0, 1.0), (0.6, 20.0, 3.0), (0.7, 30.0, 2.0)]
    for accuracy, ms, macs in costs:
        add_trial(made, study, accuracy=accuracy, ms=ms, costs={"params_m": 1.0, "macs_g": macs})
    found = {each.chosen_by: each for each in stand_ins(follow(made, study))}
    by_macs = found["macs_g"]
    assert (by_macs.front, by_macs.chosen, by_macs.missed) == ((0, 1, 2), (0, 2), (1,))
    # 4 + 6 + 7 with all three, 8 + 7 without the second.
    assert by_macs.hypervolume_share == pytest.approx(15 / 17)
    assert by_macs.text == (
        "choosing by macs_g keeps 2 of 3 on the front of accuracy and latency_ms, and 88.2 % of its hypervolume"
    )
    assert found["params_m"].chosen == (2,)
    assert "artifact_mb" not in found  # nothing has one


def test_devices_are_ranked_against_each_other(made: Store) -> None:
    add_random(made, 12, name="two", timing={"runners": ["pi5", "pixel8"]})
    points = follow(made, made.study("two"))
    ((a, b, found),) = device_correlations(points)
    assert (a, b, len(found.rows)) == ("latency_ms:pi5", "latency_ms:pixel8", 12)
    assert device_correlations(StudyPoints(add_study(made, "one"))) == ()


def test_strategies_have_medians_and_quartiles_over_seeds(made: Store) -> None:
    runs = []
    for seed in range(4):
        study = add_random(made, 20, name=f"seed{seed}", seed=seed)
        points = follow(made, study)
        runs.append((study.name, points.progress(), 20))
    (found,) = strategies({"random": runs})
    assert found.studies == ("seed0", "seed1", "seed2", "seed3")
    assert found.tried == tuple(range(1, 21))
    ends = [run[1].hypervolume[-1] for run in runs]
    assert found.median[-1] == pytest.approx(np.median(ends))
    assert found.low[-1] <= found.median[-1] <= found.high[-1]
    assert list(found.median) == sorted(found.median)
    assert strategies({"tpe": []}) == ()
