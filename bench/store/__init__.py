"""The store: studies, trials, scores, measurements and the fleet in one SQL database (SQLite, or PostgreSQL by URL)."""

from bench.store.blocks import ScoreBlock, TimingBlock, TrialBlock
from bench.store.changes import Changes
from bench.store.database import Store
from bench.store.fleet import EnrolmentError, FleetStore, KeyReusedError, StaleFenceError, UnknownError, open_fleet
from bench.store.fleet_reader import FleetReader
from bench.store.fleet_records import (
    FINISHED_JOB,
    AttemptRecord,
    AttemptStatus,
    JobEventKind,
    JobEventRecord,
    JobRecord,
    JobStatus,
    RunnerRecord,
    RunnerStatus,
    TokenKind,
    TokenRecord,
)
from bench.store.folders import driver_folder, studies_folder, study_folder
from bench.store.opening import open_fleet_reader, open_store
from bench.store.queries import NotThereError
from bench.store.reader import Reader
from bench.store.records import (
    BASELINES,
    LATENCY,
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
    is_latency,
    latency_figure,
)

__all__ = [
    "BASELINES",
    "FINISHED_JOB",
    "LATENCY",
    "ArtifactRecord",
    "AttemptRecord",
    "AttemptStatus",
    "Changes",
    "EnrolmentError",
    "EventRecord",
    "FleetReader",
    "FleetStore",
    "JobEventKind",
    "JobEventRecord",
    "JobRecord",
    "JobStatus",
    "Json",
    "KeyReusedError",
    "MeasurementRecord",
    "NotThereError",
    "Reader",
    "ReportRecord",
    "RunnerRecord",
    "RunnerStatus",
    "ScoreBlock",
    "ScoreRecord",
    "StaleFenceError",
    "Store",
    "StudyRecord",
    "StudyStatus",
    "TimingBlock",
    "TokenKind",
    "TokenRecord",
    "TrialBlock",
    "TrialRecord",
    "TrialStatus",
    "UnknownError",
    "driver_folder",
    "is_latency",
    "latency_figure",
    "open_fleet",
    "open_fleet_reader",
    "open_store",
    "studies_folder",
    "study_folder",
]
