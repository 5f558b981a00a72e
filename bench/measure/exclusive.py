"""Keeps timing and training apart: a lock between processes that trainers share and a timer holds alone.

Training beside a timed network doubles its milliseconds. A trainer holds `shared` for one step at a time;
whoever times holds `exclusive` for a whole session. Between two readers and a writer a plain lock starves
the writer: two trainers that alternate never leave a gap. So there is a turnstile: everyone passes it to
get in, a waiting timer stands in it, and no trainer starts another step until the timer is done. The kernel
releases the locks of a process that dies, however it dies.

The folder must be on a local disk: the lock is about the CPUs of one machine.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import MeasureError

if sys.platform != "win32":
    import fcntl

# A blocked flock cannot time out, so a wait with a limit asks again at this interval.
_POLL_S = 0.002

# Names another folder for the lock, which containers that share one machine's CPUs have to share.
VARIABLE = "BENCH_CPU_LOCK"


def cpu_lock_folder() -> Path:
    """Where the lock that keeps timing and training apart lies: one for all studies of this user on this machine.

    `BENCH_CPU_LOCK` names another.
    """
    if named := os.environ.get(VARIABLE):
        return Path(named)
    user = os.getuid() if hasattr(os, "getuid") else "user"
    # Not $TMPDIR, which can differ between two terminals of one user.
    usual = Path("/tmp")
    return (usual if usual.is_dir() else Path(tempfile.gettempdir())) / f"bench-cpu-{user}"


@contextmanager
def shared(folder: Path, *, timeout_s: float | None = None) -> Iterator[float]:
    """Holds the CPU together with other trainers; waits while someone times or waits to time.

    Args:
        folder: where the lock files lie, the same for all of one machine; made when missing.
        timeout_s: most seconds to wait; None waits for ever.

    Yields:
        The seconds that were spent waiting.

    Raises:
        MeasureError: the wait was longer than `timeout_s`, or the lock files cannot be opened.
    """
    yield from _hold(folder, is_shared=True, timeout_s=timeout_s)


@contextmanager
def exclusive(folder: Path, *, timeout_s: float | None = None) -> Iterator[float]:
    """Holds the CPU alone: waits for the steps under way, and keeps new ones from starting.

    Arguments, result and errors are those of `shared`.
    """
    yield from _hold(folder, is_shared=False, timeout_s=timeout_s)


def is_held(folder: Path) -> bool | None:
    """Whether another process or thread holds the CPU alone; None: there is no lock to look at.

    Looking is a shared lock for some microseconds: the kernel knows of holders in other containers too.
    """
    if sys.platform == "win32":
        return None
    try:
        descriptor = os.open(folder / "cpu.lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    except BlockingIOError:
        return True
    except OSError:
        return None  # a file system without locks
    finally:
        os.close(descriptor)
    return False


def _hold(folder: Path, *, is_shared: bool, timeout_s: float | None) -> Iterator[float]:
    if sys.platform == "win32":
        raise MeasureError(
            "Windows has no flock, which keeps training and timing apart; Linux or macOS is needed; use WSL"
        )
    start = time.monotonic()
    with _opened(folder / "cpu.lock") as cpu:
        with _opened(folder / "turnstile.lock") as turnstile:
            _lock(turnstile, fcntl.LOCK_EX, start, timeout_s)
            _lock(cpu, fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX, start, timeout_s)
        yield time.monotonic() - start


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """One open lock file; each opening is a lock of its own, so threads exclude each other too."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise MeasureError(
            f"cannot open the lock {str(path)!r} ({error.strerror}); a writable local folder is needed; choose another"
        ) from error
    try:
        yield descriptor
    finally:
        # Unlocked by name: a process forked meanwhile has a copy of the descriptor, which closing leaves
        # locked.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _lock(descriptor: int, kind: int, start: float, timeout_s: float | None) -> None:
    if timeout_s is None:
        fcntl.flock(descriptor, kind)
        return
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() - start >= timeout_s:
                raise MeasureError(
                    f"waited {timeout_s:g} s for the CPU; another process trains or times on it; wait longer or stop it"
                ) from None
            time.sleep(_POLL_S)
