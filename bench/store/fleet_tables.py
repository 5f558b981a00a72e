"""The tables of remote runners: who may talk to the hub, what waits for which runner, and each attempt at it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from bench.store.columns import CompressedJson, JsonTexts
from bench.store.fleet_records import AttemptStatus, JobEventKind, JobStatus, RunnerStatus, TokenKind
from bench.store.records import Json
from bench.store.tables import Base


class RunnerRow(Base):
    __tablename__ = "runners"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    status: Mapped[RunnerStatus] = mapped_column(String(20))
    reason: Mapped[str | None]
    capabilities: Mapped[Json]
    health: Mapped[Json]
    noise: Mapped[Json | None] = mapped_column(JSON(none_as_null=True))
    agent_version: Mapped[str]
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]


class TokenRow(Base):
    __tablename__ = "tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[TokenKind] = mapped_column(String(20))
    name: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    runner_id: Mapped[str | None] = mapped_column(ForeignKey("runners.id"), index=True)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class EnrolmentRow(Base):
    __tablename__ = "enrolments"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), index=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    runner_id: Mapped[str | None] = mapped_column(ForeignKey("runners.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class JobRow(Base):
    __tablename__ = "jobs"
    __table_args__ = (UniqueConstraint("client", "key"), Index(None, "cleared_at", "finished_at"))

    # The order of arrival; the id that clients see tells nothing about other jobs.
    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    client: Mapped[int] = mapped_column(ForeignKey("tokens.id"))
    key: Mapped[str] = mapped_column(String(200))
    body_sha256: Mapped[str] = mapped_column(String(64))
    runner_id: Mapped[str] = mapped_column(ForeignKey("runners.id"))
    priority: Mapped[int]
    is_test: Mapped[bool]
    status: Mapped[JobStatus] = mapped_column(String(20), index=True)
    reason: Mapped[str | None]
    num_attempts: Mapped[int]
    num_bytes: Mapped[int] = mapped_column(server_default="0")
    artifacts: Mapped[tuple[str, ...]] = mapped_column(JsonTexts)
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    fetched_at: Mapped[datetime | None]
    cleared_at: Mapped[datetime | None]

    runner_row: Mapped[RunnerRow] = relationship(lazy="joined", innerjoin=True)

    @property
    def runner(self) -> str:
        return self.runner_row.name


class JobBodyRow(Base):
    """Apart from its job: SQLite writes a whole row again for each change of its status."""

    __tablename__ = "job_bodies"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    body: Mapped[Json] = mapped_column(CompressedJson)


class AttemptRow(Base):
    __tablename__ = "attempts"
    # AUTOINCREMENT: a fence is never given twice, even if the last attempts were removed by hand.
    __table_args__ = (
        UniqueConstraint("job_id", "number"),
        Index(None, "runner_id", "fence"),
        {"sqlite_autoincrement": True},
    )

    fence: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    runner_id: Mapped[str] = mapped_column(ForeignKey("runners.id"))
    number: Mapped[int]
    status: Mapped[AttemptStatus] = mapped_column(String(20), index=True)
    kind: Mapped[str | None]
    reason: Mapped[str | None]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    result_sha256: Mapped[str | None] = mapped_column(String(64))
    # Large, so they are read only where they are asked for.
    partial: Mapped[Json | None] = mapped_column(CompressedJson, deferred=True)
    result: Mapped[Json | None] = mapped_column(CompressedJson, deferred=True)


class JobEventRow(Base):
    __tablename__ = "job_events"
    __table_args__ = (Index(None, "job_id", "sequence"), {"sqlite_autoincrement": True})

    sequence: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    fence: Mapped[int | None] = mapped_column(ForeignKey("attempts.fence"))
    kind: Mapped[JobEventKind] = mapped_column(String(20))
    data: Mapped[Json]
    created_at: Mapped[datetime]
