"""The child process: checks, loads and times artifacts as it is told; it decides nothing.

The supervisor (`child.py`) starts it as `python -I worker.py`, because a crash, a hang or a leak of a
runtime must cost one process and not the search. One JSON request a line comes in on stdin, one JSON reply
a line goes out:

    {"ask": "check", "artifact": {...}}              -> {"details": {...}}
    {"ask": "start", "runtime": ..., ...}            -> {"details": {...}, "limits": {...}}
    {"ask": "load", "artifact": {...}}               -> {"details": {...}, "load_ms": ..., "output": [...], ...}
    {"ask": "time", "label": ..., "iterations": 4}   -> {"samples": [ns, ns, ns, ns]}

or `{"error": "why"}`, after which it goes on. It ends with the end of its input, on Linux with its supervisor, and
in any case some seconds after the deadline of what it is busy with. This file imports the standard library only, so
that a child is ready to load after the import of its runtime, and so that it can be sent to a device alone with
`isolation.py` and the files in `runtimes/` and `checks/`, or in one file with them.

With `--isolated` it gives up more before it opens a file (`isolation.py`): rising in rights, and, where Linux lets an
ordinary user do so, the network and other processes; what it starts ends with it. No filter of system calls is used,
which before Linux 5.16 slows down what it is put upon.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import hashlib
import importlib
import importlib.util
import json
import math
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

# Closed on purpose: a job names a runtime or a format, never a file or a module.
RUNTIMES = {
    "onnxruntime": "onnx_runtime.py",
    "onnxruntime-cuda": "onnx_runtime.py",
    "onnxruntime-tensorrt": "onnx_runtime.py",
    "torch": "pytorch.py",
    "torch-compile": "pytorch.py",
    "torch-cudagraph": "pytorch.py",
    "litert": "litert.py",
    "openvino": "openvino_cpu.py",
    "executorch": "executorch_xnnpack.py",
    "coreml": "core_ml.py",
    "coreai": "core_ai.py",
}
CHECKS = {"onnx": "onnx_file.py", "tflite": "tflite_file.py"}
# What a runtime needs is a folder, whose files have been hashed by who made it.
FOLDERS = ("mlpackage", "aimodel")

_MIB = 1 << 20
# Profiles and what a compiler writes; a model is read, never written.
_FILE_MIB = 64
_OPEN_FILES = 1024
_ERROR_LENGTH = 500
_LARGEST_FILE_MIB = 2048
_LARGEST_OUTPUT = 100_000
# The supervisor kills a late child; this is for a child whose supervisor is gone.
_ALARM_MARGIN_S = 5.0
# Of CPU time, between the signal that can be caught and the one that cannot.
_LAST_S = 5

Request = dict[str, Any]


class Worker:
    """The loaded models of one process."""

    def __init__(self) -> None:
        self.isolation: dict[str, bool] = {}
        self._models: dict[str, Any] = {}
        self._settings: Request = {}
        self._runtime: ModuleType | None = None

    def answer(self, request: Request) -> Request:
        """The reply to one request; whatever a runtime raises belongs to the artifact and is told."""
        asks = {"check": self.check, "start": self.start, "load": self.load, "time": self.time}
        try:
            return asks[request["ask"]](request)
        except MemoryError:
            limit = self._settings.get("memory_mib", "allowed")
            return {"error": f"it needs more than the {limit} MiB of memory that a child process may have"}
        except Exception as error:
            text = " ".join(str(error).split())
            return {"error": f"{type(error).__name__}: {text[:_ERROR_LENGTH]}"}

    def check(self, request: Request) -> Request:
        """Looks into a file of unknown origin before any runtime does."""
        self._settings = request
        _limit(request["memory_mib"], request.get("work_s"))
        _find_packages(request)
        artifact = request["artifact"]
        content = _read(artifact)
        if artifact["format"] not in CHECKS or content is None:
            known = ", ".join(CHECKS)
            raise ValueError(f"a {artifact['format']} file of unknown origin; {known} files can be looked into")
        checks = _import("checks", CHECKS[artifact["format"]])
        return {"details": checks.check(content, request.get("file_limits") or {})}

    def start(self, request: Request) -> Request:
        """Takes the limits on, then imports the runtime."""
        self._settings = request
        # CUDA and compiled code reserve terabytes of addresses.
        limits = _limit(None if request["runner"] == "cuda" else request["memory_mib"], request.get("work_s"))
        if request.get("cpus"):
            os.sched_setaffinity(0, request["cpus"])
        _find_packages(request)
        self._runtime = _import("runtimes", RUNTIMES[request["runtime"]])
        return {"details": self._runtime.start(request), "limits": {**limits, **self.isolation}}

    def load(self, request: Request) -> Request:
        """Reads, compares the hash, loads one artifact, and runs it once."""
        artifact = request["artifact"]
        _forget_peak()
        before = _memory_mib("VmRSS")
        begin = time.perf_counter_ns()
        content = _read(artifact)
        assert self._runtime is not None  # `start` is always first
        task = {**self._settings, **request, "content": content}
        model = self._runtime.load(task)
        loaded = time.perf_counter_ns()
        # What a runtime lets go of again while it loads is not what running takes.
        del content, task
        _forget_peak()
        first = model.time(1)
        peak = _memory_mib("VmHWM")
        if not model.is_finite():
            raise ValueError("its output is not finite; check its weights")
        output = model.output()
        if len(output) > _LARGEST_OUTPUT:
            raise ValueError(f"its output has {len(output)} numbers; at most {_LARGEST_OUTPUT} are compared")
        if not request.get("is_plain"):  # that one has told what it computes, and is not timed
            self._models[artifact["label"]] = model
        # What loading left behind must not be collected while something is timed.
        gc.collect()
        gc.freeze()
        found = {"load_ms": (loaded - begin) / 1e6, "first_ms": first[0] / 1e6}
        if before is not None and peak is not None:
            found["memory_mib"] = peak - before
        return {"details": model.details, "output": output, **found}

    def time(self, request: Request) -> Request:
        """Runs one model back to back."""
        gc.disable()
        samples = self._models[request["label"]].time(request["iterations"])
        gc.enable()
        return {"samples": samples}


def main(words: Sequence[str] = ()) -> None:
    """Answers requests until the input ends; `words` are those of the command line."""
    isolation = _import("isolation.py")
    isolation.end_with_supervisor()
    # A runtime that prints would break the replies: they keep the pipe, and stdout goes where stderr goes.
    replies = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's business
    worker, is_to_be_isolated = Worker(), "--isolated" in words
    for line in sys.stdin:
        request = json.loads(line)
        if is_to_be_isolated:  # before anything has a thread, or a timer
            # The driver of CUDA may start a program as root.
            worker.isolation = isolation.isolate(keeps_rights=request.get("runner") == "cuda")
            is_to_be_isolated = False
        signal.setitimer(signal.ITIMER_REAL, request["limit_s"] + _ALARM_MARGIN_S)
        replies.write(json.dumps(worker.answer(request)) + "\n")
        replies.flush()
        signal.setitimer(signal.ITIMER_REAL, 0)


def _read(artifact: Request) -> bytes | None:
    """The content whose hash the job names; None for a folder."""
    if artifact["format"] in FOLDERS:
        return None
    path = Path(artifact["path"])
    size = path.stat().st_size
    if size > _LARGEST_FILE_MIB * _MIB:
        raise ValueError(f"the file has {size // _MIB} MiB; at most {_LARGEST_FILE_MIB} MiB are loaded")
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != artifact["sha256"]:
        raise ValueError(f"the file's sha256 is {digest}, the job says {artifact['sha256']}; export it again")
    return content


def _memory_mib(name: str) -> float | None:
    """Resident memory of this process, now (VmRSS) or at its peak (VmHWM); None where Linux does not tell it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / 1024
    return None


