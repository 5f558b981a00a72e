from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench.fleet.limits import Limits
from bench.fleet.pace import Pace

LIMITS = Limits(body_s=10.0, stall_s=5.0, body_bytes_per_s=100.0)


def test_a_body_that_stops_is_late() -> None:
    pace = Pace(LIMITS, now=7.0)
    assert pace.end_s == 12.0
    pace.add(1, 9.0)
    assert pace.end_s == 14.0


def test_a_body_that_trickles_is_late_before_its_end() -> None:
    pace = Pace(LIMITS, now=0.0)
    for second in range(1, 20):
        pace.add(10, float(second))
    assert pace.end_s == 10.0 + 190 / 100


def test_a_body_that_is_not_taken_is_not_late() -> None:
    pace = Pace(LIMITS, now=0.0)
    pace.begin_anew(100.0)
    assert pace.end_s == 105.0


@given(st.lists(st.tuples(st.floats(0.0, 4.9), st.integers(491, 10**6)), max_size=30))
def test_a_steady_sender_is_never_late(parts: list[tuple[float, int]]) -> None:
    pace, now = Pace(LIMITS, now=0.0), 0.0
    for seconds, num_bytes in parts:
        now += seconds
        assert now < pace.end_s
        pace.add(num_bytes, now)
