"""Curves by what was spent, and their mean and spread."""

from __future__ import annotations

import numpy as np
import pytest

from bench.simulate.curves import Curve, summary_of


def made(spent: list[float], shares: list[float]) -> Curve:
    return Curve(spent=np.array(spent), shares={"tight": np.array(shares)})


def test_a_curve_is_told_by_what_was_spent() -> None:
    curve = made([0.1, 0.2, 1.1], [0.0, 0.3, 0.5])
    assert [curve.at(spent, "tight") for spent in (0.0, 0.1, 0.2, 1.0, 1.1, 9.0)] == [0.0, 0.0, 0.3, 0.3, 0.5, 0.5]
    assert curve.end == 1.1


def test_sums_of_shares_are_not_missed_by_rounding() -> None:
    curve = made(np.cumsum([0.1] * 10).tolist(), [place / 10 for place in range(10)])
    assert curve.spent[-1] < 1.0
    assert curve.at(1.0, "tight") == 0.9
    assert summary_of([curve], "tight").spent == (1.0,)


def test_mean_and_spread_over_seeds() -> None:
    found = summary_of([made([1, 2, 3], [0.2, 0.4, 0.6]), made([1, 2], [0.4, 0.4])], "tight")
    assert found.spent == (1.0, 2.0, 3.0)
    assert found.mean == pytest.approx((0.3, 0.4, 0.5))
    assert found.spread == pytest.approx((np.sqrt(0.02), 0.0, np.sqrt(0.02)))
    assert found.at(2.5) == pytest.approx((0.4, 0.0))


def test_the_end_is_told_where_it_is_no_whole_number() -> None:
    found = summary_of([made([0.4, 1.4], [0.1, 0.2])], "tight")
    assert found.spent == (1.0, 1.4)
    assert found.spread == (0.0, 0.0)
