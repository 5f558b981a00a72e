"""Starts writer.py, leaser.py and other small programs as real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_HERE.parents[1]), *filter(None, sys.path)])}

# Holds the write lock of an SQLite file until its input closes.
_HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_ENVIRONMENT,
    )


def start_writer(url: str | Path, *, study: str, name: str, count: int) -> subprocess.Popen[str]:
    """A writer that has opened nothing yet and waits for `go`."""
    return _said(start(str(_HERE / "writer.py"), str(url), study, name, str(count)), "ready")


def start_leaser(url: str | Path, *, work: str, client: int) -> subprocess.Popen[str]:
    """A leaser that has opened nothing yet and waits for `go`."""
    return _said(start(str(_HERE / "leaser.py"), str(url), work, str(client)), "ready")


def start_lock_holder(path: Path) -> subprocess.Popen[str]:
    return _said(start("-c", _HOLDER, str(path)), "locked")


def go(processes: Sequence[subprocess.Popen[str]]) -> list[list[str]]:
    """Let all begin, wait for all, and give the lines that each printed."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=60) for process in processes]
    for process, (_, errors) in zip(processes, outputs, strict=True):
        assert process.returncode == 0, errors
    return [output.splitlines() for output, _ in outputs]


def _said(process: subprocess.Popen[str], word: str) -> subprocess.Popen[str]:
    assert process.stdout is not None
    assert process.stdout.readline() == f"{word}\n", process.communicate()
    return process
