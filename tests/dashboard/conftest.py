from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from made_studies import add_mixed, made_store

from bench.dashboard.serving import DashboardServer
from bench.dashboard.source import Source
from bench.store import Store


@pytest.fixture(scope="session")
def shared_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over the study `made`, for tests that only ask."""
    path = tmp_path_factory.mktemp("shared") / "bench.db"
    with made_store(path) as store:
        add_mixed(store)
    with Source(path) as source, DashboardServer(source) as server:
        yield server.url


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "bench.db"


@pytest.fixture
def store(db: Path) -> Iterator[Store]:
    with made_store(db) as opened:
        yield opened


@pytest.fixture
def source(store: Store, db: Path) -> Iterator[Source]:
    """Over a database with the study `made`, id 1."""
    add_mixed(store)
    with Source(db) as opened:
        yield opened
