from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

from bench.measure import isolation, measure, worker
from bench.measure.catalogue import RUNTIMES
from bench.measure.child import ISOLATED_WORKER, Child, RefusedError
from bench.measure.protocol import _measure

from .conftest import MakeJob, MakeOnnx

LIMIT_S = 30.0

# Stands where the worker looks for ONNX Runtime; its file's content says how it misbehaves.
RUNTIME = """
import os

class Model:
    details = {}

    def time(self, iterations):
        begin = __import__("time").perf_counter_ns()
        return [max(1, __import__("time").perf_counter_ns() - begin) for _ in range(iterations)]

    def is_finite(self):
        return True

    def output(self):
        return [1.0]

def start(settings):
    print("a runtime that likes to talk")
    os.write(1, b"{}\\n")
    return {}

def load(task):
    match task["content"]:
        case b"flood":
            while True:
                os.write(1, b"x" * 65536)
        case b"memory":
            raise MemoryError
        case b"lines":
            raise RuntimeError("one\\n  two\\n" + "x" * 5000)
        case b"network":
            import socket
            port = int(task["artifact"]["label"])
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
    return Model()
"""


@pytest.fixture
def talkative(tmp_path: Path) -> tuple[str, ...]:
    """The worker, copied to another place as for a device, beside a runtime that misbehaves."""
    folder = tmp_path / "device"
    (folder / "runtimes").mkdir(parents=True)
    for module in (worker, isolation):
        shutil.copy(str(module.__file__), folder)
    (folder / "runtimes" / "onnx_runtime.py").write_text(RUNTIME)
    return (sys.executable, "-I", str(folder / "worker.py"))


def test_runtime_that_prints_does_not_break_the_replies(
    talkative: tuple[str, ...], job: MakeJob, convolution: MakeOnnx
) -> None:
    (measurement,) = _measure(job(convolution("a")), command=talkative, progress=None)
    assert measurement.has_figures, measurement.reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"flood", r"^OSError: \[Errno 27\] File too large$"),
        (b"memory", r"^it needs more than the 4096 MiB of memory that a child process may have$"),
        (b"lines", r"^RuntimeError: one two x+$"),
    ],
)
def test_misbehaving_runtime_is_told_of_in_one_line(
    talkative: tuple[str, ...], tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "content"
    path.write_bytes(content)
    digest = worker.hashlib.sha256(content).hexdigest()
    settings = {"runtime": "onnxruntime", "runner": "cpu", "memory_mib": 4096, "paths": []}
    with Child(talkative) as child:
        assert child.ask("start", settings, limit_s=LIMIT_S)["limits"]["RLIMIT_CORE"] == 0
        with pytest.raises(RefusedError, match=reason) as caught:
            child.ask(
                "load",
                {"artifact": {"label": "a", "format": "onnx", "path": str(path), "sha256": digest}},
                limit_s=LIMIT_S,
            )
    assert len(str(caught.value)) < 600


def test_unknown_runtime_cannot_be_asked_for() -> None:
    settings = {"runtime": "../../evil", "runner": "cpu", "memory_mib": 4096, "paths": []}
    with Child() as child, pytest.raises(RefusedError, match=r"KeyError: '\.\./\.\./evil'"):
        child.ask("start", settings, limit_s=LIMIT_S)


def test_every_runtime_and_check_has_its_file() -> None:
    assert {name: found.file for name, found in RUNTIMES.items()} == worker.RUNTIMES
    for folder, files in (("runtimes", worker.RUNTIMES), ("checks", worker.CHECKS)):
        for name in files.values():
            assert (Path(worker.__file__).parent / folder / name).is_file()


def test_model_of_a_file_that_is_gone_is_refused(job: MakeJob, convolution: MakeOnnx) -> None:
    work = job(convolution("a"))
    Path(work.artifacts[0].path).unlink()
    (measurement,) = measure(work)
    assert measurement.reason is not None
    assert "loading failed (restart 1 of 1): FileNotFoundError: " in measurement.reason


def test_isolated_worker_reaches_nobody_and_gains_no_rights(talkative: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "content"
    path.write_bytes(b"network")
    digest = worker.hashlib.sha256(b"network").hexdigest()
    settings = {"runtime": "onnxruntime", "runner": "cpu", "memory_mib": 4096, "paths": []}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        artifact = {"label": str(listener.getsockname()[1]), "format": "onnx", "path": str(path), "sha256": digest}
        with Child(talkative) as child:
            assert "has_network" not in child.ask("start", settings, limit_s=LIMIT_S)["limits"]
            child.ask("load", {"artifact": artifact}, limit_s=LIMIT_S)
        with Child((*talkative, "--isolated")) as child:
            limits = child.ask("start", settings, limit_s=LIMIT_S)["limits"]
            assert limits["may_gain_rights"] is (sys.platform != "linux")
            status = Path(f"/proc/{child.pid}/status")
            if limits["has_network"]:
                pytest.skip("this system lets nobody make a network namespace")
            with pytest.raises(RefusedError, match="unreachable"):
                child.ask("load", {"artifact": artifact}, limit_s=LIMIT_S)
            told = dict(line.split(":", 1) for line in status.read_text().splitlines())
    assert (told["NoNewPrivs"].strip(), int(told["CapEff"], 16)) == ("1", 0)
    assert told["Uid"].split()[0] == str(os.getuid())


def test_isolated_worker_times_a_network(job: MakeJob, convolution: MakeOnnx) -> None:
    (measurement,) = _measure(job(convolution("a")), command=ISOLATED_WORKER, progress=None)
    assert measurement.has_figures, measurement.reason
    assert measurement.memory_mib is None or measurement.memory_mib >= 0
