"""What a worker gives up before it opens a file of unknown origin, and who ends what it leaves behind.

On Linux an isolated worker is three processes. The one that the supervisor started (the keeper) waits for the one that
works, and ends as that ends. Where the system lets an ordinary user have namespaces, the third is process 1 of the
worker's own: with it the kernel ends everything that the worker has started, in whatever session or group, at the end
of the worker, of the keeper, or of the supervisor. Elsewhere the keeper adopts what the worker leaves and ends it,
which is weaker: a worker that ends its keeper first gets away. On other systems the process group is all there is.

The standard library alone, as `worker.py`, beside which it is sent to a device.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

# linux/prctl.h, linux/sched.h, linux/capability.h, linux/mount.h
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 36, 38
_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = 0x0002_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000
_CAPABILITY_VERSION = 0x2008_0522
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 2, 4, 8

_ALONE = _CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWPID | _CLONE_NEWNS
_KINDS = (_ALONE, _CLONE_NEWUSER | _CLONE_NEWNET) if sys.platform == "linux" else ()
# From here on the kernel counts a user's processes in each user namespace for itself.
_COUNTED_APART = (5, 14)
# Of one worker: 64 artifacts with a pool of threads each, and room.
_MOST_TASKS = 4096
# The worker has five descriptors by then; none of them is the keeper's business.
_DESCRIPTORS = 256
_MOST_ROUNDS, _PAUSE_S = 20, 0.001
# States of a process in /proc.
_ENDED = (b"Z", b"X")


def end_with_supervisor(number: int = signal.SIGKILL) -> None:
    """Has Linux send this process a signal at the end of the thread that started it; a busy one would not see its
    input end."""
    _prctl(_PR_SET_PDEATHSIG, number)


def isolate(*, keeps_rights: bool) -> dict[str, bool]:
    """Gives up what can be given up and says what is left; returns in the process that goes on as the worker.

    For a process with one thread; its process id is another afterwards. With `keeps_rights` nothing is given up, and
    what it leaves behind is ended all the same.
    """
    if sys.platform != "linux":
        return {} if keeps_rights else {"may_gain_rights": True, "has_network": True, "reaches_processes": True}
    may_gain_rights = keeps_rights or not _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    kind = 0 if keeps_rights else _leave()
    first = _first_process() if kind == _ALONE else None
    if first is None:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    worker = os.fork()
    if worker:
        _keep(worker, first)
    end_with_supervisor()
    if first is not None:
        os.close(first[1])
    is_hidden = first is not None and _hide_processes()
    if kind:
        _drop_capabilities()
        _limit_tasks()
    if keeps_rights:
        return {}
    return {"may_gain_rights": may_gain_rights, "has_network": not kind, "reaches_processes": not is_hidden}


def end_below(pid: int) -> None:
    """Ends every process below `pid`, in whatever session or group; for the one above them, or itself."""
    for _ in range(_MOST_ROUNDS):  # what is started meanwhile is found by the next look
        is_alive = False
        for member, has_ended in _below(pid):
            is_alive |= not has_ended
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(member, signal.SIGKILL)
        if not is_alive:
            return
        time.sleep(_PAUSE_S)


def _leave() -> int:
    """The namespaces that this process has for itself from now on, as flags; in them its user keeps its name."""
    user, group = os.geteuid(), os.getegid()
    kind = next((kind for kind in _KINDS if ctypes.CDLL(None).unshare(kind) == 0), 0)
    if kind:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            with contextlib.suppress(OSError):
                (Path("/proc/self") / name).write_text(text, encoding="ascii")
    return kind


def _first_process() -> tuple[int, int]:
    """Process 1 of the namespace, and a descriptor: it ends as soon as nobody holds that open any more."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(reader)
        return pid, writer
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # it inherits orphans, which are gone then when they end
        _drop_capabilities()
        os.closerange(0, reader)
        os.closerange(reader + 1, _DESCRIPTORS)
        os.read(reader, 1)
    finally:
        os._exit(0)


def _keep(worker: int, first: tuple[int, int] | None) -> NoReturn:
    """Waits for the worker, ends what it has left, and ends as it did."""
    code = 1
    try:
        if first is None:
            signal.signal(signal.SIGTERM, lambda *_: _end_all())
            end_with_supervisor(signal.SIGTERM)
            os.closerange(0, _DESCRIPTORS)
        else:
            _drop_capabilities()
            end_with_supervisor()
            os.closerange(0, first[1])
            os.closerange(first[1] + 1, _DESCRIPTORS)
        code = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
        if first is None:
            _end_all()
        else:
            os.kill(first[0], signal.SIGKILL)
            os.waitpid(first[0], 0)  # returns when everything in the namespace is gone
        if code < 0:
            if -code not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
    finally:
        os._exit(max(code, 1) if code else 0)


def _end_all() -> None:
    """Ends all children of this process, which adopts what they leave, until there are none."""
    with contextlib.suppress(ChildProcessError):
        while True:
            end_below(os.getpid())
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(_PAUSE_S)


def _below(pid: int) -> Iterator[tuple[int, bool]]:
    """Processes below `pid` and whether they have ended, nearest first; none where there is no /proc.

    One whose main thread alone has ended looks like one that has ended.
    """
    children: dict[int, list[tuple[int, bool]]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, parent = (path / "stat").read_bytes().rpartition(b")")[2].split()[:2]
            children.setdefault(int(parent), []).append((int(path.name), state in _ENDED))
    waiting = children.pop(pid, [])
    while waiting:
        found = waiting.pop(0)
        yield found
        waiting += children.pop(found[0], [])


def _hide_processes() -> bool:
    """Whether /proc shows the worker's own processes alone, whose files in there are open to their user."""
    flags = ctypes.c_ulong(_MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    return bool(ctypes.CDLL(None).mount(b"proc", b"/proc", b"proc", flags, None) == 0)


def _drop_capabilities() -> None:
    """In a namespace of its own a process may do everything, which is more of the kernel than it should see."""
    header, nothing = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    ctypes.CDLL(None).capset(header, nothing)


def _limit_tasks() -> None:
    """Bounds processes and threads together; the kernel excepts root, and before 5.14 counts the user's others too."""
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    if found is None or (int(found[1]), int(found[2])) < _COUNTED_APART:
        return
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    most = _MOST_TASKS if hard == resource.RLIM_INFINITY else min(_MOST_TASKS, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def _prctl(option: int, value: int) -> bool:
    """Whether Linux has done it."""
    if sys.platform != "linux":
        return False
    zeros = [ctypes.c_ulong(0)] * 3
    return bool(ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), *zeros) == 0)
