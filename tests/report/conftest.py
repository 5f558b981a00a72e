from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted import fails_sometimes, run_study

from bench.report.views import StudyView, study_view
from bench.store import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "bench.db") as opened:
        yield opened


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a study with failed, stopped and complete trials, named `scripted`."""
    folder = tmp_path_factory.mktemp("finished")
    with open_store(folder / "bench.db") as store:
        run_study(store, folder, fails_sometimes, budget=14)
    return folder / "bench.db"


@pytest.fixture(scope="session")
def view(finished: Path) -> StudyView:
    with open_store(finished, read_only=True) as store:
        return study_view(store, "scripted")
