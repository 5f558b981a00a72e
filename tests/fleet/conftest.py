from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from bench.store.fleet import FleetStore, open_fleet

from .fleets import Fleet
from .hubs import Served, served


@pytest.fixture(scope="session")
def empty_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its schema, to be copied: making one takes longer than most tests."""
    path = tmp_path_factory.mktemp("empty") / "bench.db"
    open_fleet(path).close()
    return path


@pytest.fixture
def db(tmp_path: Path, empty_db: Path) -> Path:
    return Path(shutil.copy(empty_db, tmp_path / "bench.db"))


@pytest.fixture
def store(db: Path) -> Iterator[FleetStore]:
    with open_fleet(db) as opened:
        yield opened


@pytest.fixture
def statements(store: FleetStore) -> Iterator[list[str]]:
    """What the store asks its database from now on."""
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(store._engine, "before_cursor_execute", note)
    yield asked
    event.remove(store._engine, "before_cursor_execute", note)


@pytest.fixture
def hub(tmp_path: Path, empty_db: Path) -> Iterator[Served]:
    """A hub of this test's own."""
    with served(tmp_path, empty_db) as running:
        yield running


@pytest.fixture(scope="module")
def shared_hub(tmp_path_factory: pytest.TempPathFactory, empty_db: Path) -> Iterator[Served]:
    """A hub for tests that leave nothing behind that another one could stumble over."""
    with served(tmp_path_factory.mktemp("shared"), empty_db) as running:
        yield running


@pytest.fixture
def fleet(store: FleetStore) -> Fleet:
    return Fleet(store)


@pytest.fixture
def runner(fleet: Fleet) -> str:
    return fleet.enrol()


@pytest.fixture
def client(fleet: Fleet) -> int:
    return fleet.client()
