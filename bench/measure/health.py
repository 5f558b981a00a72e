"""Whether the machine was fit while something was timed: read by the supervisor, never by the process that is timed.

What decides is the CPU time that others used: pressure figures stay near zero while two threads keep two CPUs busy.
It is what all CPUs were busy less what our own processes used. The first is told in ticks of 10 ms, so a short window
says little; its uncertainty stands beside it, and no verdict is given within it.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from bench.measure.gpu import CLOCK_SETTING, IDLE, GpuReading
from bench.measure.health_linux import TICK_S
from bench.measure.monitor import Monitor, Reading, foreign_processes

__all__ = [
    "GpuWindow",
    "Monitor",
    "Reading",
    "Window",
    "between",
    "contention",
    "foreign_processes",
    "throttling",
]

# Of one core. A second process on the other of two cores is seen from here on in the milliseconds.
MOST_OTHERS = 0.05
# Another guest's CPU time is others' like any; on a shared host some percent of it are always there, and the ratio of
# interleaved networks does not feel them.
MOST_STEAL = 0.05
# nvbench repeats what ran below this share of the GPU's clock.
LEAST_SM_CLOCK = 0.75
LEAST_CPU_CLOCK = 0.9
THROTTLING_REASONS = (
    "power cap",
    "power brake",
    "hardware slowdown",
    "thermal slowdown by the driver",
    "thermal slowdown by the hardware",
)


@dataclass(frozen=True)
class GpuWindow:
    """One GPU between two readings.

    Attributes:
        name: as its driver says.
        sm_mhz: the lowest clock of the readings that found it at work; None if neither did.
        sm_max_mhz: the highest possible.
        is_clock_set: whether somebody set its clocks lower (`nvidia-smi -lgc`, `-ac`).
        celsius: the higher of both readings.
        power_w: likewise.
        reasons: why its clock was not higher: `CLOCK_REASONS` without idleness and set clocks.
        foreign_processes: ids of others that compute on it; None where the ids mean nothing (a container).
    """

    name: str
    sm_mhz: int | None
    sm_max_mhz: int | None
    is_clock_set: bool
    celsius: int | None
    power_w: float | None
    reasons: tuple[str, ...]
    foreign_processes: tuple[int, ...] | None


@dataclass(frozen=True)
class Window:
    """What happened between two readings; 1.0 of a share is one whole core during the window.

    Attributes:
        seconds: its length.
        others: share of CPU time that was neither ours nor idle; None where CPUs cannot be asked.
        steal: share that the hypervisor took, all CPUs together.
        uncertainty: of both shares, from counting in ticks.
        pressure: share of the window in which some process waited for a CPU.
        throttled: periods stopped by a CPU limit.
        mhz_low: the lower of both readings' fastest CPUs: the timed one works, and is the fastest or near it, while
            idle ones may sleep as they like.
        celsius_max: of all zones.
        gpus: those of both readings.
    """

    seconds: float
    others: float | None
    steal: float
    uncertainty: float
    pressure: float | None
    throttled: int | None
    mhz_low: float | None
    celsius_max: float | None
    gpus: tuple[GpuWindow, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data."""
        data = asdict(self)
        for gpu in data["gpus"]:
            foreign = gpu["foreign_processes"]
            gpu["reasons"] = list(gpu["reasons"])
            gpu["foreign_processes"] = None if foreign is None else list(foreign)
        return data | {"gpus": list(data["gpus"])}


def between(first: Reading, second: Reading) -> Window:
    """What happened between two readings, of which `second` is the later."""
    seconds = max(second.at_s - first.at_s, 1e-9)
    cpus = list(zip(first.busy_s, second.busy_s))
    busy_s = sum(after - before for before, after in cpus)
    zones = [*first.celsius.values(), *second.celsius.values()]
    return Window(
        seconds=seconds,
        others=max(busy_s - (second.own_s - first.own_s), 0.0) / seconds if cpus else None,
        steal=max(second.steal_s - first.steal_s, 0.0) / seconds,
        uncertainty=_uncertainty_s(len(cpus)) / seconds,
        pressure=None
        if first.pressure_s is None or second.pressure_s is None
        else (second.pressure_s - first.pressure_s) / seconds,
        throttled=None if first.throttled is None or second.throttled is None else second.throttled - first.throttled,
        mhz_low=min(max(first.mhz), max(second.mhz)) if first.mhz and second.mhz else None,
        celsius_max=max(zones, default=None),
        gpus=tuple(_gpu_between(*pair) for pair in zip(first.gpus, second.gpus)),
    )


