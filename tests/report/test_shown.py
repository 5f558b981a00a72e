from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from made_studies import add_random, add_study, add_trial, made_store

from bench.report.points import DOMINATED, EARLY
from bench.report.shown import shown_of
from bench.report.thinning import Plane
from bench.store import Store

from .test_points import follow

PLANE = Plane(x="latency_ms", y="accuracy")


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Store]:
    with made_store(tmp_path / "made.db") as opened:
        yield opened


def test_thinning_keeps_front_named_kept_and_last(made: Store) -> None:
    study = add_random(made, 90)
    points = follow(made, study)
    shown = shown_of(points, PLANE, most=20, keep=frozenset({3}))
    rows = set(shown.rows.tolist())
    assert set(points.front) <= rows
    assert 3 in rows
    assert set(range(40, 90)) <= rows
    assert len(rows) < 90
    kinds = points.kinds()
    dominated, early = (np.flatnonzero(kinds == kind) for kind in (DOMINATED, EARLY))
    assert (shown.num_dominated, shown.num_shown) == (len(dominated), len(rows & set(dominated.tolist())))
    assert shown.text == (
        f"front complete; {shown.num_shown} of {len(dominated)} dominated trials and "
        f"{len(rows & set(early.tolist()))} of {len(early)} trials stopped early shown, evenly over the plane"
    )
    everything = shown_of(points, PLANE, most=None)
    assert len(everything.rows) == 90
    assert everything.text == ""


def test_what_passes_a_filter_is_shown_whole_where_it_fits(made: Store) -> None:
    study = add_random(made, 90)
    for _ in range(4):
        add_trial(made, study, status="failed", accuracy=None, ms=None, reason="it broke")
    points = follow(made, study)
    early = points.kinds() == EARLY
    shown = shown_of(points, PLANE, most=int(early.sum()), among=early)
    assert set(np.flatnonzero(early)) <= set(shown.rows.tolist())
    assert set(points.front) <= set(shown.rows.tolist())
    fewer = shown_of(points, PLANE, most=5, among=early)
    assert 0 < int(early[:44][fewer.rows[fewer.rows < 44]].sum()) <= 5  # the last fifty are shown whatever they are


def test_what_has_failed_is_shown_where_nothing_else_may_be(made: Store) -> None:
    study = add_study(made)
    add_trial(made, study, status="failed", reason="it broke")
    assert shown_of(follow(made, study), PLANE, most=0).rows.tolist() == [0]
