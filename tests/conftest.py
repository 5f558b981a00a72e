"""For all tests: hypothesis without chance or clocks, and one real search (two in flight, measured latency)."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from command import Ended, bench, write_quick
from hypothesis import settings

from bench.measure.exclusive import VARIABLE, exclusive

# The same examples in every run, and no time limits on a machine that may be busy.
settings.register_profile("bench", deadline=None, derandomize=True, database=None)
settings.load_profile("bench")

_LONGEST = ("test_killing.py", "test_api.py")

# Tests that run side by side would wait for each other's trainings and timings; no figure of theirs is believed.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ[VARIABLE] = tempfile.mkdtemp(prefix="bench-cpu-")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that no core is without work at the end."""
    items.sort(key=lambda item: item.path.name not in _LONGEST)


def pytest_unconfigure() -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        shutil.rmtree(os.environ[VARIABLE], ignore_errors=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class RealSearch:
    """A search that has ended, and its folder; the study is named `real`."""

    folder: Path
    ended: Ended

    @property
    def db(self) -> Path:
        return self.folder / "results" / "bench.db"


@pytest.fixture(scope="session")
def real_search(tmp_path_factory: pytest.TempPathFactory) -> RealSearch:
    """One for all processes of tests side by side: the first that asks runs it, and what it left is only read."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "real-search"
    kept = folder / "ended.json"
    with exclusive(folder):
        if not kept.exists():
            words = ["--config", write_quick(folder), "--budget", 6, "--concurrency", 2, "--name", "real", "--json"]
            words += ["--constraint", "zero_cost_at_size >= 0.0001"]
            kept.write_text(json.dumps(asdict(bench("search", *words, cwd=folder))))
    return RealSearch(folder=folder, ended=Ended(**json.loads(kept.read_text())))
