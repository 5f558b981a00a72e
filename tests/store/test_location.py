"""Which database is meant, and the words for one that cannot be used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.errors import MissingExtra, StoreError
from bench.store import open_store

from .disks import read_only
from .examples import add_study


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_DB", raising=False)
    return tmp_path


def test_default_is_results_in_the_current_folder(here: Path) -> None:
    open_store().close()
    assert (here / "results" / "bench.db").is_file()


def test_variable_names_the_database_unless_empty(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_DB", "sqlite:///mine.db")
    open_store().close()
    assert [path.name for path in here.iterdir()] == ["mine.db"]
    monkeypatch.setenv("BENCH_DB", "")
    open_store().close()
    assert (here / "results" / "bench.db").is_file()


def test_argument_rules_over_the_variable(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_DB", "mine.db")
    open_store("given.db").close()
    assert [path.name for path in here.iterdir()] == ["given.db"]


def test_database_stays_where_it_was_when_the_folder_changes(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store("bench.db") as store:
        store._engine.dispose()
        (here / "other").mkdir()
        monkeypatch.chdir(here / "other")
        add_study(store)
    assert list((here / "other").iterdir()) == []


@pytest.mark.parametrize("given", ["no/such/bench.db", "sqlite:///no/such/bench.db", Path("no/such/bench.db")])
def test_missing_folder_of_a_given_path_is_not_made(here: Path, given: str | Path) -> None:
    with pytest.raises(StoreError, match=r"no folder '.*/no/such' for the database; .*; run: mkdir -p .*/no/such$"):
        open_store(given)
    assert list(here.iterdir()) == []


def test_reading_needs_a_database_and_makes_nothing(here: Path) -> None:
    with pytest.raises(StoreError, match=r"no database 'results/bench.db'; reading needs one"):
        open_store(read_only=True)
    with pytest.raises(StoreError, match=r"no database 'bench.db'; reading needs one; run bench search first"):
        open_store("bench.db", read_only=True)
    assert list(here.iterdir()) == []


def test_folder_is_no_database(here: Path) -> None:
    with pytest.raises(StoreError, match=r"is a folder; a file is needed; give --db .*/bench.db"):
        open_store(here)


def test_read_only_file_is_refused_for_writing_and_can_be_read(here: Path) -> None:
    path = here / "bench.db"
    with open_store(path) as store:
        study = add_study(store)
    with read_only(path):
        with pytest.raises(StoreError, match=r"database '.*bench.db' is read-only; writing needs permission"):
            open_store(path)
        with open_store(path, read_only=True) as store:
            assert store.study("first") == study


def test_read_only_folder_is_refused_for_writing_and_can_be_read(here: Path) -> None:
    folder = here / "archive"
    folder.mkdir()
    with open_store(folder / "bench.db") as store:
        study = add_study(store)
    with read_only(folder):
        with pytest.raises(StoreError, match=r"'.*archive.*' is read-only; .*; run: chmod"):
            open_store(folder / "bench.db")
        with pytest.raises(StoreError, match=r"folder '.*archive' is read-only; .*; run: chmod"):
            open_store(folder / "new.db")
        with open_store(folder / "bench.db", read_only=True) as store:
            assert store.studies() == (study,)


def test_default_folder_that_cannot_be_made_is_an_error(here: Path) -> None:
    (here / "results").write_text("a file in the way")
    with pytest.raises(StoreError, match=r"cannot create folder '.*/results' \(File exists\)"):
        open_store()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgress://host/bench", r"unknown kind of database 'postgress'; .*did you mean 'postgresql'\?"),
        ("sqlite:///a.db?mode=ro", r"got options in 'sqlite:///a.db\?mode=ro'; .*remove what follows '\?'"),
        ("://", r"database URL '://...' cannot be read; allowed: a path, sqlite:///FILE"),
        (
            "postgresql://me:secret@host:port/x",
            r"^database URL 'postgresql://...' cannot be read; allowed: a path",
        ),
        ("a" * 300, r"cannot be reached \(File name too long\); .*check the path"),
    ],
)
def test_url_that_means_nothing_says_what_would(here: Path, url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        open_store(url)


def test_driver_that_is_not_installed_names_the_extra(here: Path) -> None:
    # pg8000 is a driver that SQLAlchemy knows and this project never installs.
    with pytest.raises(MissingExtra, match=r"the driver of 'postgresql\+pg8000' .*pip install 'bench\[postgresql\]'"):
        open_store("postgresql+pg8000://host/bench")


def test_password_is_not_shown(here: Path) -> None:
    pytest.importorskip("psycopg", reason="needs the extra bench[postgresql]")
    with pytest.raises(StoreError) as caught:
        open_store("postgresql://someone:secret@127.0.0.1:1/bench", timeout_s=2)
    assert "secret" not in str(caught.value)
    assert re.search(r"database postgresql://someone:\*\*\*@127.0.0.1:1/bench refused", str(caught.value))
