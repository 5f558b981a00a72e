"""Machine and software, as far as they decide how long something takes; never who owns them.

No host name, user, address or serial number: a fingerprint is stored with each measurement and may be
published.
"""

from __future__ import annotations

import functools
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.measure.catalogue import RUNTIMES, installed_version
from bench.measure.gpu import gpus

# What trains and what times where nothing else is asked for.
DEFAULT_RUNTIMES = ("onnxruntime", "torch")


def fingerprint(*, runner: str = "cpu", runtime: str | None = None, threads: int | None = None) -> dict[str, Any]:
    """Plain JSON-able data; a few milliseconds.

    Args:
        runner: GPUs are looked for when it is "cuda".
        runtime: whose packages are named; None names all that time or train.
        threads: of the runtime; None where nothing is timed.
    """
    runtimes = DEFAULT_RUNTIMES if runtime is None else (runtime,)
    packages = sorted({name for known in runtimes for name in RUNTIMES[known].packages})
    return {
        "machine": dict(_machine()),
        "limits": _limits(),
        "governor": _read(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        "software": {"python": platform.python_version(), **_versions(packages)},
        "gpus": [asdict(gpu) for gpu in gpus()] if runner == "cuda" else [],
        "runner": runner,
        "runtime": runtime,
        "threads": threads,
    }


def same_conditions(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[str, ...]:
    """What differs between two fingerprints, one line each; measurements compare only where it is empty."""
    left, right = dict(_flat(first)), dict(_flat(second))
    names = sorted(left.keys() | right.keys())
    return tuple(
        f"{name}: {left.get(name)!r} and {right.get(name)!r}" for name in names if left.get(name) != right.get(name)
    )


@functools.cache
def _machine() -> Mapping[str, Any]:
    return {
        "system": platform.system(),
        "release": platform.release(),
        "distribution": _distribution(),
        "architecture": platform.machine(),
        "cpu": _cpu_model(),
        "logical_cpus": os.cpu_count(),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "virtual": "hypervisor" in _cpu_flags(),
    }


def _limits() -> dict[str, Any]:
    """What of the machine this process may use."""
    affinity = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return {"affinity": affinity, "cgroup_cpu": _cgroup("cpu.max"), "cgroup_memory": _cgroup("memory.max")}


def _cgroup(name: str) -> str | None:
    """The limit of this process's control group (version 2), or of the nearest one above that has one."""
    found = re.search(r"^0::(/.*)$", _read(Path("/proc/self/cgroup")) or "", re.MULTILINE)
    root = Path("/sys/fs/cgroup")
    place = root / found[1].lstrip("/") if found else root
    while place.is_relative_to(root):
        limit = _read(place / name)
        if limit is not None and not limit.startswith("max"):
            return limit
        place = place.parent
    return None


def _cpu_model() -> str:
    if platform.system() == "Darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
        return asked.stdout.strip() or platform.machine()
    board = _read(Path("/proc/device-tree/model"))  # ARM boards name themselves and not their cores
    return _cpuinfo("model name") or (board.rstrip("\0") if board else None) or platform.machine()


def _cpu_flags() -> tuple[str, ...]:
    return tuple((_cpuinfo("flags") or "").split())


def _cpuinfo(key: str) -> str | None:
    found = re.search(rf"^{key}\s*:\s*(.*)$", _read(Path("/proc/cpuinfo")) or "", re.MULTILINE)
    return found[1].strip() if found else None


def _distribution() -> str:
    if platform.system() == "Darwin":
        return f"macOS {platform.mac_ver()[0]}"
    # platform.freedesktop_os_release is of Python 3.10.
    told = _read(Path("/etc/os-release")) or _read(Path("/usr/lib/os-release")) or ""
    found = re.search(r"^PRETTY_NAME=[\"']?([^\"'\n]*)", told, re.MULTILINE)
    return found[1] if found else platform.system()


def _versions(packages: Iterable[str]) -> dict[str, str | None]:
    return {name: installed_version(name) for name in packages}


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def _flat(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
