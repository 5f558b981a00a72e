"""Which hub a command talks to: one that is given, the one that runs, or one inside the command."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import closing
from pathlib import Path

import pytest

from bench.errors import FleetError
from bench.fleet.client import HubClient, UnreachableError
from bench.fleet.embedding import hub_client, registered_names
from bench.fleet.folder import HubFolder
from bench.fleet.server import HubServer
from bench.fleet.settings import HubSettings, keep_settings
from bench.store import open_store

from .hubs import Served, served


@pytest.fixture(autouse=True)
def no_given_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BENCH_HUB", "BENCH_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def placed(db: Path, free_port: int) -> Path:
    """A database whose hub listens where nobody else does."""
    folder = HubFolder(db.parent / "fleet")
    folder.make()
    keep_settings(folder.path, HubSettings(port=free_port))
    return db


@pytest.fixture
def enrolled(placed: Path) -> Path:
    """The same with a runner named pi5."""
    with served(placed.parent, placed) as hub:
        hub.enrol("pi5")
    return placed


def test_a_hub_is_started_where_none_runs_and_ends_with_the_command(placed: Path, free_port: int) -> None:
    with hub_client(placed) as client:
        assert client.is_embedded
        assert client.address.url == f"http://127.0.0.1:{free_port}"
        assert client.runners() == ()
        running = HubFolder(placed.parent / "fleet").running()
        assert running is not None
        assert running.pid == os.getpid()
    assert HubFolder(placed.parent / "fleet").running() is None
    with pytest.raises(UnreachableError):
        client.check()


def test_the_one_that_runs_is_used(placed: Path) -> None:
    with served(placed.parent, placed) as hub, hub_client(placed) as client:
        assert not client.is_embedded
        assert client.address == hub.server.address
        client.check()


def test_a_second_command_uses_the_first_ones_hub_and_takes_its_place(enrolled: Path) -> None:
    with hub_client(enrolled) as first:
        stack = hub_client(enrolled)
        second = stack.__enter__()
        assert (first.is_embedded, second.is_embedded) == (True, False)
        assert second.address == first.address
    try:
        # The first has ended, and its hub with it.
        assert [state.name for state in second.runners()] == ["pi5"]
    finally:
        stack.__exit__(None, None, None)
    assert HubFolder(enrolled.parent / "fleet").running() is None


def test_the_hub_of_another_database_in_the_folder_is_not_used(placed: Path) -> None:
    other = placed.with_name("other.db")
    refusal = rf"is of database {placed}, not {other}; databases in one folder have one hub at a time; stop it"
    with served(placed.parent, placed) as hub:
        with pytest.raises(FleetError, match=refusal):
            hub_client(other).__enter__()
        with pytest.raises(FleetError, match=refusal):
            HubServer(hub.folder, other, port=0).start()
    with hub_client(other) as client:
        client.check()


def test_commands_that_start_at_once_share_one_hub(placed: Path) -> None:
    addresses: list[str] = []
    begin, end = threading.Barrier(4), threading.Barrier(4)

    def command() -> None:
        begin.wait(timeout=30)
        with hub_client(placed) as client:
            client.check()
            addresses.append(client.address.url)
            end.wait(timeout=30)

    threads = [threading.Thread(target=command) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(addresses) == 4
    assert len(set(addresses)) == 1


def test_a_command_that_comes_while_a_hub_ends_starts_its_own(placed: Path) -> None:
    embedded = []

    def command() -> None:
        with hub_client(placed) as client:
            client.check()
            embedded.append(client.is_embedded)

    thread = threading.Thread(target=command)
    with HubFolder(placed.parent / "fleet").locked():  # a hub that has said that it goes
        thread.start()
        thread.join(timeout=0.3)
        assert thread.is_alive()
    thread.join()
    assert embedded == [True]


def test_a_hub_that_was_killed_is_no_hub(enrolled: Path) -> None:
    """What it left behind names a process that may be another's by now: this test's own."""
    folder = HubFolder(enrolled.parent / "fleet")
    with HubServer(folder.path, enrolled, port=0) as server:
        left = (folder.path / "hub.json").read_bytes()
        assert server.address
    (folder.path / "hub.json").write_bytes(left)
    (folder.path / "hub.json").chmod(0o600)
    with hub_client(enrolled, runners=("pi5",)) as client:
        assert [state.name for state in client.runners()] == ["pi5"]


def test_unknown_runners_are_refused_before_anything_is_started(enrolled: Path, tmp_path: Path) -> None:
    assert registered_names(enrolled) == ("pi5",)
    with pytest.raises(FleetError, match=r"unknown runner 'pi6'.*registered: pi5; did you mean 'pi5'\?"):
        hub_client(enrolled, runners=("pi5", "pi6")).__enter__()
    nowhere = tmp_path / "nowhere" / "bench.db"
    nowhere.parent.mkdir()
    with pytest.raises(FleetError, match=r"registered: none; register it with `bench runners register pi5`"):
        hub_client(nowhere, runners=("pi5",)).__enter__()
    assert list(nowhere.parent.iterdir()) == []


def test_the_hub_of_an_open_store_is_found(placed: Path) -> None:
    with open_store(placed) as store, hub_client(store.location) as client:
        client.check()


def test_an_address_that_is_taken_says_what_to_do(placed: Path, free_port: int) -> None:
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", free_port))
        other.listen()
        with pytest.raises(FleetError, match=r"cannot listen on .*`bench hub serve` says once where") as caught:
            hub_client(placed).__enter__()
    assert "\n" not in str(caught.value)


def test_a_given_hub_is_used_with_its_token(hub: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_HUB", hub.url)
    with pytest.raises(FleetError, match="BENCH_HUB is set and BENCH_HUB_TOKEN is not"):
        hub_client().__enter__()
    monkeypatch.setenv("BENCH_HUB_TOKEN", "x" * 43)
    with pytest.raises(FleetError, match="set BENCH_HUB_TOKEN to one"):
        hub_client().__enter__()
    hub.enrol("pi5")
    token = hub.client("laptop").token
    assert token is not None
    monkeypatch.setenv("BENCH_HUB_TOKEN", token)
    with hub_client("nowhere/bench.db", runners=("pi5",)) as client:
        assert isinstance(client, HubClient)
        assert [state.name for state in client.runners()] == ["pi5"]
        assert not client.is_embedded
    monkeypatch.setenv("BENCH_HUB", "hub.example.org")
    with pytest.raises(FleetError, match="is no address of a hub"):
        hub_client().__enter__()
