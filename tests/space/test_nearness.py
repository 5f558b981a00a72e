"""Nearest rows, against distances worked out one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.space.nearness import nearness_of

SIZES, ORDERED = (4, 3, 5, 1), (True, False, True, False)


def distance(first: np.ndarray, second: np.ndarray) -> float:
    parts = [
        abs(a - b) / max(1, size - 1) if is_ordered else float(a != b)
        for a, b, size, is_ordered in zip(first, second, SIZES, ORDERED, strict=True)
    ]
    return round(sum(parts), 6)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(0, 120))
def test_all_rows_come_once_the_nearest_first(seed: int, rows: int) -> None:
    random = np.random.default_rng(seed)
    places = np.stack([random.integers(size, size=rows) for size in SIZES], axis=1)
    wanted = [int(random.integers(size)) for size in SIZES]
    found = list(nearness_of(places, sizes=SIZES, ordered=ORDERED).order(wanted, random))
    assert sorted(found) == list(range(rows))
    distances = [distance(places[row], np.array(wanted)) for row in found]
    assert distances == sorted(distances)


def test_equal_rows_are_drawn() -> None:
    places = np.array([[0, 1, 0, 0], [0, 2, 0, 0], [3, 0, 4, 0]])
    near = nearness_of(places, sizes=SIZES, ordered=ORDERED)
    random = np.random.default_rng(0)
    firsts = [next(near.order([0, 0, 0, 0], random)) for _ in range(200)]
    assert set(firsts) == {0, 1}
    assert 60 < firsts.count(0) < 140
