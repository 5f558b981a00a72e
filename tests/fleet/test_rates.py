from __future__ import annotations

import pytest

from bench.fleet.rates import Rates, network_of


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_and_the_next_has_to_wait() -> None:
    rates = Rates(per_s=2.0, burst=3, monotonic=Clock())
    assert [rates.wait_s("a") for _ in range(3)] == [0.0] * 3
    assert rates.wait_s("a") == 0.5
    assert rates.wait_s("a") == 0.5


def test_names_have_buckets_of_their_own() -> None:
    rates = Rates(per_s=1.0, burst=1, monotonic=Clock())
    assert rates.wait_s("a") == 0.0
    assert rates.wait_s("b") == 0.0
    assert rates.wait_s("a") > 0.0


def test_a_bucket_fills_steadily_and_no_further_than_its_burst() -> None:
    clock = Clock()
    rates = Rates(per_s=1.0, burst=2, monotonic=clock)
    for _ in range(2):
        rates.wait_s("a")
    clock.now = 1.0
    assert rates.wait_s("a") == 0.0
    assert rates.wait_s("a") == 1.0
    clock.now = 1000.0
    assert [rates.wait_s("a") == 0.0 for _ in range(3)] == [True, True, False]


def test_full_buckets_are_swept() -> None:
    clock = Clock()
    rates = Rates(per_s=1.0, burst=1, monotonic=clock)
    for name in range(10_000):
        rates.wait_s(name)
    clock.now = 10.0
    rates.wait_s("new")
    assert len(rates._buckets) == 1


def test_names_without_end_share_a_bucket_and_leave_the_others_alone() -> None:
    clock = Clock()
    rates = Rates(per_s=1.0, burst=1, monotonic=clock)
    for name in range(10_000):
        rates.wait_s(name)
    assert rates.wait_s("one more") == 0.0
    assert all(rates.wait_s(f"made up {index}") > 0.0 for index in range(1000))
    assert len(rates._buckets) <= 10_001
    clock.now = 1.0
    assert rates.wait_s(7) == 0.0


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_a_peer_is_its_address_or_its_network(host: str, network: str) -> None:
    assert network_of(host) == network
