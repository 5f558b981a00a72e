"""For all tests: hypothesis without chance or clocks, and one real search (two in flight, measured latency)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from command import Ended, bench, write_quick
from hypothesis import settings

# The same examples in every run, and no time limits on a machine that may be busy.
settings.register_profile("bench", deadline=None, derandomize=True, database=None)
settings.load_profile("bench")


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
    folder = tmp_path_factory.mktemp("real")
    words = ["search", "--config", write_quick(folder), "--budget", 6, "--concurrency", 2, "--name", "real", "--json"]
    return RealSearch(folder=folder, ended=bench(*words, cwd=folder))