def _forget_peak() -> None:
    """Gives freed memory back and starts the peak anew from what is resident now."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _find_packages(request: Request) -> None:
    # -I hides folders that the parent may have found its packages in (a user site, PYTHONPATH).
    sys.path.extend(path for path in request["paths"] if path not in sys.path)


def _import(*place: str) -> ModuleType:
    """A file beside this one, or below."""
    path = Path(__file__).resolve().parent.joinpath(*place)
    if not path.is_file():  # this is the one file of an agent, which has it inside
        return importlib.import_module(".".join(("bench", "measure", *place[:-1], path.stem)))
    spec = importlib.util.spec_from_file_location(f"bench_{path.stem}_file", path)
    assert spec is not None  # the file is ours
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _limit(memory_mib: int | None, work_s: float | None) -> dict[str, int]:
    """Sets resource limits, returns those that took.

    Args:
        memory_mib: of addresses; None for CUDA, which reserves terabytes of them.
        work_s: that all requests together may take; unlike the alarm, what comes of it holds for whatever this process
            starts, too. None: as long as it likes.
    """
    wanted = {"RLIMIT_CORE": 0, "RLIMIT_FSIZE": _FILE_MIB * _MIB, "RLIMIT_NOFILE": _OPEN_FILES}
    if memory_mib is not None:
        wanted["RLIMIT_AS"] = memory_mib * _MIB
    if work_s is not None:
        wanted["RLIMIT_CPU"] = math.ceil((work_s + _ALARM_MARGIN_S) * (os.cpu_count() or 1))
    taken = {}
    for name, value in wanted.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        hard = sys.maxsize if hard == resource.RLIM_INFINITY else hard
        value = min(value, hard)
        # Time that is over is told by a signal of its own (SIGXCPU) before that which nobody can be deaf to.
        hard = min(value + _LAST_S, hard) if name == "RLIMIT_CPU" else value
        # macOS refuses a limit on address space; the reply says what holds.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (value, hard))
            taken[name] = value
    return taken


if __name__ == "__main__":
    main(sys.argv[1:])
