from __future__ import annotations

import math

import numpy as np
import pytest

from bench.errors import MeasureError
from bench.predict import observations
from bench.predict.observations import random_parts

from .rooflines import drawn

FIRST, SECOND = drawn(2)


def test_repeats_become_one_by_the_mean_of_logarithms() -> None:
    known = observations([FIRST, SECOND, FIRST], [10, 30, 14.4], [0.02, 0.04, 0.02])
    assert known.architectures == (FIRST, SECOND)
    np.testing.assert_allclose(known.latencies_ms, [12, 30])
    np.testing.assert_allclose(known.noise, [0.02 / math.sqrt(2), 0.04])


def test_the_more_certain_repeat_counts_for_more() -> None:
    (value,) = observations([FIRST, FIRST], [10, 20], [0.01, 0.5]).latencies_ms
    assert 10 < value < 10.2


def test_lengths_have_to_agree() -> None:
    with pytest.raises(MeasureError, match=r"2 architectures, 1 latencies, 1 noises; .*; give lists of one length"):
        observations([FIRST, SECOND], [1.0], None)


@pytest.mark.parametrize(
    ("latency", "noise"), [(0, 0.1), (-1, 0.1), (math.nan, 0.1), (math.inf, 0.1), (1, -0.1), (1, math.nan)]
)
def test_values_that_cannot_be_are_refused(latency: float, noise: float) -> None:
    with pytest.raises(MeasureError, match=r"latency .* ms with noise .*; latencies above 0 .*; leave out"):
        observations([FIRST, SECOND], [1.0, latency], [0.0, noise])


def test_random_parts_hold_every_index_once() -> None:
    parts = random_parts(23, 5, seed=1)
    assert sorted(index for part in parts for index in part) == list(range(23))
    assert {len(part) for part in parts} == {4, 5}
    assert parts == random_parts(23, 5, seed=1) != random_parts(23, 5, seed=2)
    assert [len(part) for part in random_parts(3, 5, seed=0)] == [1, 1, 1]
