"""The tables of the store (SQLAlchemy 2); `migrations/` brings a database to them, which a test compares."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from bench.store.columns import CompressedJson, JsonPoints, UtcDateTime
from bench.store.records import Json, StudyStatus, TrialStatus


class Base(DeclarativeBase):
    """Names every constraint, so that later migrations can change it on any database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy reads it off the class)
        str: Text,
        datetime: UtcDateTime,
        Mapping[str, Any]: JSON,
    }


# Statuses are plain text: their rules stand in transitions.py and change without a migration.
class StudyRow(Base):
    __tablename__ = "studies"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    status: Mapped[StudyStatus] = mapped_column(String(20))
    reason: Mapped[str | None]
    config: Mapped[Json]
    space_name: Mapped[str]
    space_text: Mapped[str]
    space_hash: Mapped[str] = mapped_column(String(64))
    objectives: Mapped[Json]
    hypervolume_reference: Mapped[Json]
    reference_ms: Mapped[Json] = mapped_column(server_default="{}")
    seed: Mapped[int] = mapped_column(BigInteger)
    versions: Mapped[Json]
    git_revision: Mapped[str | None]
    fingerprint: Mapped[Json]
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class TrialRow(Base):
    __tablename__ = "trials"
    __table_args__ = (UniqueConstraint("study_id", "number"), UniqueConstraint("study_id", "architecture_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id"))
    number: Mapped[int]
    architecture_id: Mapped[str] = mapped_column(String(64))
    architecture: Mapped[Json]
    source: Mapped[str]
    status: Mapped[TrialStatus] = mapped_column(String(20))
    reason: Mapped[str | None]
    seed: Mapped[int] = mapped_column(BigInteger)
    costs: Mapped[Json]
    stage_seconds: Mapped[Json]
    rung: Mapped[int | None]
    weights_path: Mapped[str | None]
    proposal: Mapped[Json]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    # Joined, so that locking a trial for a change locks its study too (queries.py).
    study: Mapped[StudyRow] = relationship(lazy="joined", innerjoin=True)

    @property
    def study_name(self) -> str:
        return self.study.name

    @property
    def label(self) -> str:
        return f"{self.study_name}/{self.number}"


class ScoreRow(Base):
    __tablename__ = "scores"
    __table_args__ = (UniqueConstraint("trial_id", "rung"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    trial_id: Mapped[int] = mapped_column(ForeignKey("trials.id"))
    rung: Mapped[int]
    accuracy: Mapped[float]
    loss: Mapped[float]
    fidelity: Mapped[Json]
    curve: Mapped[tuple[Json, ...]] = mapped_column(JsonPoints)
    seconds: Mapped[float]
    created_at: Mapped[datetime]


class RetrainingRow(Base):
    __tablename__ = "retrainings"
    __table_args__ = (UniqueConstraint("trial_id", "seed"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    trial_id: Mapped[int] = mapped_column(ForeignKey("trials.id"))
    seed: Mapped[int] = mapped_column(BigInteger)
    accuracy: Mapped[float | None]
    reason: Mapped[str | None]
    fidelity: Mapped[Json]
    seconds: Mapped[float]
    created_at: Mapped[datetime]


class ArtifactRow(Base):
    __tablename__ = "artifacts"

    id: Mapped[int] = mapped_column(primary_key=True)
    trial_id: Mapped[int] = mapped_column(ForeignKey("trials.id"), index=True)
    sha256: Mapped[str] = mapped_column(String(64))
    format: Mapped[str]
    num_bytes: Mapped[int] = mapped_column(BigInteger)
    details: Mapped[Json]
    created_at: Mapped[datetime]


class MeasurementRow(Base):
    __tablename__ = "measurements"

    id: Mapped[int] = mapped_column(primary_key=True)
    trial_id: Mapped[int | None] = mapped_column(ForeignKey("trials.id"), index=True)
    label: Mapped[str | None]
    session: Mapped[str | None] = mapped_column(String(32), index=True)
    architecture_id: Mapped[str | None] = mapped_column(String(64), index=True)
    runner: Mapped[str]
    runtime: Mapped[str]
    threads: Mapped[int]
    resolution: Mapped[int]
    artifact_sha256: Mapped[str] = mapped_column(String(64))
    verdict: Mapped[str]
    reason: Mapped[str | None]
    protocol: Mapped[Json]
    fingerprint: Mapped[Json]
    summary: Mapped[Json]
    samples: Mapped[Json] = mapped_column(CompressedJson)
    created_at: Mapped[datetime]


class ReportRow(Base):
    __tablename__ = "reports"
    __table_args__ = (UniqueConstraint("run", "subject"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run: Mapped[str] = mapped_column(String(60))
    kind: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(200))
    data: Mapped[Json]
    fingerprint: Mapped[Json]
    created_at: Mapped[datetime]


class EventRow(Base):
    __tablename__ = "events"
    # AUTOINCREMENT: a sequence number is never given twice, even if the last events were removed by hand.
    __table_args__ = (Index(None, "study_id", "sequence"), {"sqlite_autoincrement": True})

    sequence: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int | None] = mapped_column(ForeignKey("studies.id"))
    trial_id: Mapped[int | None] = mapped_column(ForeignKey("trials.id"))
    kind: Mapped[str]
    data: Mapped[Json]
    created_at: Mapped[datetime]
