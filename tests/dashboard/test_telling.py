"""Numbers as documents have them: seven digits that mean the same, null for what JSON has no word for."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.dashboard.telling import flattened, moment, number, numbers, told

_FLOATS = st.floats(allow_nan=True, allow_infinity=True)


@given(st.lists(_FLOATS, max_size=20))
def test_rounded_numbers_are_near_and_short(values: list[float]) -> None:
    found = numbers(np.array(values, dtype=float))
    json.dumps(found, allow_nan=False)
    for value, rounded in zip(values, found, strict=True):
        if not math.isfinite(value):
            assert rounded is None
        elif 1e-9 < abs(value) < 1e9:
            assert rounded == pytest.approx(value, rel=5.1e-7)
            assert rounded is not None
            assert len(repr(abs(rounded)).replace(".", "").strip("0").split("e")[0]) <= 7


@given(st.floats(min_value=1e-6, max_value=1e9))
def test_one_number_is_told_as_many_are(value: float) -> None:
    assert number(value) == pytest.approx(numbers(np.array([value]))[0], rel=1e-6)


def test_whole_numbers_and_texts_stay() -> None:
    assert told({"a": (1, 2.123456789, "x", None, math.nan), "b": {"c": True}}) == {
        "a": [1, 2.123457, "x", None, None],
        "b": {"c": True},
    }
    assert number(12_345_678) == 12_345_678


def test_times_are_utc_whatever_their_zone() -> None:
    there = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    assert moment(there) == "2026-01-01T10:00:00Z"
    assert moment(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00Z"
    assert moment(None) is None


def test_nested_data_is_flattened_without_what_is_empty() -> None:
    data = {"machine": {"cpu": "x", "gpus": [], "memory": 7}, "none": None, "share": 0.123456789, "all": [1, 2]}
    assert flattened(data) == [["machine.cpu", "x"], ["machine.memory", "7"], ["share", "0.123457"], ["all", "1, 2"]]
