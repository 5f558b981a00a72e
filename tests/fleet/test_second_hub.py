"""Two hubs of one database on a server, each with a folder of its own, as two machines have them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from store.postgresql import server

from bench.fleet.client import HubClient, UnreachableError
from bench.fleet.embedding import hub_client
from bench.fleet.folder import HubFolder, fleet_folder
from bench.fleet.server import HubServer
from bench.fleet.settings import HubSettings, keep_settings
from bench.store.fleet import ClaimedError, FleetStore, open_fleet

from .hubs import Api, until

_END = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with server() as found:
        open_fleet(found).close()
        yield found


@pytest.fixture
def elsewhere(url: str) -> Iterator[FleetStore]:
    """The database as another machine has it open."""
    with open_fleet(url) as fleet:
        yield fleet


@pytest.fixture
def here(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the hub of whoever works here; it listens on a free port."""
    monkeypatch.chdir(tmp_path)
    for name in ("BENCH_HUB", "BENCH_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    folder = HubFolder(fleet_folder(url))
    folder.make()
    keep_settings(folder.path, HubSettings(port=0))
    return folder.path


@contextmanager
def claimed(url: str, fleet: FleetStore) -> Iterator[None]:
    """A hub of another machine takes over while the first one's session with the database has ended."""
    engine = create_engine(url)
    claim = fleet.claim()

    def is_taken() -> bool:
        with engine.begin() as connection:
            connection.execute(text(_END))
        try:
            claim.check()
        except ClaimedError:  # the first one was faster
            return False
        return True

    until(is_taken)
    engine.dispose()
    with claim:
        yield


def answers(url: str) -> bool:
    """Whatever it says: one that is asked very often says that."""
    try:
        Api(url=url).get("/v1/health")
    except OSError:
        return False
    return True


def test_a_second_hub_is_refused_and_leaves_the_first_alone(url: str, tmp_path: Path) -> None:
    with HubServer(tmp_path / "one" / "fleet", url, port=0) as hub:
        with pytest.raises(ClaimedError, match=r"already, from another folder or machine; one at a time does; use it"):
            HubServer(tmp_path / "two" / "fleet", url, port=0).start()
        assert answers(hub.address.url)
        assert not (tmp_path / "two" / "fleet" / "hub.json").exists()
    with HubServer(tmp_path / "two" / "fleet", url, port=0) as hub:
        assert answers(hub.address.url)


def test_a_hub_outlives_the_end_of_its_session(url: str, tmp_path: Path, elsewhere: FleetStore) -> None:
    ended = threading.Event()
    with HubServer(tmp_path / "fleet", url, port=0) as hub:
        engine = create_engine(url)

        def is_taken_again() -> bool:
            """Whether the lock is there once more, after it was gone."""
            with engine.begin() as connection:
                if not ended.is_set() and connection.execute(text(_END)).all():
                    ended.set()
                    return False
                return bool(connection.execute(text(_END.replace("pg_terminate_backend(pid)", "pid"))).all())

        until(is_taken_again)
        engine.dispose()
        assert hub.is_alive
        assert answers(hub.address.url)
        with pytest.raises(ClaimedError):
            elsewhere.claim().__enter__()


def test_a_hub_whose_database_another_one_has_taken_over_ends(url: str, tmp_path: Path, elsewhere: FleetStore) -> None:
    hub = HubServer(tmp_path / "fleet", url, port=0)
    over = threading.Event()

    def take_over() -> None:
        with claimed(url, elsewhere):
            over.wait(timeout=60)

    thread = threading.Thread(target=take_over)
    try:
        with pytest.raises(ClaimedError, match="already, from another folder or machine"):
            hub.serve_forever(lambda _: thread.start())
    finally:
        over.set()
        thread.join()
    assert not hub.is_alive
    assert not (tmp_path / "fleet" / "hub.json").exists()


def test_a_command_is_told_of_a_hub_elsewhere_at_once(url: str, here: Path, elsewhere: FleetStore) -> None:
    with elsewhere.claim(), pytest.raises(ClaimedError, match=r"use it \(BENCH_HUB and BENCH_HUB_TOKEN"):
        hub_client(url).__enter__()
    with hub_client(url) as client:
        client.check()
    assert HubFolder(here).running() is None


@pytest.mark.usefixtures("here")
def test_a_command_starts_its_hub_again_when_the_one_elsewhere_has_ended(url: str, elsewhere: FleetStore) -> None:
    with hub_client(url) as client:
        first = client.address.url
        with claimed(url, elsewhere):
            until(lambda: not answers(first))
        until(lambda: is_answered(client))


def is_answered(client: HubClient) -> bool:
    try:
        client.check()
    except UnreachableError:  # the hub before is about to end
        return False
    return True
