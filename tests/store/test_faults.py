"""What disks and other processes do to a database, for real, and the one line that the user gets."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import event

from bench.errors import StoreError
from bench.store import Store, StudyRecord, TrialRecord, open_store

from .disks import small_disk
from .examples import add_study, add_trial
from .processes import start_lock_holder


def _fill(store: Store, study: StudyRecord) -> int:
    """Append events until the disk is full; how many were stored."""
    num_before = len(store.events(study.id))
    with pytest.raises(StoreError, match=r"no space left for database .*; what was stored before is safe, .*; free"):
        _append_notes(store, study, count=10_000)
    return len(store.events(study.id)) - num_before


def _append_notes(store: Store, study: StudyRecord, *, count: int) -> None:
    for number in range(count):
        acknowledged = store.record_event(study.id, "note", {"number": number, "text": "x" * 5000})
        assert store.events(study.id, after=acknowledged.sequence - 1) == (acknowledged,)


def _notes(store: Store, study: StudyRecord) -> list[int]:
    return [event.data["number"] for event in store.events(study.id) if event.kind == "note"]


def test_full_disk_keeps_what_was_stored(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", num_kib=1024) as folder:
        reserve = folder / "reserve"
        reserve.write_bytes(bytes(200_000))
        with open_store(folder / "bench.db") as store:
            study = add_study(store)
            num_stored = _fill(store, study)
            assert num_stored > 10
            assert _notes(store, study) == list(range(num_stored))
        with open_store(folder / "bench.db") as store:
            assert _notes(store, study) == list(range(num_stored))
            _fill(store, study)
            reserve.unlink()
            store.record_event(study.id, "note", {"number": "after"})
            assert _notes(store, study)[-1] == "after"


@pytest.mark.parametrize("num_kib", [4, 40, 64])
def test_disk_too_full_for_a_new_database_leaves_nothing_half_made(tmp_path: Path, num_kib: int) -> None:
    with small_disk(tmp_path / "disk", num_kib=1024) as folder:
        (folder / "reserve").write_bytes(bytes((1024 - num_kib) * 1024))
        with pytest.raises(StoreError, match="no space left for database"):
            open_store(folder / "bench.db")
        (folder / "reserve").unlink()
        with open_store(folder / "bench.db") as store:
            add_study(store)


def test_database_that_may_not_grow_keeps_what_was_stored(store: Store, study: StudyRecord, tmp_path: Path) -> None:
    def limit(connection: sqlite3.Connection, _entry: object) -> None:
        connection.execute("PRAGMA max_page_count = 100")

    event.listen(store._engine, "connect", limit)
    store._engine.dispose()
    num_stored = _fill(store, study)
    with open_store(tmp_path / "bench.db") as other:
        assert _notes(other, study) == list(range(num_stored))
        assert len(other.events(study.id)) == 1 + num_stored


def test_lock_held_too_long_is_an_error_in_words(store: Store, study: StudyRecord, tmp_path: Path) -> None:
    path = tmp_path / "bench.db"
    holder = start_lock_holder(path)
    with open_store(path, timeout_s=0.2) as impatient:
        with pytest.raises(StoreError, match=r"stayed locked by another process for 0.2 s; .*; end the program"):
            add_trial(impatient, study)
        assert impatient.trials(study.id) == ()
        holder.communicate(timeout=10)
        assert add_trial(impatient, study).number == 0


def test_new_database_locked_by_another_process_is_an_error_in_words(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    holder = start_lock_holder(path)
    with pytest.raises(StoreError, match=r"stayed locked by another process for 0.1 s"):
        open_store(path, timeout_s=0.1)
    holder.communicate(timeout=10)
    open_store(path).close()


@pytest.mark.parametrize("content", [b"hello\n", b"fastvit: no database\n" * 500])
@pytest.mark.parametrize("read_only", [False, True])
def test_file_that_is_no_database_is_left_alone(tmp_path: Path, content: bytes, read_only: bool) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"notes.txt is not a database; an SQLite file is needed; give another --db"):
        open_store(path, read_only=read_only)
    assert path.read_bytes() == content
    assert [entry.name for entry in tmp_path.iterdir()] == ["notes.txt"]


def test_damaged_database_says_how_to_save_what_is_left(tmp_path: Path) -> None:
    path = tmp_path / "bench.db"
    with open_store(path) as store:
        study = add_study(store)
        for number in range(100):
            store.record_event(study.id, "note", {"number": number, "text": "x" * 1000})
    content = path.read_bytes()
    path.write_bytes(content[: 4096 * 2] + b"\xff" * (len(content) - 4096 * 2))
    message = r"is damaged .*; an intact file is needed; .*sqlite3 .*bench.db .recover"
    with pytest.raises(StoreError, match=message):
        open_store(path)


def test_failed_transaction_leaves_neither_row_nor_event(store: Store, study: StudyRecord, trial: TrialRecord) -> None:
    before = (store.trial(trial.id), store.events(study.id))
    with pytest.raises(StoreError, match="a value cannot be stored"):
        store.record_costs(trial.id, {"params": float("nan")})
    assert (store.trial(trial.id), store.events(study.id)) == before
