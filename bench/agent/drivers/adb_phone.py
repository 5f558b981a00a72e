"""The state of a phone while it is timed: temperature, frequency limits, who else used its CPU, battery and screen.

Read by commands that any user of adb may run; what a phone does not tell is None. Formats as AOSP prints them
(ThermalManagerService, BatteryService, PowerManagerService), which makers extend and seldom change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.agent.drivers.adb_device import AdbDevice

# Of android.os.PowerManager.THERMAL_STATUS_*.
THERMAL = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
# What a model and its system are; never who owns it: no serial number, no account, no network.
_PROPERTIES = {
    "ro.product.manufacturer": "maker",
    "ro.product.model": "model",
    "ro.soc.manufacturer": "soc_maker",
    "ro.soc.model": "soc",
    "ro.board.platform": "board",
    "ro.product.cpu.abi": "abi",
    "ro.build.version.release": "android",
    "ro.build.version.sdk": "sdk",
    "ro.build.id": "build",
    "ro.build.version.incremental": "increment",
    "ro.build.version.security_patch": "patch",
}
_FREQUENCIES = "/sys/devices/system/cpu/cpu{}/cpufreq/{}"
# Of the kernel, 10 ms everywhere.
_TICK_S = 0.01
# Of one core. A phone is never idle; its services use some percent also in the night.
MOST_OTHERS = 0.1
LEAST_LIMIT = 0.9
_CHARGING = {1: "unknown", 2: "charging", 3: "discharging", 4: "not charging", 5: "full"}


@dataclass(frozen=True)
class PhoneReading:
    """Counters of one moment.

    Attributes:
        at_s: since the phone's start.
        busy_s: of the CPUs that are used, together: neither idle nor waiting.
        num_cpus: that are used.
    """

    at_s: float
    busy_s: float
    num_cpus: int


@dataclass(frozen=True)
class PhoneWindow:
    """What happened during some blocks; 1.0 of a share is one whole core.

    Attributes:
        seconds: by the phone's clock.
        others: share of the used CPUs' time that was not of what was timed; None where it cannot be told.
        uncertainty: of it, from counting in ticks.
        thermal_status: of `THERMAL`, the highest.
        celsius_max: of all sensors.
        mhz_limit: the highest frequency that is allowed to the CPUs that are used.
    """

    seconds: float
    others: float | None
    uncertainty: float
    thermal_status: int | None
    celsius_max: float | None
    mhz_limit: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data."""
        return asdict(self)


def properties(device: AdbDevice) -> dict[str, str]:
    """Model and system, of an allow-list of properties."""
    found = re.findall(r"^\[([a-z0-9._]+)\]: \[([^\]\r\n]{0,200})\]", device.read("getprop"), re.MULTILINE)
    told = {_PROPERTIES[name]: value for name, value in found if name in _PROPERTIES and value}
    return {**told, "kernel": device.read("uname", "-r").strip()[:200]}


def processor(device: AdbDevice) -> dict[str, Any]:
    """CPUs by their highest frequency in MHz, and memory in MiB."""
    cpus = sorted(_cpu_lines(device.read("cat", "/proc/stat")))
    limits = _frequencies(device, cpus, "cpuinfo_max_freq")
    memory = re.search(r"^MemTotal: +(\d{1,12}) kB", device.read("cat", "/proc/meminfo"), re.MULTILINE)
    return {
        "logical_cpus": len(cpus),
        "mhz": [limits.get(cpu) for cpu in cpus],
        "memory_mib": int(memory[1]) >> 10 if memory else None,
    }


def surroundings(device: AdbDevice) -> dict[str, Any]:
    """Battery, charging, screen, airplane mode, battery saver."""
    battery = device.shell("dumpsys", "battery").text
    power = re.search(r"^ *mWakefulness=([A-Za-z]{1,20})", device.shell("dumpsys", "power").text, re.MULTILINE)
    level, scale, status = (_field(battery, name) for name in ("level", "scale", "status"))
    tenths = _field(battery, "temperature")
    return {
        "battery_percent": None if level is None or not scale else round(100 * level / scale),
        "battery_celsius": None if tenths is None else tenths / 10,
        "charging": None if status is None else _CHARGING.get(status, "unknown"),
        "powered_by": re.findall(r"^ *(AC|USB|Wireless|Dock) powered: true", battery, re.MULTILINE),
        "screen": power[1] if power else None,
        "airplane_mode": _setting(device, "airplane_mode_on"),
        "battery_saver": _setting(device, "low_power"),
    }


def temperature(device: AdbDevice) -> tuple[int | None, dict[str, float]]:
    """The thermal status, and degrees Celsius by sensor; (None, {}) where there is no such service (Android 9)."""
    text = device.shell("dumpsys", "thermalservice").text
    status = re.search(r"^ *Thermal Status: (\d)\r?$", text, re.MULTILINE)
    _, _, current = text.partition("Current temperatures from HAL:")
    sensors = current.partition("Current cooling devices")[0]
    # All types but 6, 7 and 8, which are a battery's volts, amperes and percents.
    found = re.findall(
        r"Temperature\{mValue=(-?\d{1,4}(?:\.\d{1,20})?), mType=([0-59]|1\d), mName=([^,}\n]{1,60})", sensors
    )
    celsius = {name: float(value) for value, _, name in found if float(value) != 0}  # 0: no such sensor
    return (int(status[1]) if status else None), celsius


