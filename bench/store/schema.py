"""Brings a database to the schema of this version, and refuses what a newer version or another program wrote.

Alembic takes longer to import than everything else here to run, so it is imported only when there is work
for it; `HEAD` is the newest revision in `migrations/versions` (a test holds the two together).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from bench.errors import StoreError
from bench.store.engine import WRITES
from bench.store.location import Location

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "bench_0006"
# Marks our revisions, so that another program that uses Alembic is not taken for a newer version of this one.
PREFIX = "bench_"
_VERSION_TABLE = "alembic_version"
_LOCK_KEY = 0x62656E6368  # "bench"; any constant does, as advisory locks of PostgreSQL have no names


def prepare(engine: Engine, location: Location, *, read_only: bool) -> None:
    """Leave the database at `HEAD`, or raise.

    Raises:
        StoreError: the schema is newer, or another program's, or older and the database is opened read-only.
    """
    with engine.connect() as connection:
        found = _revision(connection, location)
    if found == HEAD:
        return
    if read_only:
        _check_known(found, location)
        raise StoreError(
            f"database {location} has schema {found or 'none'}; this version reads {HEAD};"
            f" open it once for writing (any bench search) to migrate it"
        )
    _migrate(engine, location)


def alembic_config(connection: Connection | None = None) -> Config:
    """The configuration of Alembic, made in code: nobody needs an alembic.ini."""
    from alembic.config import Config

    config = Config()
    # Alembic interpolates '%' in options.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _migrate(engine: Engine, location: Location) -> None:
    """Migrate in one transaction that locks out every other process; who waited finds the work done."""
    from alembic import command

    with engine.execution_options(**{WRITES: True}).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        found = _revision(connection, location)
        if found == HEAD:
            return
        _check_known(found, location)
        command.upgrade(alembic_config(connection), "head")


def _revision(connection: Connection, location: Location) -> str | None:
    """The revision found; None for an empty database."""
    tables = inspect(connection).get_table_names()
    if _VERSION_TABLE in tables:
        revision: str | None = connection.scalar(text(f"SELECT version_num FROM {_VERSION_TABLE}"))
        return revision
    if tables:
        raise StoreError(_foreign(location, f"tables {', '.join(sorted(tables)[:3])}"))
    return None


def _check_known(found: str | None, location: Location) -> None:
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
    if found is None or found in known:
        return
    if not found.startswith(PREFIX):
        raise StoreError(_foreign(location, f"schema {found}"))
    raise StoreError(
        f"database {location} has schema {found} from a newer version; this version knows up to {HEAD};"
        f" upgrade bench, or give another --db"
    )


def _foreign(location: Location, found: str) -> str:
    return (
        f"database {location} belongs to another program ({found});"
        f" an empty database or one of bench is needed; give another --db"
    )
