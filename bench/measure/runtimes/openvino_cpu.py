"""OpenVINO on the CPU: single-file ONNX, one float32 picture in, output fetched as a numpy array.

Precision is always asked for: left to itself the plug-in computes in bfloat16 where the CPU has instructions for it.
Threads are pinned to no core by OpenVINO, because where this process may run is the supervisor's business.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import numpy as np
import openvino

_PRECISIONS = {"fp32": "f32", "fp16": "f16", "bf16": "bf16"}
_CONFIG = {
    "NUM_STREAMS": 1,
    "PERFORMANCE_HINT": "LATENCY",
    "ENABLE_CPU_PINNING": False,
    # As for ONNX Runtime: denormals depend on weights, not on the architecture.
    "CPU_DENORMALS_OPTIMIZATION": True,
}
# Nodes of the compiled graph that compute nothing.
_PASSIVE = ("Const", "Input", "Output")


class OpenVinoModel:
    """An infer request with its input in place."""

    def __init__(self, compiled: Any, picture: np.ndarray[Any, Any], details: dict[str, Any]) -> None:
        self.details = details
        self._compiled = compiled
        self._picture = picture  # shared, not copied
        self._request = compiled.create_infer_request()
        self._request.set_input_tensor(openvino.Tensor(picture, shared_memory=True))
        self._output: np.ndarray[Any, Any] = np.empty(0, np.float32)

    def time(self, iterations: int) -> list[int]:
        """Nanoseconds of each run, with a copy of the output."""
        infer, fetch, clock = self._request.infer, self._request.get_output_tensor, time.perf_counter_ns
        samples = []
        for _ in range(iterations):
            begin = clock()
            infer()
            self._output = fetch(0).data.copy()
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
    """Tells what was imported; threads are each model's."""
    return {"openvino": openvino.__version__, "numpy": np.__version__, "threads": settings["threads"]}


def load(task: dict[str, Any]) -> OpenVinoModel:
    """A model compiled from the file's bytes: without a path, no external data next to it can be reached."""
    core = openvino.Core()
    model = core.read_model(task["content"])
    shape = _input_shape(model, task["resolution"])
    wanted = {"INFERENCE_NUM_THREADS": task["threads"], "INFERENCE_PRECISION_HINT": _PRECISIONS[task["precision"]]}
    compiled = core.compile_model(model, "CPU", _CONFIG | wanted)
    picture = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    details: dict[str, Any] = {
        "input": list(shape),
        "config": _CONFIG,
        "threads": compiled.get_property("INFERENCE_NUM_THREADS"),
        "precision": compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name(),
    }
    if task.get("describes"):
        details |= _describe(compiled)
    return OpenVinoModel(compiled, picture, details)


def _describe(compiled: Any) -> dict[str, Any]:
    """The graph after all optimisation: operators, and how many compute in which precision with which kernels."""
    nodes = [
        {key: str(value.value) for key, value in node.get_rt_info().items()}
        for node in compiled.get_runtime_model().get_ordered_ops()
    ]
    active = [node for node in nodes if node["layerType"] not in _PASSIVE]
    counts = {
        name: dict(sorted(Counter(node[key] for node in active).items()))
        for name, key in (("operators", "layerType"), ("types", "runtimePrecision"), ("kernels", "primitiveType"))
    }
    return {**counts, "placement": {"CPU": len(active)}, "wanted_placement": "CPU"}


def _input_shape(model: Any, resolution: int) -> tuple[int, ...]:
    """The shape of one picture; a free dimension is set to what this job needs, a fixed one must agree."""
    wanted = (1, 3, resolution, resolution)
    inputs = model.inputs
    if (
        len(inputs) != 1
        or inputs[0].get_element_type() != openvino.Type.f32
        or not inputs[0].get_partial_shape().compatible(openvino.PartialShape(list(wanted)))
    ):
        found = ", ".join(f"{item.get_element_type().get_type_name()} {item.get_partial_shape()}" for item in inputs)
        raise ValueError(
            f"its inputs are {found or 'none'}; one float32 input of shape {list(wanted)} is needed; export it so"
        )
    model.reshape(openvino.PartialShape(list(wanted)))
    return wanted
