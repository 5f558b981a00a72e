"""Core AI: one .aimodel folder, run by coreai-core; a beta, so everything that is used of it is in this file.

On macOS 27 it is the system's framework that runs, with `compute_units` (all, cpu_only, cpu, gpu, neural_engine) as a
preference. Elsewhere the package's reference runtime computes the same slowly: right for comparing outputs, not for
timing, and the details say so.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
from coreai.authoring import AIModelAsset
from coreai.runtime import NDArray, SpecializationOptions

_KINDS = ("cpu", "gpu", "neural_engine")
UNITS = ("all", "cpu_only", *_KINDS)


class CoreAiModel:
    """A function with its input in place, and the event loop that it is called in."""

    def __init__(self, path: Path, options: Any, resolution: int, details: dict[str, Any]) -> None:
        self.details = details
        self._loop = asyncio.new_event_loop()
        self._stack = contextlib.AsyncExitStack()  # keeps the model for as long as this process lives
        executable = AIModelAsset.load(path).executable(options)
        model = self._loop.run_until_complete(self._stack.enter_async_context(executable))
        self._function = model.load_function(model.function_names[0])
        name = input_name(self._function.desc, resolution)
        picture = np.random.default_rng(0).standard_normal((1, 3, resolution, resolution), dtype=np.float32)
        self._feed = {name: NDArray(picture)}
        self._name = self._function.desc.output_names[0]
        self._output: np.ndarray[Any, Any] = np.empty(0, np.float32)

    def time(self, iterations: int) -> list[int]:
        """Nanoseconds of each run, output fetched as a numpy array."""
        return self._loop.run_until_complete(self._time(iterations))

    def is_finite(self) -> bool:
        """Whether the last output is free of NaN and infinity."""
        return bool(np.isfinite(self._output).all())

    def output(self) -> list[float]:
        """The last output, flat."""
        values: list[float] = np.asarray(self._output, np.float32).ravel().tolist()
        return values

    def close(self) -> None:
        """Gives the model and its files back, where the process does not end anyway."""
        self._loop.run_until_complete(self._stack.aclose())
        self._loop.close()

    async def _time(self, iterations: int) -> list[int]:
        function, feed, name, clock = self._function, self._feed, self._name, time.perf_counter_ns
        samples = []
        for _ in range(iterations):
            begin = clock()
            self._output = (await function(feed))[name].numpy()
            samples.append(clock() - begin)
        return samples


def start(settings: dict[str, Any]) -> dict[str, Any]:
    """Tells what was imported and which runtime it is."""
    return {
        "coreai-core": importlib.metadata.version("coreai-core"),
        "compute_units": compute_units(settings),
        "runtime": "macOS" if SpecializationOptions.is_supported() else "reference, for outputs and not for timing",
        "system": platform.system(),
        "threads": "chosen by Core AI",
    }


def load(task: dict[str, Any]) -> CoreAiModel:
    """The asset, specialised for this machine."""
    units = compute_units(task)
    details = {"input": [1, 3, task["resolution"], task["resolution"]], "compute_units": units, "placement": "unknown"}
    return CoreAiModel(Path(task["artifact"]["path"]), _options(units), task["resolution"], details)


def compute_units(settings: dict[str, Any]) -> str:
    """Which units are preferred, by name; "all" where nothing is said.

    Raises:
        ValueError: there are none of this name.
    """
    name = str(settings.get("options", {}).get("compute_units", "all"))
    if name not in UNITS:
        raise ValueError(f"compute_units {name!r}; known: {', '.join(UNITS)}; choose one of them")
    return name


def input_name(description: Any, resolution: int) -> str:
    """The name of the one input.

    Raises:
        ValueError: there are others, or it is no picture of this resolution.
    """
    wanted = [1, 3, resolution, resolution]
    found = {name: list(description.input_descriptor(name).shape) for name in description.input_names}
    if list(found.values()) != [wanted]:
        told = ", ".join(f"{name} {shape}" for name, shape in found.items()) or "none"
        raise ValueError(f"its inputs are {told}; one float32 input of shape {wanted} is needed; export it so")
    return str(next(iter(found)))


def _options(units: str) -> Any:
    if not SpecializationOptions.is_supported():
        return None
    if units == "all":
        return SpecializationOptions.default()
    if units == "cpu_only":
        return SpecializationOptions.cpu_only()
    from coreai.runtime import ComputeUnitKind

    return SpecializationOptions.from_preferred_compute_unit_kind(getattr(ComputeUnitKind, units)())
