"""Databases of other versions and other programs, and the price of opening one of our own."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from bench.errors import StoreError
from bench.store import open_fleet, open_store, schema
from bench.store.tables import Base

from .examples import add_study
from .processes import start


def _execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_head_is_the_newest_migration() -> None:
    scripts = ScriptDirectory.from_config(schema.alembic_config())
    assert scripts.get_heads() == [schema.HEAD]
    assert all(script.revision.startswith(schema.PREFIX) for script in scripts.walk_revisions())


def test_migrations_make_the_tables(tmp_path: Path) -> None:
    open_store(tmp_path / "bench.db").close()
    engine = create_engine(f"sqlite:///{tmp_path / 'bench.db'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
        for name in ("events", "attempts", "job_events"):
            found = connection.scalar(text("SELECT sql FROM sqlite_schema WHERE name = :name"), {"name": name})
            assert "AUTOINCREMENT" in str(found)
    engine.dispose()


def test_next_migration_would_be_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `python -m bench.store.migrations` would write, in a copy."""
    open_store(tmp_path / "bench.db").close()
    engine = create_engine(f"sqlite:///{tmp_path / 'bench.db'}")
    with engine.connect() as connection:
        config = schema.alembic_config(connection)
        # Alembic keeps the standard output that it was imported under, which another test may have had.
        monkeypatch.setattr(config, "stdout", io.StringIO())
        command.check(config)
    engine.dispose()


@pytest.mark.parametrize("read_only", [False, True])
def test_newer_schema_is_refused_and_left_alone(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "bench.db"
    open_store(path).close()
    _execute(path, "UPDATE alembic_version SET version_num = 'bench_9999'")
    before = path.read_bytes()
    with pytest.raises(
        StoreError,
        match=r"has schema bench_9999 from a newer version; this version knows up to bench_\d+; upgrade bench",
    ):
        open_store(path, read_only=read_only)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "statements",
    [
        ("CREATE TABLE photos (id INTEGER)",),
        ("CREATE TABLE alembic_version (version_num TEXT)", "INSERT INTO alembic_version VALUES ('1f2e3d')"),
    ],
)
def test_database_of_another_program_is_refused(tmp_path: Path, statements: tuple[str, ...]) -> None:
    path = tmp_path / "other.db"
    _execute(path, *statements)
    with pytest.raises(StoreError, match=r"belongs to another program \((tables photos|schema 1f2e3d)\); .*--db"):
        open_store(path)


def test_empty_database_cannot_be_read_before_it_is_migrated(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    with pytest.raises(StoreError, match=r"has schema none; this version reads .*; open it once for writing"):
        open_store(path, read_only=True)
    open_store(path).close()
    open_store(path, read_only=True).close()


def test_opening_what_is_up_to_date_imports_no_alembic(tmp_path: Path) -> None:
    with open_store(tmp_path / "bench.db") as store:
        add_study(store)
    program = (
        "import sys; from bench.store import open_store\n"
        "with open_store(sys.argv[1]) as store: store.study('first')\n"
        "print(sorted({'alembic', 'torch', 'ray', 'optuna', 'numpy', 'pandas'} & set(sys.modules)))"
    )
    process = start("-c", program, str(tmp_path / "bench.db"))
    assert process.communicate(timeout=30) == ("[]\n", "")


def test_migration_command_asks_for_a_message() -> None:
    process = start("-m", "bench.store.migrations")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert 'python -m bench.store.migrations "add energy' in errors


def test_first_release_is_migrated_with_its_rows(tmp_path: Path) -> None:
    """A database as the first release wrote it keeps its studies; the columns that came later are empty."""
    path = tmp_path / "bench.db"
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        command.upgrade(schema.alembic_config(connection), "bench_0001")
        connection.execute(
            text(
                "INSERT INTO studies (name, status, config, space_name, space_text, space_hash, objectives,"
                " hypervolume_reference, seed, versions, fingerprint, created_at) VALUES ('old', 'complete', '{}',"
                " 'smoke', '', '', '{}', '{}', 0, '{}', '{}', '2026-11-01 00:00:00')"
            )
        )
    engine.dispose()
    with pytest.raises(StoreError, match="open it once for writing"):
        open_store(path, read_only=True)
    with open_store(path) as store:
        assert store.study("old").reference_ms == {}
        assert store.set_hypervolume_reference(1, {}, reference_ms={"256": 11.0}).reference_ms == {"256": 11.0}
    with open_fleet(path) as fleet:
        assert (fleet.runners(), fleet.unfinished()) == ((), ())
