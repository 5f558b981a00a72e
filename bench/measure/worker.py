"""The child process: loads artifacts and times them as it is told; it decides nothing.

The supervisor (`child.py`) starts it as `python -I worker.py`, because a crash, a hang or a leak of a
runtime must cost one process and not the search. One JSON request a line comes in on stdin, one JSON reply
a line goes out:

    {"ask": "start", "runtime": ..., ...}            -> {"details": {...}, "limits": {...}}
    {"ask": "load", "artifact": {...}}               -> {"details": {...}, "load_ms": ..., "first_ms": ...}
    {"ask": "time", "label": ..., "iterations": 4}   -> {"samples": [ns, ns, ns, ns]}

or `{"error": "why"}`, after which it goes on. It ends with the end of its input. This file imports the
standard library only, so that a child is ready to load after the import of its runtime, and so that it can
be sent to a device alone with the files in `runtimes/`.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import importlib.util
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

# Closed on purpose: a job names a runtime, never a file or a module.
RUNTIMES = {"onnxruntime": "onnxruntime_cpu.py", "torch": "torch_eager.py"}

_MIB = 1 << 20
_FILE_MIB = 16
_OPEN_FILES = 1024
_ERROR_LENGTH = 500
# The supervisor kills a late child; this is for a child whose supervisor is gone.
_ALARM_MARGIN_S = 5.0

Request = dict[str, Any]


class Worker:
    """The loaded models of one process."""

    def __init__(self) -> None:
        self._models: dict[str, Any] = {}
        self._settings: Request = {}
        self._runtime: ModuleType | None = None

    def answer(self, request: Request) -> Request:
        """The reply to one request; whatever a runtime raises belongs to the artifact and is told."""
        asks = {"start": self.start, "load": self.load, "time": self.time}
        try:
            return asks[request["ask"]](request)
        except MemoryError:
            limit = self._settings["memory_mib"]
            return {"error": f"it needs more than the {limit} MiB of memory that a child process may have"}
        except Exception as error:
            text = " ".join(str(error).split())
            return {"error": f"{type(error).__name__}: {text[:_ERROR_LENGTH]}"}

    def start(self, request: Request) -> Request:
        """Takes the limits on, then imports the runtime."""
        self._settings = request
        limits = _limit(None if request["runner"] == "cuda" else request["memory_mib"])
        # -I hides folders that the parent may have found its packages in (a user site, PYTHONPATH).
        sys.path.extend(path for path in request["paths"] if path not in sys.path)
        self._runtime = _import(RUNTIMES[request["runtime"]])
        return {"details": self._runtime.start(request), "limits": limits}

    def load(self, request: Request) -> Request:
        """Reads, checks and loads one artifact, and runs it once."""
        artifact = request["artifact"]
        begin = time.perf_counter_ns()
        content = Path(artifact["path"]).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if digest != artifact["sha256"]:
            raise ValueError(f"the file's sha256 is {digest}, the job says {artifact['sha256']}; export it again")
        assert self._runtime is not None  # `start` is always first
        model = self._runtime.load({**self._settings, "artifact": artifact, "content": content})
        loaded = time.perf_counter_ns()
        first = model.time(1)
        if not model.is_finite():
            raise ValueError("its output is not finite; check its weights")
        self._models[artifact["label"]] = model
        # What loading left behind must not be collected while something is timed.
        gc.collect()
        gc.freeze()
        return {"details": model.details, "load_ms": (loaded - begin) / 1e6, "first_ms": first[0] / 1e6}

    def time(self, request: Request) -> Request:
        """Runs one model back to back."""
        gc.disable()
        samples = self._models[request["label"]].time(request["iterations"])
        gc.enable()
        return {"samples": samples}


def main() -> None:
    """Answers requests until the input ends."""
    # A runtime that prints would break the replies: they keep the pipe, and stdout goes where stderr goes.
    replies = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's business
    worker = Worker()
    for line in sys.stdin:
        request = json.loads(line)
        signal.setitimer(signal.ITIMER_REAL, request["limit_s"] + _ALARM_MARGIN_S)
        replies.write(json.dumps(worker.answer(request)) + "\n")
        replies.flush()
        signal.setitimer(signal.ITIMER_REAL, 0)


def _import(name: str) -> ModuleType:
    path = Path(__file__).resolve().parent / "runtimes" / name
    spec = importlib.util.spec_from_file_location("bench_runtime", path)
    assert spec is not None  # the file is ours
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _limit(memory_mib: int | None) -> dict[str, int]:
    """Sets resource limits, returns those that took; None for CUDA, which reserves terabytes of addresses."""
    wanted = {"RLIMIT_CORE": 0, "RLIMIT_FSIZE": _FILE_MIB * _MIB, "RLIMIT_NOFILE": _OPEN_FILES}
    if memory_mib is not None:
        wanted["RLIMIT_AS"] = memory_mib * _MIB
    taken = {}
    for name, value in wanted.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # macOS refuses a limit on address space; the reply says what holds.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (value, value))
            taken[name] = value
    return taken


if __name__ == "__main__":
    main()
