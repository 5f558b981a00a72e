"""The hub that a command of this machine talks to: that of BENCH_HUB, the one that runs, or one inside the command.

There is one way to a runner, and it is HTTP: where no hub runs for the database, the same server answers in a thread of
this process while it is needed. If the hub that is used ends meanwhile, this process takes its place.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import FleetError
from bench.fleet.address import WILDCARDS, HubAddress, parse_address
from bench.fleet.client import HubClient
from bench.fleet.folder import BusyError, HubFolder, RunningHub, database_name, fleet_folder
from bench.fleet.remote_runner import unknown_runner
from bench.fleet.settings import kept_settings
from bench.store.fleet import open_fleet
from bench.store.location import Location, locate

if TYPE_CHECKING:
    from bench.fleet.server import HubServer

VARIABLE, TOKEN_VARIABLE = "BENCH_HUB", "BENCH_HUB_TOKEN"

# For another process that has begun to start its hub, or to end it.
_STARTS_S, _LOOK_S = 10.0, 0.05


@contextmanager
def hub_client(db: str | Path | Location | None = None, *, runners: Collection[str] = ()) -> Iterator[HubClient]:
    """A client of the hub while it is needed.

    Args:
        db: path or URL of the database whose hub it is; None: the usual one.
        runners: that will be asked for: an unknown one is refused before a hub is started.

    Raises:
        FleetError: a runner is not registered, or no hub can be reached or started.
        StoreError: the database cannot be used.
        MissingExtra: a hub has to be started, and the extra `hub` is not installed.
    """
    if given := os.environ.get(VARIABLE):
        with closing(HubClient(parse_address(given), _given_token())) as client:
            client.check()
            yield client
        return
    place = _plain(db)
    _refuse_unknown(place, runners)
    near = _NearHub(place)
    try:
        address = near.find()
        client = HubClient(address, near.token(), revive=near.revive, is_embedded=near.is_embedded)
        with closing(client):
            yield client
    finally:
        near.close()


def registered_names(db: str | Path | Location | None = None) -> tuple[str, ...]:
    """Names of the runners that a database knows; nothing is made where there is no database."""
    place = _plain(db)
    location = locate(place, read_only=False)
    if location.path is not None and not location.path.exists():
        return ()
    with open_fleet(place) as fleet:
        return tuple(runner.name for runner in fleet.runners() if runner.status != "removed")


class _NearHub:
    """The hub of a database, on this machine."""

    def __init__(self, db: str | Path | None) -> None:
        self._db = db
        self._path = fleet_folder(db)
        self._folder = HubFolder(self._path)
        self._lock = threading.Lock()
        self._server: HubServer | None = None
        self._is_over = False

    @property
    def is_embedded(self) -> bool:
        """Whether it is in this process."""
        return self._server is not None

    def find(self) -> HubAddress:
        """Where it answers; it is started where none runs."""
        running = self._folder.running()
        # What is told of another database may be of a hub that was killed; one that runs has the lock.
        is_ours = running is not None and running.database == database_name(self._db)
        return self._near(running) if running is not None and is_ours else self._start()

    def revive(self) -> HubAddress | None:
        """Where it answers after it did not; None: nothing can be done about that."""
        with self._lock:
            if self._is_over or (self._server is not None and self._server.is_alive):
                return None
            self._stop()
            return self._start()

    def token(self) -> str:
        """Of this machine's commands."""
        found = self._folder.client_token()
        if found is None:
            raise FleetError(
                f"no token in {str(self._path)!r}; a hub keeps one there for this machine's commands; start it again"
            )
        return found

    def close(self) -> None:
        """Ends the hub, if it is in this process."""
        with self._lock:
            self._is_over = True
            self._stop()

    def _stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    def _start(self) -> HubAddress:
        from bench.fleet.server import HubServer

        end = time.monotonic() + _STARTS_S
        while True:
            server = HubServer(self._path, self._db, **kept_settings(self._path).arguments())
            try:
                server.start()
                self._server = server
                return self._near(server.running)
            except BusyError:
                # Another process was faster, or its hub is about to end.
                if (running := self._folder.running()) is not None:
                    return self._near(running)
                if time.monotonic() > end:
                    raise
                time.sleep(_LOOK_S)
            except FleetError as error:
                if error.__cause__ is None:
                    raise
                # Its address is taken, or its files cannot be used.
                raise FleetError(f"{error}; `bench hub serve` says once where this database's hub listens") from error

    def _near(self, hub: RunningHub) -> HubAddress:
        """Where the hub is reached from this machine."""
        hub.check_is_of(self._db)
        is_plain = hub.url.startswith("http://")
        return HubAddress(url=f"http://127.0.0.1:{hub.port}") if is_plain and hub.host in WILDCARDS else hub.address


def _plain(db: str | Path | Location | None) -> str | Path | None:
    if not isinstance(db, Location):
        return db
    return db.path or db.url.render_as_string(hide_password=False)


def _given_token() -> str:
    token = os.environ.get(TOKEN_VARIABLE)
    if not token:
        raise FleetError(
            f"{VARIABLE} is set and {TOKEN_VARIABLE} is not; a hub wants a token; make one there with "
            "`bench hub token create NAME` and set it"
        )
    return token


def _refuse_unknown(db: str | Path | None, runners: Collection[str]) -> None:
    if not runners:
        return
    known = registered_names(db)
    for name in runners:
        if name not in known:
            raise FleetError(unknown_runner(name, known))
