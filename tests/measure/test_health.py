from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.gpu import GpuReading
from bench.measure.health import Reading, Window, between, contention, throttling

GPU = GpuReading(
    name="Abacus 9000",
    sm_mhz=1900,
    sm_max_mhz=1980,
    celsius=50,
    power_w=300.0,
    reasons=(),
    is_persistent=True,
    foreign_processes=(),
)
FIRST = Reading(
    at_s=100.0,
    busy_s=(10.0, 20.0),
    steal_s=1.0,
    own_s=5.0,
    pressure_s=3.0,
    throttled=2,
    mhz=(800.0, 3000.0),
    celsius={"x86_pkg_temp": 60.0, "acpitz": 30.0},
    gpus=(GPU,),
)
# Two seconds later: one CPU busy with us.
SECOND = dataclasses.replace(
    FIRST,
    at_s=102.0,
    busy_s=(12.0, 20.0),
    own_s=7.0,
    pressure_s=3.5,
    mhz=(2900.0, 700.0),
    celsius={"x86_pkg_temp": 70.0, "acpitz": 30.0},
)

seconds = st.floats(0, 1e4)


def second(**changes: object) -> Reading:
    return dataclasses.replace(SECOND, **changes)  # type: ignore[arg-type]


def window(**changes: object) -> Window:
    return dataclasses.replace(between(FIRST, SECOND), **changes)  # type: ignore[arg-type]


def with_gpu(**changes: object) -> Window:
    return between(FIRST, second(gpus=(dataclasses.replace(GPU, **changes),)))  # type: ignore[arg-type]


def test_quiet_window() -> None:
    found = between(FIRST, SECOND)
    assert found.seconds == 2
    assert found.others == 0
    assert found.steal == 0
    assert found.uncertainty == pytest.approx(0.01)  # 2 ticks in 2 s
    assert found.pressure == 0.25
    assert found.throttled == 0
    assert found.mhz_low == 2900
    assert found.celsius_max == 70
    assert contention(found) is None
    assert throttling(found, found) is None


def test_others_are_what_was_busy_and_not_ours() -> None:
    found = between(FIRST, second(busy_s=(12.0, 21.5)))
    assert found.others == 0.75
    assert contention(found) == "others used 75 % of a core (5 % is the limit)"


@given(busy=st.lists(seconds, min_size=1, max_size=8), own=seconds, steal=seconds, length=st.floats(1e-3, 1e4))
def test_shares_are_never_negative_and_add_up(busy: list[float], own: float, steal: float, length: float) -> None:
    first = dataclasses.replace(FIRST, busy_s=(0.0,) * len(busy), own_s=0.0, steal_s=0.0)
    found = between(first, second(at_s=100 + length, busy_s=tuple(busy), own_s=own, steal_s=steal))
    assert found.others is not None
    assert found.others >= 0
    assert found.others * found.seconds == pytest.approx(max(sum(busy) - own, 0))
    assert found.steal * found.seconds == pytest.approx(steal)
    assert found.uncertainty * found.seconds >= 0.02 - 1e-12
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()


@given(others=st.floats(0, 2), steal=st.floats(0, 2), uncertainty=st.floats(0, 2))
def test_nothing_within_the_uncertainty_is_a_reason(others: float, steal: float, uncertainty: float) -> None:
    reason = contention(window(others=others, steal=steal, uncertainty=uncertainty)) or ""
    assert ("others used" in reason) == (others - uncertainty > 0.05)
    assert ("hypervisor" in reason) == (steal - uncertainty > 0.05)


def test_short_window_says_little() -> None:
    assert contention(between(FIRST, second(at_s=100.1, busy_s=(10.0, 20.02), own_s=5.0))) is None
    assert contention(between(FIRST, second(at_s=100.1, busy_s=(10.0, 20.03), own_s=5.0))) is not None


def test_more_cpus_are_less_certain_together() -> None:
    first = dataclasses.replace(FIRST, busy_s=(0.0,) * 32)
    assert between(first, second(busy_s=(0.0,) * 32)).uncertainty == pytest.approx(0.04)


