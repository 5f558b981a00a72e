"""Says in words what a database refused: one line with what happened, what is allowed and what to do."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError

from bench.errors import StoreError
from bench.store.location import Location

# Below this much free space an input/output error means a full disk: SQLite's shared memory could not grow.
_FULL_DISK_BYTES = 256 * 1024

# PostgreSQL: lock_not_available, and a deadlock that it broke by refusing one side.
_BUSY_STATES = ("55P03", "40P01")

_REPORT = "what was stored before is safe; try again, and report it if it stays"


@contextmanager
def explained(location: Location, *, timeout_s: float) -> Iterator[None]:
    """Turn whatever SQLAlchemy or the driver raises inside into a StoreError."""
    try:
        yield
    except DBAPIError as error:
        raise StoreError(_refusal(error, location, timeout_s)) from error
    except (StatementError, OverflowError, UnicodeEncodeError) as error:
        cause = getattr(error, "orig", None) or error
        raise StoreError(
            f"a value cannot be stored ({cause}); allowed: finite numbers, text, lists and mappings by text,"
            f" integers below 2**63; convert it first"
        ) from error
    except SQLAlchemyError as error:
        raise StoreError(f"database {location} failed ({_first_line(error)}); {_REPORT}") from error


def is_busy(error: DBAPIError) -> bool:
    """Whether another process holds what was asked for, so that asking again can succeed."""
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_code(error.orig) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return getattr(error.orig, "sqlstate", None) in _BUSY_STATES


def _refusal(error: DBAPIError, location: Location, timeout_s: float) -> str:
    if is_busy(error):
        return (
            f"database {location} stayed locked by another process for {timeout_s:g} s;"
            f" a write takes milliseconds; end the program that holds it and try again"
        )
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_refusal(error.orig, location)
    return (
        f"database {location} refused ({_first_line(error.orig)}); what was stored before is safe;"
        f" check the server and the URL"
    )


def _sqlite_refusal(error: sqlite3.Error, location: Location) -> str:
    match _sqlite_code(error):
        case sqlite3.SQLITE_FULL:
            return _full(location)
        case sqlite3.SQLITE_IOERR if _is_disk_full(location):
            return _full(location)
        case sqlite3.SQLITE_NOTADB:
            return f"{location} is not a database; an SQLite file is needed; give another --db, or move it away"
        case sqlite3.SQLITE_CORRUPT:
            return (
                f"database {location} is damaged ({error}); an intact file is needed;"
                f" save what is left with: sqlite3 {location} .recover"
            )
        case sqlite3.SQLITE_READONLY:
            return (
                f"database {location} is read-only; writing needs permission; check the file, its folder and the mount"
            )
        case sqlite3.SQLITE_CANTOPEN:
            return (
                f"database {location} cannot be opened; file and folder must be accessible;"
                f" check their permissions, or give another --db"
            )
        case _:
            return f"database {location} refused ({_first_line(error)}); {_REPORT}"


def _full(location: Location) -> str:
    return (
        f"no space left for database {location}; what was stored before is safe, the last step is not stored;"
        f" free some space, then go on"
    )


def _is_disk_full(location: Location) -> bool:
    return location.path is not None and shutil.disk_usage(location.path.absolute().parent).free < _FULL_DISK_BYTES


def _sqlite_code(error: sqlite3.Error) -> int:
    """The primary result code; the upper bits only refine it (sqlite.org/rescode.html)."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return (code or 0) & 0xFF


def _first_line(error: BaseException | None) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
