from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from bench.store import FleetStore, JobRecord, RunnerRecord, Store, StudyRecord, TrialRecord, open_fleet, open_store

from .examples import add_study, add_trial, ticking_clock
from .fleets import add_client, add_job, add_runner
from .postgresql import server


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


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    with server() as url:
        yield url


@pytest.fixture
def url(server_url: str) -> str:
    """The PostgreSQL server's database, empty."""
    engine = create_engine(server_url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return server_url


@pytest.fixture(params=["sqlite", "postgresql"])
def fleet_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind, one after the other."""
    if request.param == "sqlite":
        return str(tmp_path / "bench.db")
    found: str = request.getfixturevalue("url")
    return found


@pytest.fixture
def fleet(fleet_url: str) -> Iterator[FleetStore]:
    with open_fleet(fleet_url, clock=ticking_clock()) as opened:
        yield opened


@pytest.fixture
def client(fleet: FleetStore) -> int:
    return add_client(fleet)


@pytest.fixture
def runner(fleet: FleetStore) -> RunnerRecord:
    return add_runner(fleet)


@pytest.fixture
def job(fleet: FleetStore, client: int, runner: RunnerRecord) -> JobRecord:
    return add_job(fleet, client, runner)
