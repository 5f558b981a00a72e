"""What a phone tells of itself, through the real client."""

from __future__ import annotations

import pytest

from bench.agent.drivers.adb_device import AdbDevice
from bench.agent.drivers.adb_phone import (
    PhoneWindow,
    contention,
    cpus_of,
    health_of,
    processor,
    properties,
    reading,
    surroundings,
    temperature,
    throttling,
    window,
)

from .conftest import Attach
from .scripted_phone import SERIAL, ScriptedPhone, Shell

CALM = PhoneWindow(seconds=3.0, others=0.02, uncertainty=0.01, thermal_status=0, celsius_max=31.5, mhz_limit=2800.0)


def changed(**values: object) -> PhoneWindow:
    return PhoneWindow(**{**CALM.to_dict(), **values})


def busy(phone: ScriptedPhone, words: list[str]) -> Shell:
    return Shell()


@pytest.fixture
def phone(attach: Attach) -> ScriptedPhone:
    return attach(ScriptedPhone(busy))


@pytest.fixture
def device(phone: ScriptedPhone) -> AdbDevice:
    return AdbDevice(SERIAL)


def test_model_and_system_are_told_and_not_whose_it_is(device: AdbDevice) -> None:
    found = properties(device)
    assert found == {
        "maker": "Scripted",
        "model": "Phone 1",
        "soc_maker": "Maker",
        "soc": "SoC 9",
        "abi": "arm64-v8a",
        "android": "15",
        "sdk": "35",
        "build": "AP1A",
        "kernel": "6.1.75-android14",
    }
    assert SERIAL not in str(found)


def test_processor_is_told_as_far_as_the_phone_does(device: AdbDevice) -> None:
    assert processor(device) == {"logical_cpus": 8, "mhz": [*[None] * 7, 3000.0], "memory_mib": 11264}


def test_surroundings_are_told(device: AdbDevice) -> None:
    assert surroundings(device) == {
        "battery_percent": 80,
        "battery_celsius": 28.5,
        "charging": "charging",
        "powered_by": ["USB"],
        "screen": "Asleep",
        "airplane_mode": True,
        "battery_saver": None,
    }


def test_temperature_is_what_sensors_say_now(device: AdbDevice, phone: ScriptedPhone) -> None:
    phone.thermal = [2]
    assert temperature(device) == (2, {"VIRTUAL-SKIN": 33.5})
    assert health_of(2, {"a": 33.52, "b": 30.0}) == {"state": "device", "celsius": 33.5, "thermal": "moderate"}
    assert health_of(None, {}) == {"state": "device"}


def test_android_without_a_thermal_service_tells_nothing(
    device: AdbDevice, phone: ScriptedPhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phone, "_thermal", lambda: "Can't find service: thermalservice\n")
    assert temperature(device) == (None, {})


@pytest.mark.parametrize(("mask", "num_cpus"), [(None, 8), ("80", 1)])
def test_cpu_time_of_others_is_what_is_left(
    device: AdbDevice, phone: ScriptedPhone, mask: str | None, num_cpus: int
) -> None:
    cpus = None if mask is None else cpus_of(mask)
    phone.files["/program"] = b""
    phone.others_s = 0.4
    first = reading(device, cpus)
    for _ in range(4):
        device.shell("time", "-p", "/program")
    second = reading(device, cpus)
    assert first is not None
    assert second is not None
    assert second.num_cpus == num_cpus
    found = window(device, first, second, own_s=3.6, status=0, cpus=cpus)
    assert found.seconds == pytest.approx(4.0)
    assert found.others == pytest.approx(0.4, abs=0.03)
    assert found.uncertainty == pytest.approx(0.02 * num_cpus / 4)
    assert found.mhz_limit == 2800.0
    assert contention(found) == "others used 40 % of a core of the phone (10 % is the limit)"
    unknown = window(device, first, second, own_s=None, status=1, cpus=cpus)
    assert (unknown.others, unknown.thermal_status) == (None, 1)
    assert contention(unknown) is None


def test_what_counting_cannot_tell_is_no_contention() -> None:
    assert contention(CALM) is None
    assert contention(changed(others=0.15, uncertainty=0.06)) is None
    assert contention(changed(others=0.15, uncertainty=0.01)) is not None


def test_heat_and_a_lower_limit_are_throttling() -> None:
    assert throttling(CALM, CALM) is None
    assert throttling(changed(thermal_status=1), CALM) == "the phone's thermal status was 'light'"
    assert throttling(changed(thermal_status=9), None) == "the phone's thermal status was '9'"
    assert throttling(changed(mhz_limit=2000.0), CALM) == "its CPU was limited to 2000 MHz (2800 MHz before)"
    assert throttling(changed(mhz_limit=2600.0), CALM) is None
    assert throttling(changed(mhz_limit=None), CALM) is None


def test_mask_stands_for_cpus() -> None:
    assert cpus_of("f0") == (4, 5, 6, 7)
    assert cpus_of("101") == (0, 8)
