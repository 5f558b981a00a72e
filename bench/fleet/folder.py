"""The hub's folder, `fleet/` beside the database: where it answers, its lock, its certificate, its token, its files.

One hub runs for a database. The lock is of the kernel, so that it ends with its process however that ends; what
hub.json says may outlive a hub that was killed, and then names a process that is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.agent.files import read_private, write_private
from bench.errors import FleetError, MeasureError
from bench.fleet.address import HubAddress
from bench.store.location import DEFAULT_PATH, locate

if sys.platform != "win32":
    import fcntl

_JSON_BYTES, _TOKEN_BYTES = 64 << 10, 1024
_LOCK_TRIES, _LOCK_PAUSE_S = 10, 0.02


class BusyError(FleetError):
    """Another hub has the folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningHub:
    """A hub that runs, as hub.json tells it.

    Attributes:
        host: that it listens on.
        port: that it listens on.
        url: where it is reached.
        fingerprint: of its certificate; None: plain HTTP, or a certificate that is verified as usual.
        pid: of its process.
        database: whose hub it is (`database_name`).
    """

    host: str
    port: int
    url: str
    fingerprint: str | None
    pid: int
    database: str

    @property
    def address(self) -> HubAddress:
        return HubAddress(url=self.url, fingerprint=self.fingerprint)

    def check_is_of(self, db: str | Path | None) -> None:
        """Whether it is the hub of that database: those of one folder share the place where a hub is looked for.

        Raises:
            FleetError: it is another one's.
        """
        wanted = database_name(db)
        if self.database != wanted:
            raise FleetError(
                f"the hub that runs here (process {self.pid}) is of database {self.database}, not {wanted}; databases "
                "in one folder have one hub at a time; stop it, or move a database to a folder of its own"
            )


def fleet_folder(db: str | Path | None = None) -> Path:
    """The hub's folder of a database: beside its file, or beside where the default's would be.

    Raises:
        StoreError: the database cannot be where it was said to be.
        MissingExtra: its driver is not installed.
    """
    location = locate(db, read_only=False)
    beside = DEFAULT_PATH if location.path is None else location.path
    # The same folder by whatever link the file was named, or its lock would not be one.
    return beside.resolve().parent / "fleet"


def database_name(db: str | Path | None = None) -> str:
    """A database by which it is told apart from others, without a password; it raises as `fleet_folder` does."""
    location = locate(db, read_only=False)
    return str(location) if location.path is None else str(location.path.resolve())


class HubFolder:
    """The files of one hub.

    Attributes:
        path: of the folder.
        certificate, key: of a certificate that the hub makes.
        blobs: folder of uploaded files.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.certificate = path / "certificate.pem"
        self.key = path / "key.pem"
        self.blobs = path / "blobs"
        self._told = path / "hub.json"
        self._token = path / "client.token"
        self._lock = path / "hub.lock"

    def make(self) -> None:
        """Makes the folder, for its owner alone.

        Raises:
            FleetError: it cannot be made.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)
        except OSError as error:
            raise FleetError(
                f"cannot use the folder {str(self.path)!r} ({error.strerror}); a hub keeps its files there; "
                "make it writable, or give another --db"
            ) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """For as long as a hub runs.

        Raises:
            BusyError: another one does.
            FleetError: the folder cannot be locked.
        """
        if sys.platform == "win32":
            raise FleetError("Windows has no flock, by which one hub alone runs; Linux or macOS is needed; use WSL")
        try:
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise FleetError(
                f"cannot open {str(self._lock)!r} ({error.strerror}); a hub locks it; make its folder writable"
            ) from error
        try:
            if not _take(descriptor):
                raise BusyError(self._busy())
            # Of a hub that was killed.
            self.untell()
            try:
                yield
            finally:
                self.untell()
                # By name: a process forked meanwhile has a copy of the descriptor, which closing leaves locked.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            os.close(descriptor)

    def tell(self, hub: RunningHub) -> None:
        """Says where the hub answers."""
        _keep(self._told, json.dumps(asdict(hub)).encode("ascii"))

    def untell(self) -> None:
        """Says nothing any more: the hub ends, or has ended."""
        self._told.unlink(missing_ok=True)

    def running(self) -> RunningHub | None:
        """The hub that runs; None: none does, or it has only begun to start."""
        with contextlib.suppress(MeasureError, ValueError, TypeError):
            content = read_private(self._told, limit=_JSON_BYTES)
            hub = None if content is None else RunningHub(**json.loads(content))
            # Its number may be another process's by now, and its port too, which would be told this machine's token.
            if hub is not None and _is_alive(hub.pid) and self._is_locked():
                return hub
        return None

    def _is_locked(self) -> bool:
        if sys.platform == "win32":
            return False
        try:
            descriptor = os.open(self._lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return False

    def client_token(self) -> str | None:
        """The token of this machine's commands; None: there is none yet.

        Raises:
            FleetError: its file is a link, or open to others.
        """
        try:
            content = read_private(self._token, limit=_TOKEN_BYTES)
        except MeasureError as error:
            raise FleetError(str(error)) from error
        return None if content is None else content.decode("ascii", "replace").strip()

    def keep_client_token(self, token: str) -> None:
        """Keeps the token of this machine's commands, for its owner alone."""
        _keep(self._token, token.encode("ascii") + b"\n")

    def _busy(self) -> str:
        found = self.running()
        where = "" if found is None else f" (process {found.pid}, {found.url})"
        return f"a hub runs for this database already{where}; one at a time does; use it, or stop it first"


def _keep(path: Path, content: bytes) -> None:
    try:
        write_private(path, content)
    except MeasureError as error:
        raise FleetError(
            f"cannot write {str(path)!r}; a hub keeps it there; make its folder writable, or give another --db"
        ) from error


def _take(descriptor: int) -> bool:
    """Locks it for this process alone; somebody who only asks whether a hub runs holds it for a moment."""
    if sys.platform != "win32":
        for _ in range(_LOCK_TRIES):
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            time.sleep(_LOCK_PAUSE_S)
    return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
