"""Opening a store: find the database, bring its schema up to date, say in words what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from bench.store import schema
from bench.store.database import Store
from bench.store.engine import connect
from bench.store.faults import explained
from bench.store.fleet_reader import FleetReader
from bench.store.location import Location, locate


def utc_now() -> datetime:
    """The time now, aware."""
    return datetime.now(UTC)


def open_store(
    url_or_path: str | Path | None = None,
    *,
    read_only: bool = False,
    timeout_s: float = 30.0,
    clock: Callable[[], datetime] = utc_now,
    is_pooled: bool = True,
) -> Store:
    """Open, and create or migrate as needed, the database at a path or SQLAlchemy URL.

    Args:
        url_or_path: by default `BENCH_DB`, else `results/bench.db` in the current folder; no other folder
            is created.
        read_only: never write, not even to migrate; the database must exist.
        timeout_s: how long to wait for other processes that write.
        clock: gives the aware time of each row.
        is_pooled: whether connections are kept between transactions; a server that reads for hours does not.

    Raises:
        StoreError: nothing usable is there, it is locked, or its schema is newer than this version.
        MissingExtra: the driver of the URL is not installed.
    """
    engine, location = prepared(url_or_path, read_only=read_only, timeout_s=timeout_s, is_pooled=is_pooled)
    return Store(engine, location, read_only=read_only, timeout_s=timeout_s, clock=clock)


def open_fleet_reader(url_or_path: str | Path | None = None, *, timeout_s: float = 30.0) -> FleetReader:
    """What remote runners left in a database, for reading; each transaction opens a connection of its own.

    Raises:
        StoreError, MissingExtra: as `open_store` for reading.
    """
    engine, location = prepared(url_or_path, read_only=True, timeout_s=timeout_s, is_pooled=False)
    return FleetReader(engine, location, read_only=True, timeout_s=timeout_s)


def prepared(
    url_or_path: str | Path | None, *, read_only: bool, timeout_s: float, is_pooled: bool = True
) -> tuple[Engine, Location]:
    """An engine of a database with this version's schema, and where it lies; it raises as `open_store` does."""
    location = locate(url_or_path, read_only=read_only)
    engine = connect(location, read_only=read_only, timeout_s=timeout_s, is_pooled=is_pooled)
    try:
        with explained(location, timeout_s=timeout_s):
            schema.prepare(engine, location, read_only=read_only)
    except BaseException:
        engine.dispose()
        raise
    return engine, location
