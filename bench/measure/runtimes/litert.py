"""LiteRT (TensorFlow Lite) on the CPU with its XNNPACK delegate: one .tflite file, one float32 picture in.

Files of others mostly want the picture as 1 x H x W x 3, which is accepted too.
"""

from __future__ import annotations

import importlib.metadata
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

_DELEGATE = "DELEGATE"


class LiteRtModel:
    """An interpreter with its input in place; the arena keeps inputs, so it is written once."""

    def __init__(self, interpreter: Any, details: dict[str, Any]) -> None:
        self.details = details
        self._interpreter = interpreter
        self._index = interpreter.get_output_details()[0]["index"]
        self._output: np.ndarray[Any, Any] = np.empty(0, np.float32)

    def time(self, iterations: int) -> list[int]:
        """Nanoseconds of each run, with a copy of the output."""
        invoke, fetch, index, clock = (
            self._interpreter.invoke,
            self._interpreter.get_tensor,
            self._index,
            time.perf_counter_ns,
        )
        samples = []
        for _ in range(iterations):
            begin = clock()
            invoke()
            self._output = fetch(index)
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
    """Tells what was imported; threads are each interpreter's."""
    version = importlib.metadata.version("ai-edge-litert")
    return {"ai-edge-litert": version, "numpy": np.__version__, "threads": settings["threads"]}


def load(task: dict[str, Any]) -> LiteRtModel:
    """An interpreter of the file's bytes; `task["is_plain"]` asks for one without delegates."""
    # Plain: without XNNPACK, so that an error of the delegate is seen.
    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES if task.get("is_plain") else OpResolverType.AUTO
    interpreter = Interpreter(
        model_content=task["content"], num_threads=task["threads"], experimental_op_resolver_type=resolver
    )
    inputs = interpreter.get_input_details()
    picture = _picture(inputs, task["resolution"])
    interpreter.allocate_tensors()
    interpreter.set_tensor(inputs[0]["index"], picture)
    details: dict[str, Any] = {"input": list(picture.shape), "threads": task["threads"]}
    if task.get("describes"):
        # Private, and the only way to them (2.3).
        details |= describe(interpreter._get_ops_details())
    return LiteRtModel(interpreter, details)


def describe(nodes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Which operators the delegates took.

    Nodes that a delegate replaces stay in the list. Those inside it are found by going back from what it gives to
    what it takes.
    """
    makers = {int(tensor): node for node in nodes if node["op_name"] != _DELEGATE for tensor in node["outputs"]}
    inside: set[int] = set()
    for delegate in (node for node in nodes if node["op_name"] == _DELEGATE):
        given = {int(tensor) for tensor in delegate["inputs"]}
        pending = [int(tensor) for tensor in delegate["outputs"]]
        while pending:
            tensor = pending.pop()
            if tensor in given or tensor not in makers or makers[tensor]["index"] in inside:
                continue
            inside.add(makers[tensor]["index"])
            pending += [int(needed) for needed in makers[tensor]["inputs"]]
    operators = Counter(node["op_name"] for node in nodes if node["op_name"] != _DELEGATE)
    num_operators = sum(operators.values())
    places = {"XNNPACK": len(inside), "CPU": num_operators - len(inside)}
    return {
        "operators": dict(sorted(operators.items())),
        "placement": {place: count for place, count in places.items() if count},
        "delegates": len(nodes) - num_operators,
    }


def _picture(inputs: Sequence[dict[str, Any]], resolution: int) -> np.ndarray[Any, Any]:
    picture = np.random.default_rng(0).standard_normal((1, 3, resolution, resolution), dtype=np.float32)
    shapes = {picture.shape: picture, (1, resolution, resolution, 3): picture.transpose(0, 2, 3, 1)}
    found = [(tuple(int(size) for size in item["shape"]), item["dtype"]) for item in inputs]
    if len(found) != 1 or found[0][1] is not np.float32 or found[0][0] not in shapes:
        told = ", ".join(f"{np.dtype(kind).name} {list(shape)}" for shape, kind in found) or "none"
        raise ValueError(
            f"its inputs are {told}; one float32 input of shape {list(picture.shape)} (or with the channels last) is "
            "needed; export it so"
        )
    return np.ascontiguousarray(shapes[found[0][0]])
