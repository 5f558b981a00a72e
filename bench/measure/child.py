"""The supervisor's side of a child process: a request goes in, a reply or a reason in words comes out."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from bench.errors import MeasureError
from bench.measure.isolation import end_below

_BESIDE = Path(__file__).with_name("worker.py")
# In the one file of an agent (runners/agent.py) that file is all there is, and takes the worker's place.
WORKER = (
    (sys.executable, "-I", str(_BESIDE))
    if _BESIDE.is_file()
    else (sys.executable, "-I", str(_BESIDE.parents[2]), "--worker")
)
# For files that came over a network.
ISOLATED_WORKER = (*WORKER, "--isolated")

# A reply holds some thousand samples at most; what is longer is not a reply.
_REPLY_LIMIT = 4 << 20
_TAIL = 2000
# Seconds for a process that closed its pipe to be gone.
_END_S = 5.0
# CUDA finds its libraries and its devices by these; everything else that a child needs is set below.
_PASSED_ON = ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_HOME", "PATH")


class RefusedError(MeasureError):
    """The child answered with an error; it can be asked again."""


class LostError(MeasureError):
    """The child is dead, late or talks nonsense; it has been ended."""


class Child:
    """One child process, from its start to the end of its process group.

    It must be left by the thread that entered it: on Linux it ends with that thread, however that ends.
    """

    def __init__(self, command: Sequence[str] = WORKER, *, threads: int = 1) -> None:
        self._command = tuple(command)
        self._threads = threads
        self._buffer = b""

    def __enter__(self) -> Child:
        with contextlib.ExitStack() as stack:
            try:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-measure-"))
                self._errors = stack.enter_context(tempfile.TemporaryFile())
                self._process = self._start(folder)
            except OSError as error:
                raise LostError(f"a child process cannot be started ({error})") from error
            self._stack = stack.pop_all()
        _LIVING.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _LIVING.discard(self)
        self._kill()
        self._stdin.close()
        self._stdout.close()
        self._stack.close()

    @property
    def pid(self) -> int:
        """Its process id, which is its process group's too."""
        return self._process.pid

    def ask(self, ask: str, request: Mapping[str, Any], *, limit_s: float) -> dict[str, Any]:
        """The reply to one request.

        Raises:
            RefusedError: the reply is an error.
            LostError: no reply within `limit_s`, a dead child, or something that is not a reply.
        """
        line = json.dumps({"ask": ask, "limit_s": limit_s, **request}) + "\n"
        with contextlib.suppress(BrokenPipeError):  # dead: the reading says of what
            self._stdin.write(line.encode("ascii"))
        reply = _parse(self._read_line(limit_s))
        if reply is None:
            self._kill()
            raise LostError("its answer is no JSON object (or has NaN in it)")
        if "error" in reply:
            raise RefusedError(str(reply["error"]))
        return reply

    def end(self) -> None:
        """Ends it from another thread than that which waits for its answer, and then gets a LostError."""
        if self._process.returncode is None:
            self._kill_group()

    def _start(self, folder: str) -> subprocess.Popen[bytes]:
        # No preexec_fn: it forks this process with all of torch in it, where vfork is at hand. The worker
        # limits itself.
        return subprocess.Popen(
            self._command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=folder,
            env=_environment(folder, self._threads),
            start_new_session=True,
        )

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None  # made with PIPE
        return self._process.stdin

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None  # made with PIPE
        return self._process.stdout

    def _read_line(self, limit_s: float) -> bytes:
        descriptor = self._stdout.fileno()
        end = time.monotonic() + limit_s
        poll = select.poll()  # select() stops at descriptor 1023, which a process full of workers may pass
        poll.register(descriptor, select.POLLIN)
        while b"\n" not in self._buffer:
            left = end - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                self._kill()
                raise LostError(f"no answer within its deadline ({limit_s:.3g} s were left)")
            chunk = os.read(descriptor, 1 << 16)
            if not chunk:
                raise LostError(self._death())
            self._buffer += chunk
            if len(self._buffer) > _REPLY_LIMIT:
                self._kill()
                raise LostError(f"it flooded its output (over {_REPLY_LIMIT >> 20} MiB in one answer)")
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _death(self) -> str:
        """Why a child that closed its output ended."""
        try:
            code = self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._kill()
            return "it closed its output and went on running"
        self._kill_group()  # now: once its number is free for others, it must not be used
        if code < 0:
            with contextlib.suppress(ValueError):
                number = signal.Signals(-code)
                return f"its process was ended by {number.name} ({signal.strsignal(number)})"
            return f"its process was ended by signal {-code}"
        last = self._last_words()
        return f"its process ended with status {code}" + (f": {last}" if last else "")

    def _last_words(self) -> str:
        """The last line on its stderr."""
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - _TAIL))
        lines = self._errors.read().decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def _kill(self) -> None:
        if self._process.returncode is None:
            self._kill_group()
            self._process.wait()

    def _kill_group(self) -> None:
        # A runtime may have started processes of its own, and those may have left the group.
        end_below(self._process.pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)


# Those of this process, entered and not yet left.
_LIVING: set[Child] = set()


def end_children() -> None:
    """Ends every child of this process, for a thread that none of them belongs to."""
    for child in tuple(_LIVING):
        child.end()


def _environment(folder: str, threads: int) -> dict[str, str]:
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    count = str(threads)
    pools = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), count)
    return environment | pools | {"HOME": folder, "TMPDIR": folder, "LC_ALL": "C.UTF-8"}


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        reply = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return reply if isinstance(reply, dict) else None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
