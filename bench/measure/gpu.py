"""What NVIDIA GPUs there are and how they are, as the driver's management library says: no torch, no CUDA context.

A CUDA context in a process makes CUDA unusable in what it forks, and importing torch to ask takes seconds.
Constants and structures are those of nvml.h (NVIDIA Management Library API reference).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

_LIBRARY = "libnvidia-ml.so.1"
_NAME_BYTES = 96
_SUCCESS = 0
_CLOCK_SM = 1  # NVML_CLOCK_SM
_TEMPERATURE_GPU = 0  # NVML_TEMPERATURE_GPU
_MOST_PROCESSES = 256
# PROC_PID_INIT_INO of the kernel: the namespace in which the driver numbers processes.
_FIRST_PID_NAMESPACE = "pid:[4026531836]"

IDLE = "idle"
CLOCK_SETTING = "application clocks setting"
# nvmlClocksEventReason*: why a clock is not higher.
CLOCK_REASONS = {
    0x1: IDLE,
    0x2: CLOCK_SETTING,
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "thermal slowdown by the driver",
    0x40: "thermal slowdown by the hardware",
    0x80: "power brake",
    0x100: "display clock setting",
}


@dataclass(frozen=True)
class Gpu:
    """One GPU as its driver names it."""

    name: str
    driver: str
    memory_mib: int


@dataclass(frozen=True)
class GpuReading:
    """The state of one GPU at one moment; None is what its driver does not tell.

    Attributes:
        name: as in `Gpu`.
        sm_mhz: clock of the streaming multiprocessors now.
        sm_max_mhz: the highest that they can have.
        celsius: of the chip.
        power_w: of the board.
        reasons: why the clock is not higher, in the words of `CLOCK_REASONS`; one of them is "idle".
        is_persistent: whether the driver stays loaded while nobody uses it.
        foreign_processes: ids of others that compute on it. None inside a container: the driver's numbers mean
            nothing there.
    """

    name: str
    sm_mhz: int | None
    sm_max_mhz: int | None
    celsius: int | None
    power_w: float | None
    reasons: tuple[str, ...]
    is_persistent: bool | None
    foreign_processes: tuple[int, ...] | None


class _Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class _Process(ctypes.Structure):
    _fields_ = (
        ("pid", ctypes.c_uint),
        ("memory", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    )


class Nvml:
    """The management library, opened: once for many readings, since opening takes tens of milliseconds."""

    def __init__(self, library: str = _LIBRARY) -> None:
        self._nvml = _opened(library)
        self._devices = tuple(_visible(self._nvml)) if self._nvml is not None else ()

    def close(self) -> None:
        """Ends it; without devices afterwards."""
        if self._nvml is not None:
            self._nvml.nvmlShutdown()
        self._nvml, self._devices = None, ()

    def gpus(self) -> tuple[Gpu, ...]:
        """The GPUs that a CUDA program started here would see, in the order of CUDA_VISIBLE_DEVICES."""
        return tuple(self._gpu(device) for device in self._devices)

    def read(self, own: Collection[int] = (), *, is_host: bool | None = None) -> tuple[GpuReading, ...]:
        """Their states now.

        Args:
            own: ids of processes that are not foreign.
            is_host: whether process ids here are the driver's; None finds out.
        """
        is_host = _is_first_namespace() if is_host is None else is_host
        return tuple(self._reading(device, own, is_host) for device in self._devices)

    def _gpu(self, device: ctypes.c_void_p) -> Gpu:
        driver = ctypes.create_string_buffer(_NAME_BYTES)
        memory = _Memory()
        self._ask("nvmlSystemGetDriverVersion", driver, ctypes.c_uint(_NAME_BYTES))
        self._ask("nvmlDeviceGetMemoryInfo", device, ctypes.byref(memory))
        return Gpu(name=self._name(device), driver=driver.value.decode(), memory_mib=memory.total >> 20)

    def _reading(self, device: ctypes.c_void_p, own: Collection[int], is_host: bool) -> GpuReading:
        power_mw = self._number("nvmlDeviceGetPowerUsage", device)
        persistence = self._number("nvmlDeviceGetPersistenceMode", device)
        processes = self._processes(device) if is_host else None
        return GpuReading(
            name=self._name(device),
            sm_mhz=self._number("nvmlDeviceGetClockInfo", device, _CLOCK_SM),
            sm_max_mhz=self._number("nvmlDeviceGetMaxClockInfo", device, _CLOCK_SM),
            celsius=self._number("nvmlDeviceGetTemperature", device, _TEMPERATURE_GPU),
            power_w=None if power_mw is None else power_mw / 1000,
            reasons=self._reasons(device),
            is_persistent=None if persistence is None else bool(persistence),
            foreign_processes=None if processes is None else tuple(pid for pid in processes if pid not in own),
        )

    def _name(self, device: ctypes.c_void_p) -> str:
        name = ctypes.create_string_buffer(_NAME_BYTES)
        self._ask("nvmlDeviceGetName", device, name, ctypes.c_uint(_NAME_BYTES))
        return name.value.decode()

    def _reasons(self, device: ctypes.c_void_p) -> tuple[str, ...]:
        mask = ctypes.c_ulonglong()
        # The second is the name before driver 535.
        for function in ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"):
            if self._ask(function, device, ctypes.byref(mask)):
                bits = (1 << place for place in range(64))
                return tuple(CLOCK_REASONS.get(bit, f"reason {bit:#x}") for bit in bits if mask.value & bit)
        return ()

    def _processes(self, device: ctypes.c_void_p) -> tuple[int, ...] | None:
        found = (_Process * _MOST_PROCESSES)()
        for function in ("nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2"):
            count = ctypes.c_uint(_MOST_PROCESSES)
            if self._ask(function, device, ctypes.byref(count), found):
                return tuple(sorted(process.pid for process in found[: count.value]))
        return None

    def _number(self, function: str, device: ctypes.c_void_p, *which: int) -> int | None:
        number = ctypes.c_uint()
        is_told = self._ask(function, device, *(ctypes.c_uint(word) for word in which), ctypes.byref(number))
        return number.value if is_told else None

    def _ask(self, function: str, *arguments: object) -> bool:
        """Whether the driver knows the function and has an answer."""
        call = getattr(self._nvml, function, None)
        return call is not None and call(*arguments) == _SUCCESS


def gpus(library: str = _LIBRARY) -> tuple[Gpu, ...]:
    """The GPUs that CUDA programs see; none without a driver, or where CUDA_VISIBLE_DEVICES hides all of them."""
    nvml = Nvml(library)
    try:
        return nvml.gpus()
    finally:
        nvml.close()


def _opened(library: str) -> ctypes.CDLL | None:
    try:
        nvml = ctypes.CDLL(library)
    except OSError:
        return None
    return nvml if nvml.nvmlInit_v2() == _SUCCESS else None


def _visible(nvml: ctypes.CDLL) -> Iterator[ctypes.c_void_p]:
    """Handles in the order of CUDA_VISIBLE_DEVICES, which ends at the first word that names none (CUDA's own rule)."""
    count = ctypes.c_uint()
    if nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) != _SUCCESS:
        return
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    words = map(str, range(count.value)) if chosen is None else (word.strip() for word in chosen.split(","))
    for word in words:
        device = ctypes.c_void_p()
        if word.isdigit() and int(word) < count.value:
            status = nvml.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(int(word)), ctypes.byref(device))
        elif word.startswith(("GPU-", "MIG-")):
            status = nvml.nvmlDeviceGetHandleByUUID(word.encode("ascii", "replace"), ctypes.byref(device))
        else:
            return
        if status != _SUCCESS:
            return
        yield device


def _is_first_namespace() -> bool:
    try:
        return str(Path("/proc/self/ns/pid").readlink()) == _FIRST_PID_NAMESPACE
    except OSError:
        return False
