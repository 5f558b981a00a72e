"""The `bench` command as users run it: a process of its own, in a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.measure.exclusive import VARIABLE

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S = 200.0

# Seconds instead of minutes: a few pictures, short trainings, the least of timing.
QUICK = """
space: smoke
data: {classes: 2, per_class: 24, val_per_class: 6}
proxy: {images: 96, rungs: 2, batch_size: 16}
timing: {restarts: 1, blocks: 2, iterations: 2}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


def surroundings() -> dict[str, str]:
    """The caller's environment with none of its own settings but where the lock on the CPUs lies."""
    own = ("BENCH_", "RAY_", "PYTHON")
    return {name: value for name, value in os.environ.items() if name == VARIABLE or not name.startswith(own)}


def environment(folder: Path) -> dict[str, str]:
    """Of a command: this checkout, one thread, nothing of the caller's own settings but where the lock lies."""
    return surroundings() | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "BENCH_CACHE": str(folder / "cache")}


def arguments(*words: object) -> list[str]:
    return [sys.executable, "-m", "bench", *map(str, words)]


def bench(*words: object, cwd: Path, limit_s: float = LIMIT_S) -> Ended:
    """Runs a command to its end."""
    with started(*words, cwd=cwd) as process:
        out, err = process.communicate(timeout=limit_s)
    return Ended(code=process.returncode, out=out, err=err)


@contextmanager
def started(*words: object, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """A command under way, in a process group of its own; nothing of it is left afterwards."""
    process = subprocess.Popen(
        arguments(*words),
        cwd=cwd,
        env=environment(cwd),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        with process:
            try:
                yield process
            finally:
                for member in family(process.pid):
                    with suppress(psutil.NoSuchProcess):
                        member.kill()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def wait_for(process: subprocess.Popen[str], kind: str, **fields: Any) -> dict[str, Any]:
    """Reads the JSON lines of a search up to an event of that kind with those fields."""
    assert process.stdout is not None
    for line in process.stdout:
        event: Mapping[str, Any] = json.loads(line)
        if event.get("event") == kind and all(event.get(name) == value for name, value in fields.items()):
            return dict(event)
    raise AssertionError(f"the search ended without {kind} {fields}: {process.stderr and process.stderr.read()}")


def family(pid: int) -> list[psutil.Process]:
    """A process and all below it."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def worker_of(process: subprocess.Popen[str]) -> psutil.Process:
    """The Ray worker that does the jobs of a search with one at a time."""
    found = []
    for member in family(process.pid):
        with suppress(psutil.NoSuchProcess):
            if "ray::" in (name := " ".join(member.cmdline())) and ("Evaluation" in name or "Trainable" in name):
                found.append(member)
    assert len(found) == 1, found
    return found[0]


def is_agent(member: psutil.Process) -> bool:
    """Ray's agents do nothing of a study; after the sudden death of a driver they idle for a minute (Ray 2.60:
    `publish_error_to_driver` waits 60 s for a server that is gone)."""
    with suppress(psutil.NoSuchProcess):
        return any(word.startswith("ray::") and word.endswith("Agent") for word in member.cmdline()[:1])
    return False


def are_gone(members: list[psutil.Process], *, limit_s: float = 30.0) -> bool:
    """Whether processes end in time; zombies have ended."""
    _, alive = psutil.wait_procs(members, timeout=limit_s)
    return all(member.status() == psutil.STATUS_ZOMBIE for member in alive if member.is_running())


def fill(disk: Path) -> Path:
    """Takes all the space that a disk has; gives the file that holds it."""
    path = disk / "filler"
    with path.open("wb", buffering=0) as filler, suppress(OSError):
        while filler.write(b"0" * 4096):
            pass
    return path


def write_quick(folder: Path, text: str = QUICK) -> Path:
    path = folder / "quick.yaml"
    path.write_text(text)
    return path
