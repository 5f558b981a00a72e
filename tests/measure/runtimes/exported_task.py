"""A small network in a runtime's format, as a child process is asked to load it."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from command import ROOT
from networks.formats.made import RESOLUTION, exported

from bench.measure.catalogue import RUNTIMES
from bench.networks.formats import Exported
from bench.networks.formats.silence import silenced


def runtime_file(name: str, package: str) -> ModuleType:
    """The module of a runtime; the test is skipped where its package is missing."""
    runtime = RUNTIMES[name]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed; add with: {runtime.command}")
    with silenced():
        return importlib.import_module(f"bench.measure.runtimes.{Path(runtime.file).stem}")


def task_of(made: Exported, runtime: str, **settings: Any) -> dict[str, Any]:
    path = made.path
    base = {
        "runtime": runtime,
        "runner": RUNTIMES[runtime].runners[0],
        "threads": 1,
        "resolution": RESOLUTION,
        "precision": "fp32",
        "options": {},
        "seed": 7,
        "describes": True,
        "artifact": {"path": str(path)},
        "content": None if path.is_dir() else path.read_bytes(),
    }
    return base | settings


def check_model(model: Any, made: Exported, *, error: float = 1e-5) -> None:
    """It runs, tells each run's time, and computes what torch computes, again and again."""
    samples = model.time(4)
    assert len(samples) == 4
    assert min(samples) > 0
    assert model.is_finite()
    first = model.output()
    assert relative_error(first, made) <= error
    model.time(3)
    assert model.output() == first
    assert model.details["input"] == [1, 3, RESOLUTION, RESOLUTION]


def relative_error(output: list[float], made: Exported) -> float:
    found, expected = np.asarray(output), np.asarray(made.logits)
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def threads_of(runtime: str, threads: int) -> int:
    """The threads that a fresh process has more after loading and running than before, as Linux counts them."""
    script = f"""
import os, sys, importlib
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests")!r}]
from pathlib import Path
from bench.measure.catalogue import RUNTIMES
module = importlib.import_module("bench.measure.runtimes." + Path(RUNTIMES[{runtime!r}].file).stem)
count = lambda: len(os.listdir("/proc/self/task"))
before = count()
settings = {{"runtime": {runtime!r}, "runner": "cpu", "threads": {threads}, "precision": "fp32"}}
settings |= {{"options": {{}}, "resolution": {RESOLUTION}}}
module.start(settings)
path = sys.argv[1]
model = module.load(settings | {{"artifact": {{"path": path}}, "content": Path(path).read_bytes()}})
model.time(3)
print(count() - before)
"""
    # The names of these formats and of their runtimes are the same.
    command = [sys.executable, "-W", "ignore", "-c", script, str(exported(runtime).path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    return int(ended.stdout.split()[-1])
