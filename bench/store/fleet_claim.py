"""The claim of one hub on a database that several machines can reach.

The lock of a hub's folder is of one machine and one folder; a PostgreSQL server is reached from many. There a hub holds
an advisory lock in a session of its own, which the server lets go of when that session ends, however it ends: a hub
that was killed leaves nothing behind. SQLite is of one machine, where the folder's lock is enough.
"""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from bench.store.faults import explained
from bench.store.fleet_errors import ClaimedError
from bench.store.location import Location

# First half of the lock's name, of hubs alone; the second is the schema, of which a database may have several.
_KIND = 0x62656E63
_NAME = f"{_KIND}, hashtext(current_schema())"
_TRY = text(f"SELECT pg_try_advisory_lock({_NAME})")
_WAIT = text(f"SELECT pg_advisory_lock({_NAME})")
_UNLOCK = text(f"SELECT pg_advisory_unlock({_NAME})")
_END_SESSION = text(
    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE pid = :pid AND locktype = 'advisory' AND granted"
    f" AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND classid = {_KIND}"
    " AND objid = CAST(hashtext(current_schema()) AS oid)"
)
# A machine that lost its power does not say goodbye: the server lets its claim go after about a minute.
_KEEPALIVES = {"tcp_keepalives_idle": 30, "tcp_keepalives_interval": 10, "tcp_keepalives_count": 3}


class Claim:
    """That one hub alone uses a database, from `with` to its end; one thread at a time calls it."""

    def __init__(self, engine: Engine, location: Location, *, timeout_s: float) -> None:
        self._engine, self._location, self._timeout_s = engine, location, timeout_s
        self._is_needed = location.url.get_backend_name() == "postgresql"
        self._session: Connection | None = None
        # Of the session that had the claim last.
        self._pid: int | None = None

    def __enter__(self) -> Self:
        self.check()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def check(self) -> None:
        """Makes sure of the claim; one whose session has ended is taken again, unless another hub was faster.

        Raises:
            ClaimedError: another hub has it.
            StoreError: the database does not answer.
        """
        if not self._is_needed:
            return
        with explained(self._location, timeout_s=self._timeout_s):
            if self._session is not None and not _is_live(self._session):
                self._end()
            if self._session is None:
                self._take()

    def _take(self) -> None:
        # Detached from the pool: its settings are of this session alone, and closing it really ends it.
        session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        session.detach()
        try:
            for name, value in _KEEPALIVES.items():
                session.execute(text(f"SET {name} = {value}"))
            if not session.scalar(_TRY):
                if self._pid is None or not session.scalar(_END_SESSION, {"pid": self._pid}):
                    raise self._claimed()
                # It was held by our own session, whose connection broke on this side alone.
                session.execute(_WAIT)
            self._pid = session.scalar(text("SELECT pg_backend_pid()"))
        except BaseException:
            session.close()
            raise
        self._session = session

    def _end(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(SQLAlchemyError):
                # A hub that is started right after this one must not come before the end of the session.
                session.execute(_UNLOCK)
            with contextlib.suppress(SQLAlchemyError):
                session.close()

    def _claimed(self) -> ClaimedError:
        return ClaimedError(
            f"a hub runs for database {self._location} already, from another folder or machine; one at a time does;"
            f" use it (BENCH_HUB and BENCH_HUB_TOKEN, as `bench hub token create NAME` prints them there), or stop it"
        )


def _is_live(session: Connection) -> bool:
    try:
        session.execute(text("SELECT 1"))
    except DBAPIError:
        return False
    return True
