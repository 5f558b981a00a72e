"""Keeps the cores of a virtual machine from sleeping while something is timed that mostly waits.

A guest's core that has nothing to do is given back to the host, and on a busy host it may be a long time before a
packet or a timer has it back: the guest sees stolen time just when it has hardly anything to do. Loops of the idle
class keep the cores, and give way at once to everything else.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_SPIN = """
import os
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
print(flush=True)
while os.getppid() == {parent}:
    for _ in range(1_000_000):
        pass
"""


@contextmanager
def cores_kept_awake(is_wanted: bool = True) -> Iterator[None]:
    """One loop of the idle scheduling class for each core that this process may use; Linux alone has that class.

    Raises:
        SystemExit: on another system.
    """
    if is_wanted and not hasattr(os, "SCHED_IDLE"):
        raise SystemExit(f"error: {sys.platform} has no idle scheduling class; only Linux has; leave --keep-awake out")
    with ExitStack() as loops:
        for _ in range(len(os.sched_getaffinity(0)) if is_wanted else 0):
            command = [sys.executable, "-c", _SPIN.format(parent=os.getpid())]
            loop = loops.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            loops.callback(loop.kill)
            assert loop.stdout is not None
            loop.stdout.readline()  # it has the idle class by now
        yield
