"""Transactions on one database: each waits until it may begin, ends whole, and says in words what was refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from bench.errors import StoreError
from bench.store.engine import WRITES
from bench.store.faults import explained, is_busy
from bench.store.location import Location

_RETRY_S = 0.01


class Sessions:
    """One open database, and the transactions on it; what reads and writes them builds on this."""

    def __init__(self, engine: Engine, location: Location, *, read_only: bool, timeout_s: float) -> None:
        self.location = location
        self.read_only = read_only
        self._engine = engine
        self._writer = engine.execution_options(**{WRITES: True})
        self._timeout_s = timeout_s

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back; SQLite then folds its log into the one database file."""
        self._engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with self._session(self._engine) as session:
            yield session

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        if self.read_only:
            raise StoreError(
                f"database {self.location} was opened for reading; allowed: reading;"
                f" open it again without read_only to write"
            )
        with self._session(self._writer) as session:
            yield session
            session.commit()

    @contextmanager
    def _session(self, engine: Engine) -> Iterator[Session]:
        """A session in a transaction, its errors explained; rolled back unless committed."""
        with (
            explained(self.location, timeout_s=self._timeout_s),
            Session(engine, expire_on_commit=False) as session,
        ):
            self._begin(session)
            yield session

    def _begin(self, session: Session) -> None:
        """Begin, waiting for others as long as allowed; after that SQLite never has to wait."""
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                # A plain BEGIN of SQLite takes its snapshot with the first statement.
                session.execute(text("SELECT 1 FROM alembic_version"))
                return
            except OperationalError as error:
                session.rollback()
                # SQLite waits by itself, except where that could not end (sqlite.org/rescode.html#busy).
                if not is_busy(error) or time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_S)
