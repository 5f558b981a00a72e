"""What can time artifacts on this machine; asked before a search starts, so that a lack costs no time."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass

from bench.errors import MeasureError, nearest
from bench.measure.gpu import gpus
from bench.measure.job import FORMATS, RUNNERS

DEFAULT_RUNTIME: Mapping[str, str] = {"cpu": "onnxruntime", "cuda": "torch"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """A device of this machine with the runtime that is used on it.

    Attributes:
        name: "cpu" or "cuda".
        runtime: "onnxruntime" or "torch".
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
    fitting = [known for known, places in RUNNERS.items() if name in places]
    if chosen not in fitting:
        known = ", ".join(fitting)
        hint = nearest(chosen, fitting) or "; choose one of them, or another runner"
        raise MeasureError(f"runtime {chosen!r} does not run on {name!r}; known there: {known}{hint}")
    version = _version(chosen)
    if name == "cuda":
        _check_cuda(version)
    return Runner(name=name, runtime=chosen, formats=FORMATS[chosen], uses_cpu=name == "cpu")


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError as error:
        raise MeasureError(
            f"runtime {package!r} is not installed; it is a package of that name; run `pip install {package}`"
        ) from error


def _check_cuda(torch_version: str) -> None:
    if not gpus():
        raise MeasureError(
            "runner 'cuda' finds no NVIDIA GPU (no driver, or CUDA_VISIBLE_DEVICES hides it); "
            "this machine has 'cpu'; use --runner cpu, or run this on a machine with a GPU"
        )
    if torch_version.endswith("+cpu"):
        raise MeasureError(
            f"torch {torch_version} is built without CUDA; runner 'cuda' needs a CUDA build; "
            "install torch from the default package index"
        )
