"""ONNX Runtime on the CPU, and on NVIDIA GPUs through its CUDA and TensorRT providers.

Single-file ONNX, one float32 picture in, output fetched as numpy arrays (from the GPU too: a picture goes up and the
logits come down, as in use).
"""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

# Denormals cost hundreds of cycles each on x86 and depend on weights, not on the architecture.
_CONFIG = {"session.set_denormal_as_zero": "1"}
_PROVIDERS = {
    "onnxruntime": "CPUExecutionProvider",
    "onnxruntime-cuda": "CUDAExecutionProvider",
    "onnxruntime-tensorrt": "TensorrtExecutionProvider",
}


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

    def output(self) -> list[float]:
        """The last outputs, flat."""
        return [float(value) for output in self._outputs for value in np.asarray(output, np.float32).ravel()]


def start(settings: dict[str, Any]) -> dict[str, Any]:
    """Keeps warnings of the runtime quiet, and tells what was imported.

    Raises:
        RuntimeError: the installed ONNX Runtime has no such provider.
    """
    ort.set_default_logger_severity(3)
    provider = _PROVIDERS[settings["runtime"]]
    known = ort.get_available_providers()
    if provider not in known:
        raise RuntimeError(
            f"this ONNX Runtime has {', '.join(known)}; {settings['runtime']} needs {provider}; "
            "install onnxruntime-gpu in place of onnxruntime"
        )
    if provider != "CPUExecutionProvider" and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()  # CUDA's libraries from the packages that torch or pip brought
    return {"onnxruntime": ort.__version__, "numpy": np.__version__, "threads": settings["threads"], "clock": "wall"}


def load(task: dict[str, Any]) -> OnnxModel:
    """A session from the file's bytes: without a path, no external data next to it can be reached.

    `task["is_plain"]` asks for one without any optimisation: what the file says, computed as it stands.
    """
    options = _options(task)
    if task.get("is_plain"):
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = ort.InferenceSession(task["content"], options, providers=["CPUExecutionProvider"])
    else:
        session = ort.InferenceSession(task["content"], options, providers=_providers(task))
    shape = _input_shape(session, task["resolution"])
    picture = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    details: dict[str, Any] = {"providers": session.get_providers(), "input": list(shape), "config": _CONFIG}
    if task.get("describes"):
        details |= _describe(task, picture)
    return OnnxModel(session, picture, details)


def _options(task: dict[str, Any]) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = task["threads"]
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    for key, value in _CONFIG.items():
        options.add_session_config_entry(key, value)
    return options


def _providers(task: dict[str, Any]) -> list[Any]:
    """The wanted provider; what it cannot run falls to the CPU, which the placement then shows."""
    provider = _PROVIDERS[task["runtime"]]
    if provider == "TensorrtExecutionProvider":
        precision = {"trt_fp16_enable": task["precision"] == "fp16"}
        return [(provider, precision), "CUDAExecutionProvider", "CPUExecutionProvider"]
    if provider == "CUDAExecutionProvider":
        # TF32 would make float32 something else than it is elsewhere.
        return [(provider, {"use_tf32": "0", "cudnn_conv_algo_search": "EXHAUSTIVE"}), "CPUExecutionProvider"]
    return [provider]


def _describe(task: dict[str, Any], picture: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Which operators ran where, after all optimisation, from one profiled run of a session of its own."""
    options = _options(task)
    options.enable_profiling = True
    options.profile_file_prefix = str(Path.cwd() / "profile")
    session = ort.InferenceSession(task["content"], options, providers=_providers(task))
    session.run(None, {session.get_inputs()[0].name: picture})
    path = Path(session.end_profiling())
    nodes = {}
    for event in json.loads(path.read_text()):
        found = event.get("args", {})
        if event.get("cat") == "Node" and "op_name" in found and "provider" in found:
            nodes[event["name"]] = (found["op_name"], found["provider"])
    path.unlink()
    return {
        "operators": dict(sorted(Counter(kind for kind, _ in nodes.values()).items())),
        "placement": dict(sorted(Counter(provider for _, provider in nodes.values()).items())),
        "wanted_placement": _PROVIDERS[task["runtime"]],
    }


def _input_shape(session: ort.InferenceSession, resolution: int) -> tuple[int, ...]:
    """The shape of one picture; a free dimension is taken as this job needs it, a fixed one must agree."""
    wanted = (1, 3, resolution, resolution)
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != len(wanted):
        found = ", ".join(f"{item.name} {item.type} {item.shape}" for item in inputs) or "none"
        raise ValueError(f"its inputs are {found}; one float32 input of shape {list(wanted)} is needed; export it so")
    fixed = [(have, want) for have, want in zip(inputs[0].shape, wanted) if isinstance(have, int)]
    if any(have != want for have, want in fixed):
        raise ValueError(
            f"its input is {inputs[0].shape}, the job times {list(wanted)}; give --resolution, or export it so"
        )
    return wanted
