"""Real busy processes for the tests of what the machine does: they use a known time, and say so."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

NAME = "busybee"
SPIN = f"""
import sys, threading, time
try:
    open("/proc/self/comm", "w").write("{NAME}")
except OSError:
    pass
def spin(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
"""


class Busy:
    """A process that does one line of Python when told, and waits otherwise."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.pid = process.pid

    def do(self, line: str) -> None:
        """Returns when it is done."""
        self.begin(line)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "done\n"

    def begin(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def busy() -> Iterator[Busy]:
    """A process with `spin(SECONDS OF CPU)` at hand."""
    script = SPIN + "for line in sys.stdin:\n    exec(line)\n    print('done', flush=True)\n"
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        found = Busy(process)
        try:
            found.do("pass")
            yield found
        finally:
            found.end()
