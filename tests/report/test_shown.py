from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from made_studies import add_random, add_study, add_trial, made_store

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
    total = 90 - len(points.front)
    assert shown.num_dominated == total
    assert shown.text == f"front complete; {shown.num_shown} of {total} dominated trials shown, evenly over the plane"
    everything = shown_of(points, PLANE, most=None)
    assert len(everything.rows) == 90
    assert everything.text == ""


def test_what_has_failed_is_shown_where_nothing_else_may_be(made: Store) -> None:
    study = add_study(made)
    add_trial(made, study, status="failed", reason="it broke")
    assert shown_of(follow(made, study), PLANE, most=0).rows.tolist() == [0]
