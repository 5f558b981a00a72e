"""Connections: how SQLite is set up so that several processes can write and a killed one loses nothing.

Write-ahead log: readers never wait. `synchronous=FULL`, so that a committed trial survives a power cut.
`BEGIN IMMEDIATE` for writing, so that a transaction waits for its lock at the start, where waiting is safe,
and never fails half way because another process wrote in between.
"""

from __future__ import annotations

import os
import sqlite3
import time
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, NullPool, QueuePool, StaticPool, create_engine, event

from bench.store.columns import to_json
from bench.store.location import Location

# An execution option of this name marks the connections that write.
WRITES = "bench_writes"


def connect(location: Location, *, read_only: bool, timeout_s: float, is_pooled: bool = True) -> Engine:
    """An engine for `location`; nothing is opened yet.

    Args:
        is_pooled: whether connections are kept; else each transaction opens its own, and finds a file that was put in
            the place of another meanwhile.
    """
    if location.url.get_backend_name() != "sqlite":
        return _server_engine(location, read_only=read_only, timeout_s=timeout_s, is_pooled=is_pooled)
    # Absolute, so that a later change of folder does not move the database.
    path = None if location.path is None else location.path.absolute()

    def open_connection() -> sqlite3.Connection:
        target = "file::memory:" if path is None else _uri(path, read_only=read_only)
        return _open_sqlite(target, read_only=read_only, timeout_s=timeout_s)

    # A database in memory is its connection, so there is exactly one.
    pool = StaticPool if path is None else QueuePool if is_pooled else NullPool
    engine = create_engine("sqlite://", creator=open_connection, poolclass=pool, json_serializer=to_json)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    is_writing = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")


def _open_sqlite(target: str, *, read_only: bool, timeout_s: float) -> sqlite3.Connection:
    # isolation_level None: Python leaves transactions to _begin.
    connection = sqlite3.connect(target, uri=True, timeout=timeout_s, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        if read_only:
            # mode=ro holds for the file; this refuses statements too, on temporary tables as well.
            connection.execute("PRAGMA query_only = ON")
        else:
            _switch_to_wal(connection, timeout_s=timeout_s)
            connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def _uri(path: Path, *, read_only: bool) -> str:
    """The file, given by its absolute path, as SQLite's URI."""
    base = f"file:{quote(str(path))}"
    if not read_only:
        return f"{base}?mode=rwc"
    # In a folder that cannot be written SQLite has no place for its shared memory; without a log beside it the
    # file is complete as it is.
    has_log = Path(f"{path}-wal").exists()
    is_fixed = not os.access(path.parent, os.W_OK) and not has_log
    return f"{base}?mode=ro&immutable=1" if is_fixed else f"{base}?mode=ro"


def _switch_to_wal(connection: sqlite3.Connection, *, timeout_s: float) -> None:
    """Turn the write-ahead log on; of several processes that open a new file, one does, the others wait."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # SQLite does not wait by itself here: two processes that both switch would wait for each other.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _server_engine(location: Location, *, read_only: bool, timeout_s: float, is_pooled: bool) -> Engine:
    arguments: dict[str, object] = {}
    if location.url.get_driver_name().startswith("psycopg"):
        options = f"-c lock_timeout={ceil(timeout_s * 1000)}"
        if read_only:
            # Repeatable: the statements of one transaction see one state, as in SQLite.
            options += " -c default_transaction_read_only=on -c default_transaction_isolation=repeatable\\ read"
        arguments = {"connect_timeout": max(2, ceil(timeout_s)), "options": options}
    pool: dict[str, Any] = {"pool_pre_ping": True} if is_pooled else {"poolclass": NullPool}
    return create_engine(location.url, json_serializer=to_json, connect_args=arguments, **pool)
