"""Where a database lies: a path, a URL, `BENCH_DB` or the default, checked before anything is opened."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from bench.errors import MissingExtra, StoreError, nearest

VARIABLE = "BENCH_DB"
DEFAULT_PATH = Path("results") / "bench.db"
_BACKENDS = ("sqlite", "postgresql")
_EXAMPLES = "allowed: a path, sqlite:///FILE or postgresql://USER@HOST/NAME"


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A database that can be named in messages; `path` is None unless it is an SQLite file."""

    url: URL
    path: Path | None

    def __str__(self) -> str:
        return str(self.path) if self.path else self.url.render_as_string(hide_password=True)


def locate(url_or_path: str | Path | None, *, read_only: bool) -> Location:
    """The location meant by the user; only the folder of the default is created, and only for writing.

    Raises:
        StoreError: the URL is not one, or the file or its folder is missing or has the wrong permissions.
        MissingExtra: the database's driver is not installed.
    """
    given = url_or_path if url_or_path is not None else os.environ.get(VARIABLE) or None
    if given is None and not read_only:
        _create_folder(DEFAULT_PATH.parent)
    location = _parse(DEFAULT_PATH if given is None else given)
    if location.path is not None:
        try:
            _check_file(location.path, read_only=read_only)
        except OSError as error:
            raise StoreError(
                f"database {str(location.path)!r} cannot be reached ({error.strerror}); its folder must be accessible;"
                f" check the path and its permissions, or give another --db"
            ) from error
    return location


def _create_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot create folder {str(folder.absolute())!r} ({error.strerror}); the database needs one;"
            f" change to another folder or give --db FILE"
        ) from error


def _parse(given: str | Path) -> Location:
    if isinstance(given, Path) or "://" not in given:
        return _file(Path(given).expanduser())
    try:
        url = make_url(given)
        dialect = url.get_dialect()
        dialect.import_dbapi()
    except NoSuchModuleError as error:
        backend = given.partition("://")[0]
        raise StoreError(
            f"unknown kind of database {backend!r}; {_EXAMPLES}; correct the URL{nearest(backend, _BACKENDS)}"
        ) from error
    except (ArgumentError, ValueError) as error:
        # Only its kind is shown: what cannot be read may still hold a password.
        kind = given.partition("://")[0]
        raise StoreError(f"database URL {kind + '://...'!r} cannot be read; {_EXAMPLES}; correct it") from error
    except ImportError as error:
        raise MissingExtra(
            f"the driver of {url.drivername!r} is not installed ({error}); PostgreSQL needs an extra;"
            f" run: pip install 'bench[postgresql]'"
        ) from error
    if dialect.is_async:
        raise StoreError(f"{url.drivername!r} is an asynchronous driver; {_EXAMPLES}; use a synchronous one")
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return Location(url=url, path=None)
    if url.query:
        raise StoreError(f"got options in {given!r}; an SQLite URL is sqlite:///FILE alone; remove what follows '?'")
    return _file(Path(str(url.database)))


def _file(path: Path) -> Location:
    return Location(url=URL.create("sqlite", database=str(path)), path=path)


def _check_file(path: Path, *, read_only: bool) -> None:
    """Refuse early, in words, what SQLite would refuse late with `unable to open database file`."""
    folder = path.absolute().parent
    if not path.exists() and read_only:
        raise StoreError(f"no database {str(path)!r}; reading needs one; run bench search first, or give another --db")
    if not folder.is_dir():
        raise StoreError(
            f"no folder {str(folder)!r} for the database; only the default folder is created by itself;"
            f" run: mkdir -p {folder}"
        )
    if path.is_dir():
        raise StoreError(f"database {str(path)!r} is a folder; a file is needed; give --db {path / 'bench.db'}")
    if path.exists() and not os.access(path, os.R_OK):
        raise StoreError(f"database {str(path)!r} may not be read; read permission is needed; run: chmod u+r {path}")
    if read_only:
        return
    if path.exists() and not os.access(path, os.W_OK):
        raise StoreError(
            f"database {str(path)!r} is read-only; writing needs permission;"
            f" run: chmod u+w {path}, or give another --db"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError(
            f"folder {str(folder)!r} is read-only; SQLite writes its log beside the database;"
            f" run: chmod u+wx {folder}, or give another --db"
        )
