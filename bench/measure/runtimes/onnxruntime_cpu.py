"""ONNX Runtime on the CPU: single-file ONNX, one float32 picture in, output fetched as numpy arrays."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import onnxruntime as ort

# Denormals cost hundreds of cycles each on x86 and depend on weights, not on the architecture.
_CONFIG = {"session.set_denormal_as_zero": "1"}


class OnnxModel:
    """A session with its input in place."""

    def __init__(self, session: ort.InferenceSession, picture: np.ndarray[Any, Any], details: dict[str, Any]) -> None:
        self.details = details
        self._session = session
        self._feed = {session.get_inputs()[0].name: picture}
        self._outputs: list[Any] = []

    def time(self, iterations: int) -> list[int]:
        """Nanoseconds of each run."""
        run, feed, clock = self._session.run, self._feed, time.perf_counter_ns
        samples = []
        for _ in range(iterations):
            begin = clock()
            self._outputs = run(None, feed)
            samples.append(clock() - begin)
        return samples

    def is_finite(self) -> bool:
        """Whether the last outputs are free of NaN and infinity."""
        return all(bool(np.isfinite(output).all()) for output in self._outputs)


def start(settings: dict[str, Any]) -> dict[str, Any]:
    """Keeps warnings of the runtime quiet, and tells what was imported."""
    ort.set_default_logger_severity(3)
    return {"onnxruntime": ort.__version__, "numpy": np.__version__, "threads": settings["threads"]}


def load(task: dict[str, Any]) -> OnnxModel:
    """A session from the file's bytes: without a path, no external data next to it can be reached."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = task["threads"]
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    for key, value in _CONFIG.items():
        options.add_session_config_entry(key, value)
    session = ort.InferenceSession(task["content"], options, providers=["CPUExecutionProvider"])
    shape = _input_shape(session, task["resolution"])
    picture = np.random.default_rng(task["seed"]).standard_normal(shape, dtype=np.float32)
    return OnnxModel(session, picture, {"providers": session.get_providers(), "input": list(shape), "config": _CONFIG})


def _input_shape(session: ort.InferenceSession, resolution: int) -> tuple[int, ...]:
    """The shape of one picture; a free dimension is taken as this job needs it, a fixed one must agree."""
    wanted = (1, 3, resolution, resolution)
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != len(wanted):
        found = ", ".join(f"{item.name} {item.type} {item.shape}" for item in inputs) or "none"
        raise ValueError(f"its inputs are {found}; one float32 input of shape {list(wanted)} is needed; export it so")
    fixed = [(have, want) for have, want in zip(inputs[0].shape, wanted, strict=True) if isinstance(have, int)]
    if any(have != want for have, want in fixed):
        raise ValueError(f"its input is {inputs[0].shape}, the job times {list(wanted)}; export it at that resolution")
    return wanted
