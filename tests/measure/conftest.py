"""Small ONNX files and jobs around them; a scripted child for what a sound runtime never does."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.measure import Job, JobArtifact

RESOLUTION = 16

MakeOnnx = Callable[..., JobArtifact]
MakeJob = Callable[..., Job]


def write_onnx(path: Path, nodes: Sequence[onnx.NodeProto], constants: dict[str, np.ndarray]) -> JobArtifact:
    """A graph from `picture` to `logits`, as an artifact of a job."""
    shape = [1, 3, RESOLUTION, RESOLUTION]
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    path.write_bytes(model.SerializeToString())
    return artifact_of(path)


def artifact_of(path: Path, *, label: str | None = None) -> JobArtifact:
    """The file as an artifact, named after itself."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return JobArtifact(label=label or path.stem, path=str(path), format="onnx", sha256=digest, is_checked=True)


@pytest.fixture
def convolution(tmp_path: Path) -> MakeOnnx:
    """Makes a small network of 3 x 3 convolutions."""

    def make(label: str = "network", *, layers: int = 1) -> JobArtifact:
        names = ["picture", *(f"hidden{index}" for index in range(layers - 1)), "logits"]
        nodes = [
            helper.make_node("Conv", [names[index], "kernel"], [names[index + 1]], pads=[1, 1, 1, 1])
            for index in range(layers)
        ]
        return write_onnx(tmp_path / f"{label}.onnx", nodes, {"kernel": np.full((3, 3, 3, 3), 0.01, np.float32)})

    return make


@pytest.fixture
def job(convolution: MakeOnnx) -> MakeJob:
    """Makes the smallest job with a real reference."""

    def make(*artifacts: JobArtifact, **settings: Any) -> Job:
        least = {
            "resolution": RESOLUTION,
            "restarts": 1,
            "blocks": 2,
            "iterations": 2,
            "warmup_ms": 5.0,
            "target": 10.0,
            "twin": "never",
            "repeats": False,
        }
        return Job(artifacts=artifacts, reference=convolution("reference"), **{**least, **settings})

    return make


# Follows the protocol of worker.py, and does what a label says: "hang", "flood", ...; other labels are sound.
SCRIPTED = """
import json, os, signal, subprocess, sys, time

def reply(data):
    print(json.dumps(data), flush=True)

for line in sys.stdin:
    request = json.loads(line)
    label = request.get("label") or request.get("artifact", {}).get("label", "")
    what, _, when = label.partition("-")
    at = when or "time"
    if request["ask"] != at:
        what = ""
    count = request.get("iterations", 0)
    if what == "hang":
        signal.pause()
    elif what == "crash":
        import ctypes
        ctypes.string_at(0)
    elif what == "flood":
        while True:
            os.write(1, b"x" * 65536)
    elif what == "garbage":
        print("Segmentation fault (just a joke)", flush=True)
    elif what == "list":
        reply([1, 2])
    elif what == "nan":
        reply({"samples": [float("nan")] * count})
    elif what == "few":
        reply({"samples": [1] * (count - 1)})
    elif what == "none":
        reply({})
    elif what == "zero":
        reply({"samples": [0] * count})
    elif what == "slow":
        reply({"samples": [10**15] * count})
    elif what == "fraction":
        reply({"samples": [1.5] * count})
    elif what == "refuse":
        reply({"error": "no such operator"})
    elif what == "exit":
        print("out of luck", file=sys.stderr)
        sys.exit(3)
    elif what == "silent":
        os.close(1)
        signal.pause()
    elif what == "family":
        reply({"pid": subprocess.Popen(["sleep", "1000"]).pid})
    elif what == "surroundings":
        reply({"environment": dict(os.environ), "files": os.listdir("."), "flags": sys.flags.isolated})
    else:
        begin = time.perf_counter_ns()
        while time.perf_counter_ns() - begin < 20_000 * count:
            pass
        reply({"details": {}, "samples": [20_000] * count, "output": [1.0, 2.0]})
"""


@pytest.fixture
def scripted(tmp_path: Path) -> tuple[str, ...]:
    """The command of a child whose behaviour the labels choose."""
    path = tmp_path / "scripted.py"
    path.write_text(SCRIPTED)
    return (sys.executable, "-I", str(path))


@contextlib.contextmanager
def busy_process() -> Iterator[subprocess.Popen[bytes]]:
    """Another process that uses one CPU for as long as it is wanted."""
    process = subprocess.Popen([sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