def health_of(status: int | None, celsius: Mapping[str, float]) -> dict[str, Any]:
    """What `temperature` gave in a few numbers, for whoever looks at a list of runners."""
    found: dict[str, Any] = {"state": "device"}
    if celsius:
        found["celsius"] = round(max(celsius.values()), 1)
    if status is not None:
        found["thermal"] = name_of(status)
    return found


def reading(device: AdbDevice, cpus: Sequence[int] | None) -> PhoneReading | None:
    """Counters now; `cpus` are those that are used (None: all). None where the phone does not tell."""
    text = device.shell("cat", "/proc/uptime", "/proc/stat").text
    uptime = re.match(r"(\d{1,12}\.\d{1,9}) ", text)
    used = {cpu: idle for cpu, idle in _cpu_lines(text).items() if cpus is None or cpu in cpus}
    if uptime is None or not used:
        return None
    at_s = float(uptime[1])
    return PhoneReading(at_s=at_s, busy_s=len(used) * at_s - sum(used.values()), num_cpus=len(used))


def window(
    device: AdbDevice,
    first: PhoneReading | None,
    second: PhoneReading | None,
    *,
    own_s: float | None,
    status: int | None,
    cpus: Sequence[int] | None,
) -> PhoneWindow:
    """What happened between two readings.

    Args:
        own_s: CPU seconds of what was timed; None: not told.
        status: the thermal status before.
        cpus: that are used; None: all.
    """
    after, celsius = temperature(device)
    limits = _frequencies(device, range(16) if cpus is None else cpus, "scaling_max_freq")
    others: float | None = None
    seconds = uncertainty = 0.0
    if first is not None and second is not None and second.at_s > first.at_s:
        seconds = second.at_s - first.at_s
        # The uptime has two digits, and each CPU's idle time is told in ticks.
        uncertainty = 2 * _TICK_S * second.num_cpus / seconds
        if own_s is not None:
            others = max(second.busy_s - first.busy_s - own_s, 0.0) / seconds
    statuses = [value for value in (status, after) if value is not None]
    return PhoneWindow(
        seconds=seconds,
        others=others,
        uncertainty=uncertainty,
        thermal_status=max(statuses, default=None),
        celsius_max=max(celsius.values(), default=None),
        mhz_limit=max(limits.values(), default=None),
    )


def contention(found: PhoneWindow) -> str | None:
    """Why others may have slowed what was timed, or None."""
    if found.others is None or found.others - found.uncertainty <= MOST_OTHERS:
        return None
    return f"others used {100 * found.others:.0f} % of a core of the phone ({100 * MOST_OTHERS:.0f} % is the limit)"


def throttling(found: PhoneWindow, calm: PhoneWindow | None) -> str | None:
    """Why the phone may have run slower than it can, or None; `calm` is of the beginning of the session."""
    reasons = []
    if found.thermal_status:
        reasons.append(f"the phone's thermal status was {name_of(found.thermal_status)!r}")
    if calm is not None and calm.mhz_limit and found.mhz_limit and found.mhz_limit < LEAST_LIMIT * calm.mhz_limit:
        reasons.append(f"its CPU was limited to {found.mhz_limit:.0f} MHz ({calm.mhz_limit:.0f} MHz before)")
    return "; ".join(reasons) or None


def name_of(status: int) -> str:
    """A thermal status in a word."""
    return THERMAL[status] if status < len(THERMAL) else str(status)


def cpus_of(mask: str) -> tuple[int, ...]:
    """The CPUs of a mask for taskset, in hexadecimal digits."""
    bits = int(mask, 16)
    return tuple(cpu for cpu in range(bits.bit_length()) if bits >> cpu & 1)


def _cpu_lines(text: str) -> dict[int, float]:
    """Seconds that each CPU was idle or waiting for a disk."""
    found = re.findall(r"^cpu(\d{1,3}) \d+ \d+ \d+ (\d+) (\d+)", text, re.MULTILINE)
    return {int(cpu): (int(idle) + int(waiting)) * _TICK_S for cpu, idle, waiting in found}


def _frequencies(device: AdbDevice, cpus: Iterable[int], name: str) -> Mapping[int, float]:
    """MHz by CPU, of those that tell it; some makers keep it to themselves."""
    paths = [_FREQUENCIES.format(cpu, name) for cpu in cpus]
    text = device.shell("grep", "-H", ".", *paths).text if paths else ""
    found = re.findall(rf"^/sys/devices/system/cpu/cpu(\d{{1,3}})/cpufreq/{name}:(\d{{1,9}})\r?$", text, re.MULTILINE)
    return {int(cpu): int(khz) / 1000 for cpu, khz in found}


def _field(text: str, name: str) -> int | None:
    found = re.search(rf"^ *{name}: (-?\d{{1,9}})\r?$", text, re.MULTILINE)
    return int(found[1]) if found else None


def _setting(device: AdbDevice, name: str) -> bool | None:
    value = device.shell("settings", "get", "global", name).text.strip()
    return {"0": False, "1": True}.get(value)
