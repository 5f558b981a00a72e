"""What can time artifacts on this machine; asked before a search starts, so that a lack costs no time."""

from __future__ import annotations

import platform
from dataclasses import dataclass

from bench.errors import MeasureError, nearest
from bench.measure.catalogue import DEFAULT_RUNTIME, RUNTIMES, Runtime, installed_version
from bench.measure.gpu import gpus


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """A device of this machine with the runtime that is used on it.

    Attributes:
        name: "cpu", "cuda" or "apple".
        runtime: a name of `catalogue.RUNTIMES`.
        formats: of artifacts that the runtime reads.
        uses_cpu: whether training on the CPU must stand still while it times.
    """

    name: str
    runtime: str
    formats: tuple[str, ...]
    uses_cpu: bool


def resolve_runner(name: str, *, runtime: str | None = None) -> Runner:
    """The runner `name` with `runtime` (None: its default).

    Raises:
        MeasureError: an unknown name or pair, a runtime that is not installed, or no GPU for "cuda".
    """
    if name not in DEFAULT_RUNTIME:
        known = ", ".join(DEFAULT_RUNTIME)
        raise MeasureError(f"unknown runner {name!r}; known: {known}{nearest(name, DEFAULT_RUNTIME) or '; choose one'}")
    chosen = DEFAULT_RUNTIME[name] if runtime is None else runtime
    fitting = [found.name for found in RUNTIMES.values() if name in found.runners]
    if chosen not in fitting:
        known = ", ".join(fitting)
        hint = nearest(chosen, fitting) or "; choose one of them, or another runner"
        raise MeasureError(f"runtime {chosen!r} does not run on {name!r}; known there: {known}{hint}")
    found = RUNTIMES[chosen]
    _check_system(found)
    version = _version(found)
    if name == "cuda":
        _check_cuda(found, version)
    return Runner(name=name, runtime=chosen, formats=found.formats, uses_cpu=name == "cpu")


def _check_system(runtime: Runtime) -> None:
    if runtime.systems and platform.system() not in runtime.systems:
        raise MeasureError(
            f"runtime {runtime.name!r} runs on macOS only, this is {platform.system()}; "
            "use a runtime that runs here (`bench doctor` lists them), or a Mac"
        )


def _version(runtime: Runtime) -> str:
    package = runtime.packages[0]
    version = installed_version(package)
    if version is None:
        raise MeasureError(
            f"runtime {runtime.name!r} is not installed; it is the package {package}; run `{runtime.command}`"
        )
    return version


def _check_cuda(runtime: Runtime, version: str) -> None:
    if not gpus():
        raise MeasureError(
            "runner 'cuda' finds no NVIDIA GPU (no driver, or CUDA_VISIBLE_DEVICES hides it); "
            "this machine has 'cpu'; use --runner cpu, or run this on a machine with a GPU"
        )
    if runtime.packages[0] == "torch" and version.endswith("+cpu"):
        raise MeasureError(
            f"torch {version} is built without CUDA; runner 'cuda' needs a CUDA build; "
            "install torch from the default package index"
        )
