"""What psutil tells of CPUs and processes where there is no /proc: macOS. Without psutil nothing is known."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from typing import Any


class MacOS:
    """The same questions as `health_linux.Linux` answers; macOS tells no pressure, limit, frequency or zone."""

    def __init__(self) -> None:
        self._psutil: Any = None
        with contextlib.suppress(ImportError):
            import psutil

            self._psutil = psutil

    def cpus(self) -> tuple[tuple[float, ...], float]:
        """Seconds that each CPU was busy since boot; there is no steal."""
        if self._psutil is None:
            return (), 0.0
        return tuple(cpu.user + cpu.nice + cpu.system for cpu in self._psutil.cpu_times(percpu=True)), 0.0

    def used(self, pid: int) -> tuple[int, float] | None:
        """When a process started (us) and the CPU seconds that it and its living children used; None: gone."""
        if self._psutil is None:
            return None
        try:
            process = self._psutil.Process(pid)
            started = int(process.create_time() * 1e6)
        except self._psutil.Error:
            return None
        return started, sum(self._seconds(member) for member in self._members(process))

    def family(self, pids: Iterable[int]) -> frozenset[int]:
        """These processes and all below them."""
        found = set(pids)
        if self._psutil is not None:
            for pid in tuple(found):
                with contextlib.suppress(self._psutil.Error):
                    found |= {member.pid for member in self._members(self._psutil.Process(pid))}
        return frozenset(found)

    def processes(self) -> dict[int, float]:
        """CPU seconds of every process, by its id; 0 for those of others, which only root may ask."""
        if self._psutil is None:
            return {}
        return {process.pid: self._seconds(process) for process in self._psutil.process_iter()}

    def name(self, pid: int) -> str:
        """The short name of a process, without its arguments."""
        if self._psutil is not None:
            with contextlib.suppress(self._psutil.Error):
                name = os.path.basename(self._psutil.Process(pid).name())  # noqa: PTH119  (a name, no path)
                return "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in name)
        return ""

    def pressure_s(self) -> float | None:
        """Not told."""
        return None

    def throttled(self) -> int | None:
        """Not told."""
        return None

    def limit_cores(self) -> float | None:
        """There is none."""
        return None

    def highest_mhz(self) -> tuple[float, float] | None:
        """Not told."""
        return None

    def memory_free_mib(self) -> float | None:
        """What can be had without swapping."""
        return self._psutil.virtual_memory().available / (1 << 20) if self._psutil is not None else None

    def mhz(self) -> tuple[float, ...] | None:
        """Not told: psutil repeats the nominal frequency."""
        return None

    def celsius(self) -> Mapping[str, float]:
        """Not told."""
        return {}

    def _members(self, process: Any) -> list[Any]:
        try:
            return [process, *process.children(recursive=True)]
        except self._psutil.Error:
            return [process]

    def _seconds(self, process: Any) -> float:
        try:
            times = process.cpu_times()
        except self._psutil.Error:
            return 0.0
        return float(times.user + times.system)
