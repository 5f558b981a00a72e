"""What a device can time, as its agent tells the hub: nothing is loaded to find out, and nothing says whose it is."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
from collections.abc import Mapping
from typing import Any

from bench.agent import PROTOCOL, VERSION
from bench.agent.artifact_files import FILE_FORMATS, FOLDER_FORMATS
from bench.measure.catalogue import RUNTIMES, Runtime, installed_version
from bench.measure.fingerprint import fingerprint
from bench.measure.gpu import gpus

# The first whose files have all fields that the check of ONNX files looks at (`NodeProto.overload`).
_LEAST_ONNX = (1, 16)
_CHECKED_WITHOUT_PACKAGES = ("tflite",)


def capabilities(kind: str) -> dict[str, Any]:
    """Of this machine; `kind` is "cpu", "cuda" or "apple".

    Keys: kind, device, runtimes, checks (formats that are looked into here before they are loaded), python, agent,
    protocol.
    """
    found = fingerprint(runner=kind)
    return {
        "kind": kind,
        "device": {**found["machine"], "gpus": found["gpus"]},
        "runtimes": runtimes(kind),
        "checks": list(checked_formats()),
        "python": platform.python_version(),
        "agent": VERSION,
        "protocol": PROTOCOL,
    }


def runtimes(kind: str) -> dict[str, Any]:
    """The runtimes that can time on `kind` here: {name: {versions, formats, precisions}}."""
    return {
        runtime.name: {
            "versions": {package: installed_version(package) for package in runtime.packages},
            "formats": list(runtime.formats),
            "precisions": list(runtime.precisions),
        }
        for runtime in RUNTIMES.values()
        if kind in runtime.runners and why_not(runtime, kind) is None
    }


def why_not(runtime: Runtime, kind: str) -> str | None:
    """What a runtime lacks to time on `kind` here, in words; None: nothing."""
    version = installed_version(runtime.packages[0])
    if not set(runtime.formats) & {*FILE_FORMATS, *FOLDER_FORMATS}:
        return f"{runtime.formats[0]} files do not travel"
    if runtime.systems and platform.system() not in runtime.systems:
        return f"runs on {', '.join(runtime.systems)} only"
    if version is None:
        return f"{runtime.packages[0]} is not installed: {runtime.command}"
    if kind == "cuda" and not gpus():
        return "no NVIDIA GPU is found"
    if runtime.packages[0] == "torch":
        return _why_not_torch(runtime, kind, version)
    return None


def checked_formats() -> tuple[str, ...]:
    """Formats that this device looks into itself before a runtime loads a file; others must be checked by who sends."""
    return (*_CHECKED_WITHOUT_PACKAGES, "onnx") if _has_onnx() else _CHECKED_WITHOUT_PACKAGES


def health(
    celsius: Mapping[str, float], mhz: tuple[float, ...] | None, memory_free_mib: float | None
) -> dict[str, Any]:
    """The state of a machine in a few numbers, for whoever looks at a list of runners."""
    found: dict[str, Any] = {}
    if celsius:
        found["celsius"] = round(max(celsius.values()), 1)
    if mhz:
        found["mhz"] = round(max(mhz))
    if memory_free_mib is not None:
        found["memory_free_mib"] = round(memory_free_mib)
    if hasattr(os, "getloadavg"):
        found["load"] = round(os.getloadavg()[0], 2)
    return found


def _why_not_torch(runtime: Runtime, kind: str, version: str) -> str | None:
    # A network is rebuilt from its description: that takes all of `bench`, which the one file does not hold.
    if importlib.util.find_spec("bench.networks") is None:
        return "needs the package bench on the device: start the agent with python -m bench.agent.main"
    if kind == "cuda" and version.endswith("+cpu"):
        return f"torch {version} is built without CUDA"
    compiler = "clang++" if platform.system() == "Darwin" else "g++"
    if runtime.name == "torch-compile" and kind == "cpu" and shutil.which(compiler) is None:
        return f"needs the compiler {compiler}"
    return None


def _has_onnx() -> bool:
    found = re.match(r"(\d+)\.(\d+)", installed_version("onnx") or "")
    return found is not None and (int(found[1]), int(found[2])) >= _LEAST_ONNX
