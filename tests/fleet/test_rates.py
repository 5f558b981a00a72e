from __future__ import annotations

from bench.fleet.rates import Rates


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_and_the_next_has_to_wait() -> None:
    rates = Rates(Clock())
    assert [rates.wait_s("a", per_s=2.0, burst=3) for _ in range(3)] == [0.0] * 3
    assert rates.wait_s("a", per_s=2.0, burst=3) == 0.5
    assert rates.wait_s("a", per_s=2.0, burst=3) == 0.5


def test_names_have_buckets_of_their_own() -> None:
    rates = Rates(Clock())
    assert rates.wait_s("a", per_s=1.0, burst=1) == 0.0
    assert rates.wait_s("b", per_s=1.0, burst=1) == 0.0
    assert rates.wait_s("a", per_s=1.0, burst=1) > 0.0


def test_a_bucket_fills_steadily_and_no_further_than_its_burst() -> None:
    clock = Clock()
    rates = Rates(clock)
    for _ in range(2):
        rates.wait_s("a", per_s=1.0, burst=2)
    clock.now = 1.0
    assert rates.wait_s("a", per_s=1.0, burst=2) == 0.0
    assert rates.wait_s("a", per_s=1.0, burst=2) == 1.0
    clock.now = 1000.0
    assert [rates.wait_s("a", per_s=1.0, burst=2) == 0.0 for _ in range(3)] == [True, True, False]


def test_full_buckets_are_swept() -> None:
    clock = Clock()
    rates = Rates(clock)
    for name in range(10_000):
        rates.wait_s(name, per_s=1.0, burst=1)
    clock.now = 10.0
    rates.wait_s("new", per_s=1.0, burst=1)
    assert len(rates._buckets) == 1
