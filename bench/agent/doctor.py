"""What this device can do as a runner, for whoever sets it up; no hub is asked."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.agent import VERSION
from bench.agent.capabilities import checked_formats, runtimes, why_not
from bench.agent.enrolment import enrolled
from bench.measure.catalogue import RUNTIMES
from bench.measure.child import ISOLATED_WORKER, Child, LostError, RefusedError
from bench.measure.exclusive import cpu_lock_folder
from bench.measure.fingerprint import fingerprint
from bench.measure.restart import search_paths

_START_S = 120.0
_MEMORY_MIB = 16384


def examine(kind: str, base: Path) -> Iterator[str]:
    """One finding a line; `base` is where agents keep their tokens."""
    machine = fingerprint(runner=kind)["machine"]
    yield f"bench-agent {VERSION}, Python {platform.python_version()}"
    yield f"device: {machine['cpu']}, {machine['logical_cpus']} CPUs, {machine['distribution']}"
    ready = runtimes(kind)
    for runtime in RUNTIMES.values():
        if kind in runtime.runners:
            lack = why_not(runtime, kind)
            versions = ready.get(runtime.name, {}).get("versions", {})
            told = ", ".join(f"{name} {version}" for name, version in versions.items())
            yield f"runtime {runtime.name}: {'ready, ' + told if lack is None else lack}"
    yield f"looks into files of: {', '.join(checked_formats())} (others are looked into by who sends them)"
    if ready:
        yield f"child processes: {_isolation(next(iter(ready)), kind)}"
    yield f"CPU lock: {cpu_lock_folder()} (of this user; agents, searches and measurements take turns there)"
    yield f"enrolled here: {', '.join(enrolled(base)) or 'none'}"


def _isolation(runtime: str, kind: str) -> str:
    """What a child process gives up before it opens a file, as one tells it."""
    request: dict[str, Any] = {
        "runtime": runtime,
        "runner": kind,
        "threads": 1,
        "precision": "fp32",
        "channels_last": False,
        "memory_mib": _MEMORY_MIB,
        "paths": search_paths(),
    }
    try:
        with Child(ISOLATED_WORKER) as child:
            limits = child.ask("start", request, limit_s=_START_S).get("limits") or {}
    except (LostError, RefusedError) as error:
        return f"cannot start: {error}"
    told = {True: "yes", False: "no", None: "as this user"}
    names = {"network": "has_network", "other processes": "reaches_processes", "gain rights": "may_gain_rights"}
    memory = f"{limits['RLIMIT_AS'] >> 20} MiB" if "RLIMIT_AS" in limits else "not limited"
    return "; ".join([*(f"{name}: {told[limits.get(key)]}" for name, key in names.items()), f"memory: {memory}"])
