from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.store import Store, StudyRecord, TrialRecord, open_store

from .examples import add_study, add_trial, ticking_clock


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "bench.db", clock=ticking_clock()) as opened:
        yield opened


@pytest.fixture
def study(store: Store) -> StudyRecord:
    return add_study(store)


@pytest.fixture
def trial(store: Store, study: StudyRecord) -> TrialRecord:
    return add_trial(store, study)