def contention(window: Window) -> str | None:
    """Why others may have slowed what was timed, or None."""
    reasons = []
    if window.others is not None and window.others - window.uncertainty > MOST_OTHERS:
        reasons.append(f"others used {_percent(window.others)} of a core ({_percent(MOST_OTHERS)} is the limit)")
    if window.steal - window.uncertainty > MOST_STEAL:
        reasons.append(f"the hypervisor took {_percent(window.steal)} of a core ({_percent(MOST_STEAL)} is the limit)")
    for gpu in window.gpus[:1]:
        if gpu.foreign_processes:
            ids = ", ".join(map(str, gpu.foreign_processes[:3]))
            reasons.append(f"other processes compute on the GPU, {len(gpu.foreign_processes)} of them (id {ids})")
    return "; ".join(reasons) or None


def throttling(window: Window, calm: Window | None) -> str | None:
    """Why the machine may have run slower than it can, or None.

    Args:
        window: what is judged.
        calm: of the same session, for the frequency that the CPU can hold.
    """
    reasons = []
    if window.throttled:
        reasons.append(f"a CPU limit (cgroup) stopped this process in {window.throttled} periods")
    if window.mhz_low and calm and calm.mhz_low and window.mhz_low < LEAST_CPU_CLOCK * calm.mhz_low:
        reasons.append(f"the CPU ran at {window.mhz_low:.0f} MHz ({calm.mhz_low:.0f} MHz when calm)")
    reasons += [reason for gpu in window.gpus[:1] for reason in gpu_throttling(gpu)]
    return "; ".join(reasons) or None


def gpu_throttling(gpu: GpuWindow) -> tuple[str, ...]:
    """Why a GPU may have run slower than it can."""
    reasons = []
    found = [reason for reason in gpu.reasons if reason in THROTTLING_REASONS]
    if found:
        reasons.append(f"the GPU was slowed by: {', '.join(found)}")
    if gpu.sm_mhz and gpu.sm_max_mhz and not gpu.is_clock_set and gpu.sm_mhz < LEAST_SM_CLOCK * gpu.sm_max_mhz:
        reasons.append(f"the GPU ran at {gpu.sm_mhz} MHz (of {gpu.sm_max_mhz} MHz)")
    return tuple(reasons)


def _uncertainty_s(num_cpus: int) -> float:
    """Two ticks on two CPUs.

    Each CPU's idle time is rounded down in both readings, which spreads the difference by 0.41 ticks, and the sum over
    n CPUs by 0.41 sqrt(n). This is 3.4 times that.
    """
    return max(2.0, math.sqrt(2 * num_cpus)) * TICK_S


def _gpu_between(first: GpuReading, second: GpuReading) -> GpuWindow:
    both = (first, second)
    reasons = dict.fromkeys(reason for gpu in both for reason in gpu.reasons)
    clocks = [gpu.sm_mhz for gpu in both if gpu.sm_mhz is not None and IDLE not in gpu.reasons]
    foreign = [gpu.foreign_processes for gpu in both if gpu.foreign_processes is not None]
    return GpuWindow(
        name=second.name,
        sm_mhz=min(clocks, default=None),
        sm_max_mhz=second.sm_max_mhz,
        is_clock_set=CLOCK_SETTING in reasons,
        celsius=max((gpu.celsius for gpu in both if gpu.celsius is not None), default=None),
        power_w=max((gpu.power_w for gpu in both if gpu.power_w is not None), default=None),
        reasons=tuple(reason for reason in reasons if reason not in (IDLE, CLOCK_SETTING)),
        foreign_processes=tuple(sorted({pid for found in foreign for pid in found})) if foreign else None,
    )


def _percent(share: float) -> str:
    return f"{round(100 * share, 1):g} %"
