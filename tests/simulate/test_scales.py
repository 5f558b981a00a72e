"""Normalised hypervolume against areas worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bench.errors import ConfigError
from bench.simulate.scales import scales

# Accuracy and cost; the most accurate costs 10, the median accuracy is 50.
VALUES = np.array([[90.0, 10.0], [50.0, 4.0], [60.0, 6.0], [20.0, 1.0], [10.0, 20.0], [np.nan, 1.0]])


def test_the_two_reference_points_and_the_volumes_of_the_table() -> None:
    tight, wide = scales(VALUES, maximise=(True, False), given=None)
    assert (tight.name, tight.point) == ("tight", (50.0, pytest.approx(11.0)))
    # (60, 6) covers 10 x 5, (90, 10) covers 30 x 1 more.
    assert tight.volume == pytest.approx(10 * 5 + 30 * 1)
    assert (wide.name, wide.point) == ("wide", (10.0, 20.0))
    assert wide.volume == pytest.approx(10 * 19 + 30 * 16 + 10 * 14 + 30 * 10)
    assert tight.share(VALUES[:1]) == pytest.approx(40 * 1 / 80)
    assert tight.share(VALUES[3:4]) == 0.0
    assert wide.share(VALUES) == pytest.approx(1.0)
    assert wide.share(np.empty((0, 2))) == 0.0


def test_a_reference_point_that_is_given_replaces_both() -> None:
    (given,) = scales(VALUES, maximise=(True, False), given=[55.0, 12.0])
    assert (given.name, given.point) == ("given", (55.0, 12.0))
    assert given.volume == pytest.approx(5 * 6 + 30 * 2)


def test_a_reference_point_that_nothing_beats_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"better than the given reference point \(95, 12\) in every objective; .*"):
        scales(VALUES, maximise=(True, False), given=[95.0, 12.0])
    with pytest.raises(ConfigError, match="no row of the table has a value for each objective"):
        scales(np.full((3, 2), np.nan), maximise=(True, False), given=None)
