"""Reads the state of this machine while something is timed: by the supervisor, never by the process that is timed."""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bench.measure.gpu import GpuReading, Nvml
from bench.measure.health_linux import Linux
from bench.measure.health_macos import MacOS

# What used less of a core is not named.
_LEAST_NAMED = 0.01
_STEP_S = 0.05


@dataclass(frozen=True)
class Reading:
    """The state of the machine at one moment. Counters count from some past moment: only differences mean something.

    Attributes:
        at_s: monotonic clock.
        busy_s: of each CPU: neither idle nor stolen; empty where it cannot be told.
        steal_s: taken by the hypervisor, all CPUs together.
        own_s: CPU time of this process and of those given to `Monitor.read`, with all their threads and children.
        pressure_s: in which some process waited for a CPU; None where it is not told, as everything below.
        throttled: periods in which a CPU limit stopped the control group of this process.
        mhz: current frequency by CPU.
        celsius: by type of thermal zone.
        gpus: those that CUDA programs see; the first is the one in use.
    """

    at_s: float
    busy_s: tuple[float, ...]
    steal_s: float
    own_s: float
    pressure_s: float | None
    throttled: int | None
    mhz: tuple[float, ...] | None
    celsius: Mapping[str, float]
    gpus: tuple[GpuReading, ...]


class System(Protocol):
    """What a kind of machine must tell; see `health_linux.Linux`."""

    def cpus(self) -> tuple[tuple[float, ...], float]: ...
    def used(self, pid: int) -> tuple[int, float] | None: ...
    def family(self, pids: Iterable[int]) -> frozenset[int]: ...
    def processes(self) -> dict[int, float]: ...
    def name(self, pid: int) -> str: ...
    def pressure_s(self) -> float | None: ...
    def throttled(self) -> int | None: ...
    def limit_cores(self) -> float | None: ...
    def highest_mhz(self) -> tuple[float, float] | None: ...
    def memory_free_mib(self) -> float | None: ...
    def mhz(self) -> tuple[float, ...] | None: ...
    def celsius(self) -> Mapping[str, float]: ...


class Monitor:
    """Reads the state of this machine; less than a millisecond a reading with one process given and no GPU."""

    def __init__(self, *, uses_gpu: bool) -> None:
        self._system = this_system()
        self._nvml = Nvml() if uses_gpu else None
        # By id and start, since ids are used again. What has ended keeps what it had, or own_s would fall.
        self._used: dict[tuple[int, int], float] = {}

    def read(self, pids: Sequence[int]) -> Reading:
        """The state now.

        `pids` are the processes that count as ours, with all below them; this process is ours without its other
        children. A process counts from its own start, so it must be given in a reading soon after it.
        """
        at_s = time.monotonic()
        busy_s, steal_s = self._system.cpus()
        own_s = self._own_s(pids)
        own = self._system.family([*pids, os.getpid()]) if self._nvml else frozenset[int]()
        return Reading(
            at_s=at_s,
            busy_s=busy_s,
            steal_s=steal_s,
            own_s=own_s,
            pressure_s=self._system.pressure_s(),
            throttled=self._system.throttled(),
            mhz=self._system.mhz(),
            celsius=self._system.celsius(),
            gpus=self._nvml.read(own) if self._nvml else (),
        )

    def _own_s(self, pids: Sequence[int]) -> float:
        for pid in pids:
            found = self._system.used(pid)
            if found is not None:
                started, seconds = found
                self._used[pid, started] = max(seconds, self._used.get((pid, started), 0.0))
        return time.process_time() + sum(self._used.values())


def foreign_processes(seconds: float, exclude: Iterable[int] = ()) -> tuple[tuple[str, float], ...]:
    """Which other processes use the CPU: looks for some seconds, gives names and shares of a core, most first.

    Processes of one name are added up. Not seen: what lives outside this container, and what starts and ends between
    two of the looks, of which there are up to 20 a second.

    Args:
        seconds: how long to look.
        exclude: ids of our own processes, left out with all below them; this process is left out without its
            children.
    """
    system = this_system()
    own = system.family(exclude) | {os.getpid()}
    begin, last = time.monotonic(), system.processes()
    step_s = max(_STEP_S, 50 * (time.monotonic() - begin))  # looking shall take 2 % of a core at most
    gained: dict[int, float] = defaultdict(float)
    names: dict[int, str] = {}
    while (left := begin + seconds - time.monotonic()) > 0:
        time.sleep(min(step_s, left))
        used = system.processes()
        for pid in used.keys() - own:
            more = used[pid] - last.get(pid, 0.0)
            if more > 0:
                gained[pid] += more
                names[pid] = system.name(pid) or names.get(pid, "unnamed")  # each time: exec changes it
        last = used
    shares: dict[str, float] = defaultdict(float)
    for pid, more in gained.items():
        shares[names[pid]] += more / (time.monotonic() - begin)
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    return tuple((name, share) for name, share in ordered if share > _LEAST_NAMED)


def this_system() -> System:
    """The one for this machine's operating system."""
    return Linux() if sys.platform.startswith("linux") else MacOS()
