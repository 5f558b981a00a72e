"""Where a study keeps what is no row of its database: checkpoints, weights, logs, and the lock of who runs it."""

from __future__ import annotations

from pathlib import Path

from bench.store.reader import Reader
from bench.store.records import StudyRecord


def studies_folder(store: Reader) -> Path:
    """`studies` beside the database file; in `results` of the current folder for databases without one."""
    return (store.location.path.parent if store.location.path else Path("results")).resolve() / "studies"


def study_folder(store: Reader, study: StudyRecord) -> Path:
    """Where a stored study keeps its files: beside its database, wherever that lies by now."""
    given = (study.config.get("execution") or {}).get("folder")
    return Path(given) if given else studies_folder(store) / study.name


def driver_folder(folder: Path) -> Path:
    """Of a study's folder the lock that the process holds which runs it."""
    return folder / "driver"
