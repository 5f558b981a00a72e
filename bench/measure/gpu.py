"""Which NVIDIA GPUs there are, as the driver's management library says: no torch, no CUDA context.

A CUDA context in a process makes CUDA unusable in what it forks, and importing torch to ask takes seconds.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass

_LIBRARY = "libnvidia-ml.so.1"
_NAME_BYTES = 96
_SUCCESS = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU as its driver names it."""

    name: str
    driver: str
    memory_mib: int


class _Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


def gpus(library: str = _LIBRARY) -> tuple[Gpu, ...]:
    """The GPUs of this machine; none without a driver, or where CUDA_VISIBLE_DEVICES hides all of them."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return ()
    try:
        nvml = ctypes.CDLL(library)
    except OSError:
        return ()
    if nvml.nvmlInit_v2() != _SUCCESS:
        return ()
    try:
        count = ctypes.c_uint()
        if nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) != _SUCCESS:
            return ()
        return tuple(_gpu(nvml, index) for index in range(count.value))
    finally:
        nvml.nvmlShutdown()


def _gpu(nvml: ctypes.CDLL, index: int) -> Gpu:
    device = ctypes.c_void_p()
    name = ctypes.create_string_buffer(_NAME_BYTES)
    driver = ctypes.create_string_buffer(_NAME_BYTES)
    memory = _Memory()
    nvml.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(index), ctypes.byref(device))
    nvml.nvmlDeviceGetName(device, name, ctypes.c_uint(_NAME_BYTES))
    nvml.nvmlSystemGetDriverVersion(driver, ctypes.c_uint(_NAME_BYTES))
    nvml.nvmlDeviceGetMemoryInfo(device, ctypes.byref(memory))
    return Gpu(name=name.value.decode(), driver=driver.value.decode(), memory_mib=memory.total >> 20)
