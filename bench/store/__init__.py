"""The store: every study, trial, score and measurement in one SQL database (SQLite, or PostgreSQL by URL)."""

from bench.store.database import Store
from bench.store.opening import open_store
from bench.store.reader import Reader
from bench.store.records import (
    BASELINES,
    ArtifactRecord,
    EventRecord,
    Json,
    MeasurementRecord,
    ReportRecord,
    ScoreRecord,
    StudyRecord,
    StudyStatus,
    TrialRecord,
    TrialStatus,
)

__all__ = [
    "BASELINES",
    "ArtifactRecord",
    "EventRecord",
    "Json",
    "MeasurementRecord",
    "Reader",
    "ReportRecord",
    "ScoreRecord",
    "Store",
    "StudyRecord",
    "StudyStatus",
    "TrialRecord",
    "TrialStatus",
    "open_store",
]