def test_both_reasons_are_told() -> None:
    reason = contention(window(others=0.5, steal=0.1))
    assert reason == (
        "others used 50 % of a core (5 % is the limit); the hypervisor took 10 % of a core (5 % is the limit)"
    )


def test_what_is_not_told_is_none_and_no_reason() -> None:
    nothing: dict[str, object] = {"pressure_s": None, "throttled": None, "mhz": None, "celsius": {}, "busy_s": ()}
    first = dataclasses.replace(FIRST, **nothing)  # type: ignore[arg-type]
    for found in (between(first, second(**nothing)), between(first, SECOND)):
        assert found.others is None
        assert (found.pressure, found.throttled, found.mhz_low) == (None, None, None)
        assert contention(found) is None
        assert throttling(found, found) is None
    assert between(first, second(**nothing)).celsius_max is None


def test_cpu_limit_is_a_reason() -> None:
    reason = throttling(between(FIRST, second(throttled=5)), None)
    assert reason == "a CPU limit (cgroup) stopped this process in 3 periods"


@pytest.mark.parametrize(("mhz", "is_slow"), [(2611.0, False), (2609.0, True), (None, False)])
def test_frequency_is_compared_with_the_calm_one(mhz: float | None, is_slow: bool) -> None:
    calm = window()
    reason = throttling(window(mhz_low=mhz), calm)
    assert (reason == "the CPU ran at 2609 MHz (2900 MHz when calm)") == is_slow
    assert throttling(window(mhz_low=mhz), None) is None


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        (("idle",), None),
        (("application clocks setting",), None),
        (("sync boost", "display clock setting"), None),
        (("power cap",), "the GPU was slowed by: power cap"),
        (
            ("hardware slowdown", "thermal slowdown by the hardware"),
            "the GPU was slowed by: hardware slowdown, thermal slowdown by the hardware",
        ),
    ],
)
def test_reasons_of_the_gpu(reasons: tuple[str, ...], expected: str | None) -> None:
    found = with_gpu(reasons=reasons)
    assert throttling(found, None) == expected
    assert not {"idle", "application clocks setting"} & set(found.gpus[0].reasons)


def test_gpu_clock_counts_only_under_load_and_unless_it_was_set() -> None:
    slow = with_gpu(sm_mhz=1400)
    assert throttling(slow, None) == "the GPU ran at 1400 MHz (of 1980 MHz)"
    assert throttling(with_gpu(sm_mhz=1500), None) is None
    assert throttling(with_gpu(sm_mhz=210, reasons=("idle",)), None) is None
    assert throttling(with_gpu(sm_mhz=1400, reasons=("application clocks setting",)), None) is None
    assert throttling(with_gpu(sm_mhz=None), None) is None


def test_gpu_of_a_window_is_the_worse_of_both_readings() -> None:
    gpu = with_gpu(sm_mhz=1800, celsius=80, power_w=None).gpus[0]
    assert (gpu.sm_mhz, gpu.celsius, gpu.power_w) == (1800, 80, 300.0)


def test_process_of_others_on_the_gpu_is_contention() -> None:
    found = with_gpu(foreign_processes=(77, 78))
    assert contention(found) == "other processes compute on the GPU, 2 of them (id 77, 78)"
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()
    assert contention(with_gpu(foreign_processes=())) is None


def test_container_does_not_know_who_is_on_the_gpu() -> None:
    gpu = dataclasses.replace(GPU, foreign_processes=None)
    found = between(dataclasses.replace(FIRST, gpus=(gpu,)), second(gpus=(gpu,)))
    assert found.gpus[0].foreign_processes is None
    assert found.to_dict()["gpus"][0]["foreign_processes"] is None
    assert contention(found) is None


def test_only_the_gpu_in_use_is_judged() -> None:
    other = dataclasses.replace(GPU, foreign_processes=(77,), reasons=("power cap",))
    found = between(dataclasses.replace(FIRST, gpus=(GPU, GPU)), second(gpus=(GPU, other)))
    assert contention(found) is None
    assert throttling(found, None) is None
    assert found.gpus[1].foreign_processes == (77,)
