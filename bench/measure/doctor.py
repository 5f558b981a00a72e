"""What this machine can measure with, and whether it is fit to measure now: `bench doctor`.

Nothing is loaded to find out: runtimes are looked up by their distributions' metadata, GPUs by the driver.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bench.errors import MeasureError
from bench.measure.catalogue import RUNTIMES, Runtime
from bench.measure.devices import Device, devices
from bench.measure.fingerprint import fingerprint
from bench.measure.fitness import Check, Conditions, checks, fitness
from bench.measure.gpu import gpus
from bench.measure.health import Monitor, Window, between, foreign_processes
from bench.measure.monitor import this_system
from bench.measure.runners import resolve_runner

READY, MISSING, ELSEWHERE = "ready", "missing", "elsewhere"

_SYSTEMS = {"Darwin": "macOS"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeState:
    """One runtime of the catalogue on this machine.

    Attributes:
        name: as in flags.
        status: "ready", "missing" (something can be installed) or "elsewhere" (it needs another machine).
        versions: of its distributions; None is one that is not installed.
        runners: where it can time here.
        need: what is missing, in words.
        command: that adds it.
    """

    name: str
    status: str
    versions: Mapping[str, str | None]
    runners: tuple[str, ...]
    need: str | None
    command: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What `examine` found; `fit` is "yes", "yes, with care" or "no"."""

    runtimes: tuple[RuntimeState, ...]
    devices: tuple[Device, ...]
    window: Window
    checks: tuple[Check, ...]
    fit: str

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data."""
        return asdict(self) | {"window": self.window.to_dict()}


def examine(*, seconds: float = 2.0) -> Report:
    """Looks at this machine, at what it does for `seconds`; this process and what it used are left out."""
    window, conditions = _look(seconds)
    found = checks(window, conditions)
    return Report(
        runtimes=tuple(runtime_state(runtime) for runtime in RUNTIMES.values()),
        devices=devices(),
        window=window,
        checks=found,
        fit=fitness(found),
    )


def runtime_state(runtime: Runtime) -> RuntimeState:
    """Whether a runtime can time on this machine, and what it lacks."""
    versions = {package: _version(package) for package in runtime.packages}
    runners = tuple(runner for runner in runtime.runners if _resolves(runner, runtime))
    status, need, command = READY, None, None
    if runtime.systems and platform.system() not in runtime.systems:
        status, need = ELSEWHERE, "needs " + " or ".join(_SYSTEMS.get(name, name) for name in runtime.systems)
    elif runtime.runners == ("cuda",) and not gpus():
        status, need = ELSEWHERE, "needs an NVIDIA GPU"
    elif not runners:
        status, need, command = MISSING, _why_not(runtime), runtime.command
    elif runtime.name == "torch-compile" and shutil.which(_compiler()) is None:
        status, need = MISSING, f"needs the compiler {_compiler()}"
        command = "xcode-select --install" if _is_mac() else "sudo apt-get install g++"
    elif None in versions.values():
        lacking = ", ".join(package for package, version in versions.items() if version is None)
        need, command = f"without {lacking}", runtime.command
    return RuntimeState(
        name=runtime.name, status=status, versions=versions, runners=runners, need=need, command=command
    )


def _is_mac() -> bool:
    return platform.system() == "Darwin"


def _compiler() -> str:
    """What torch's inductor compiles for the CPU with (torch/_inductor/config.py: cpp.cxx)."""
    return os.environ.get("CXX") or ("clang++" if _is_mac() else "g++")


def _resolves(runner: str, runtime: Runtime) -> bool:
    try:
        resolve_runner(runner, runtime=runtime.name)
    except MeasureError:
        return False
    return True


def _why_not(runtime: Runtime) -> str:
    if _version(runtime.packages[0]) is None:
        return f"{runtime.packages[0]} is not installed"
    try:
        resolve_runner(runtime.runners[0], runtime=runtime.name)
    except MeasureError as error:
        return str(error).partition(";")[0]
    return ""


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _look(seconds: float) -> tuple[Window, Conditions]:
    system, monitor, known = this_system(), Monitor(uses_gpu=bool(gpus())), fingerprint()
    first = monitor.read(())
    others = foreign_processes(seconds)
    second = monitor.read(())
    affinity = known["limits"]["affinity"]
    conditions = Conditions(
        others=others,
        num_cpus=known["machine"]["logical_cpus"] if affinity is None else len(affinity),
        limit_cores=system.limit_cores(),
        governor=known["governor"],
        highest_mhz=system.highest_mhz(),
        memory_free_mib=system.memory_free_mib(),
        is_virtual=known["machine"]["virtual"],
        is_persistent=second.gpus[0].is_persistent if second.gpus else None,
    )
    return between(first, second), conditions
