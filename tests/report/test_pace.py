from __future__ import annotations

from pathlib import Path

import pytest
from made_studies import MovingClock, add_mixed, made_store

from bench.report.pace import pace_of

from .test_points import follow


def test_pace_of_a_study_that_runs_and_of_one_that_has_ended(tmp_path: Path) -> None:
    clock = MovingClock()
    with made_store(tmp_path / "made.db", clock) as made:
        study = add_mixed(made)
        points = follow(made, study)
        pace = pace_of(points.columns, clock())
        assert (pace.done, pace.failed, pace.budget) == (6, 1, 8)
        assert pace.per_hour is not None
        assert pace.per_hour == pytest.approx(6 * 3600 / pace.seconds)
        assert pace.seconds_left == pytest.approx(2 * 3600 / pace.per_hour)
        made.set_study_status(study.id, "complete")
        ended = pace_of(follow(made, study, points).columns, clock())
        assert ended.per_hour is None
        assert ended.seconds_left is None
        assert ended.seconds == pace_of(follow(made, study, points).columns, clock()).seconds
