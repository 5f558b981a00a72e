"""Core ML on macOS: one .mlpackage folder, run by coremltools.

What is timed is `predict`, with its crossing from numpy to Core ML and back, some 0.1 ms that a program in Swift does
not pay. Core ML chooses its own threads. `compute_units` (all, cpu_only, cpu_and_gpu, cpu_and_ne) is a permission and
not a fact: where the operators are meant to run is read from Core ML's compute plan.
"""

from __future__ import annotations

import logging
import platform
import time
from collections import Counter
from typing import Any

import numpy as np

logging.getLogger("coremltools").setLevel(logging.ERROR)  # it tells what it lacks at each import

import coremltools  # noqa: E402

UNITS = {unit.name.lower(): unit for unit in coremltools.ComputeUnit}
# What is hoped for where one other device is allowed beside the CPU.
_WANTED = {"cpu_only": "CPU", "cpu_and_gpu": "GPU", "cpu_and_ne": "NeuralEngine"}


class CoreMlModel:
    """A model with its input in place; `model` is a coremltools MLModel, or acts like one."""

    def __init__(self, model: Any, names: tuple[str, str], picture: np.ndarray[Any, Any], details: Any) -> None:
        self.details = details
        self._model = model
        self._feed, self._name = {names[0]: picture}, names[1]
        self._output: np.ndarray[Any, Any] = np.empty(0, np.float32)

    def time(self, iterations: int) -> list[int]:
        """Nanoseconds of each run, output fetched as a numpy array."""
        predict, feed, name, clock = self._model.predict, self._feed, self._name, time.perf_counter_ns
        samples = []
        for _ in range(iterations):
            begin = clock()
            self._output = predict(feed)[name]
            samples.append(clock() - begin)
        return samples

    def is_finite(self) -> bool:
        """Whether the last output is free of NaN and infinity."""
        return bool(np.isfinite(self._output).all())

    def output(self) -> list[float]:
        """The last output, flat."""
        values: list[float] = np.asarray(self._output, np.float32).ravel().tolist()
        return values


def start(settings: dict[str, Any]) -> dict[str, Any]:
    """Looks at the system and the compute units.

    Raises:
        RuntimeError: another system than macOS.
        ValueError: unknown compute units.
    """
    units = compute_units(settings)
    if platform.system() != "Darwin":
        raise RuntimeError(f"this is {platform.system()}; Core ML runs on macOS only; measure on a Mac")
    return {"coremltools": coremltools.__version__, "compute_units": units, "threads": "chosen by Core ML"}


def compute_units(settings: dict[str, Any]) -> str:
    """Which units are allowed, by name; "all" where nothing is said.

    Raises:
        ValueError: there are none of this name.
    """
    name = str(settings.get("options", {}).get("compute_units", "all"))
    if name not in UNITS:
        raise ValueError(f"compute_units {name!r}; known: {', '.join(sorted(UNITS))}; choose one of them")
    return name


def load(task: dict[str, Any]) -> CoreMlModel:
    """The package, compiled for this machine."""
    path, size, units = task["artifact"]["path"], task["resolution"], compute_units(task)
    specification = coremltools.utils.load_spec(path)
    names = input_and_output(specification, size)
    model = coremltools.models.MLModel(path, compute_units=UNITS[units])
    picture = np.random.default_rng(0).standard_normal((1, 3, size, size), dtype=np.float32)
    details: dict[str, Any] = {
        "input": list(picture.shape),
        "specification": specification.specificationVersion,
        "precision": precision(specification),
        "compute_units": units,
    }
    if task.get("describes"):
        plan = coremltools.models.compute_plan.MLComputePlan
        details |= describe(plan.load_from_path(model.get_compiled_model_path(), compute_units=UNITS[units]), units)
    return CoreMlModel(model, names, picture, details)


def describe(plan: Any, units: str) -> dict[str, Any]:
    """Operators of the compiled program and the device that Core ML prefers for each."""
    program = plan.model_structure.program
    operators: Counter[str] = Counter()
    places: Counter[str] = Counter()
    for operation in program.functions["main"].block.operations:
        usage = plan.get_compute_device_usage_for_mlprogram_operation(operation)
        if usage is None:  # constants run nowhere
            continue
        operators[operation.operator_name] += 1
        kind = type(usage.preferred_compute_device).__name__
        places[kind.removeprefix("ML").removesuffix("ComputeDevice")] += 1
    details: dict[str, Any] = {"operators": dict(sorted(operators.items())), "placement": dict(sorted(places.items()))}
    return details | ({"wanted_placement": _WANTED[units]} if units in _WANTED else {})


def precision(specification: Any) -> str:
    """ "fp16" where the program computes anything in float16."""
    function = specification.mlProgram.functions["main"]
    half = coremltools.proto.MIL_pb2.FLOAT16
    outputs = (
        output.type.tensorType.dataType
        for operation in function.block_specializations[function.opset].operations
        for output in operation.outputs
    )
    return "fp16" if half in outputs else "fp32"


def input_and_output(specification: Any, resolution: int) -> tuple[str, str]:
    """The names of the one input and the one output.

    Raises:
        ValueError: there are others, or the input is no float32 picture of this resolution.
    """
    wanted = [1, 3, resolution, resolution]
    float32 = coremltools.proto.FeatureTypes_pb2.ArrayFeatureType.FLOAT32
    inputs, outputs = specification.description.input, specification.description.output
    found = [(list(item.type.multiArrayType.shape), item.type.multiArrayType.dataType) for item in inputs]
    if found != [(wanted, float32)] or len(outputs) != 1:
        told = ", ".join(f"{item.name} {shape}" for item, (shape, _) in zip(inputs, found)) or "none"
        raise ValueError(
            f"it has inputs {told} and {len(outputs)} outputs; one float32 input of shape {wanted} and one output are "
            "needed; export it so"
        )
    return str(inputs[0].name), str(outputs[0].name)
