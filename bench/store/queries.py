"""Reading: rows looked up, with errors that name what there is, and turned into records."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bench.errors import StoreError, nearest
from bench.store.fleet_records import AttemptRecord, JobEventRecord, JobRecord, RunnerRecord, TokenRecord
from bench.store.records import (
    ArtifactRecord,
    EventRecord,
    MeasurementRecord,
    ReportRecord,
    RetrainingRecord,
    ScoreRecord,
    StudyRecord,
    TrialRecord,
)
from bench.store.tables import (
    ArtifactRow,
    Base,
    EventRow,
    MeasurementRow,
    ReportRow,
    RetrainingRow,
    ScoreRow,
    StudyRow,
    TrialRow,
)
from bench.store.transitions import FINISHED_TRIAL

Record = TypeVar(
    "Record",
    StudyRecord,
    TrialRecord,
    ScoreRecord,
    ArtifactRecord,
    MeasurementRecord,
    ReportRecord,
    RetrainingRecord,
    EventRecord,
    TokenRecord,
    RunnerRecord,
    JobRecord,
    AttemptRecord,
    JobEventRecord,
)
_NUM_NAMES_SHOWN = 10
_NUMBER = re.compile(r"[0-9]{1,9}")


class NotThereError(StoreError):
    """A study or a trial that is looked up is not in the database."""


def to_record(kind: type[Record], row: Base) -> Record:
    """The record of a row: both use the same names."""
    return kind(**{field.name: getattr(row, field.name) for field in fields(kind)})


def study_row(session: Session, study_id: int, *, lock: bool = False) -> StudyRow:
    """The study with this id; `lock` makes other writers of the study wait (SQLite has one writer anyway)."""
    row = session.get(StudyRow, study_id, with_for_update=lock or None)
    if row is None:
        raise NotThereError(f"no study with id {study_id}; {_known_studies(session)}; use the id of a StudyRecord")
    return row


def study_row_by_name(session: Session, name: str) -> StudyRow:
    """The study of this name."""
    row = session.scalar(select(StudyRow).where(StudyRow.name == name))
    if row is None:
        names = session.scalars(select(StudyRow.name)).all()
        hint = nearest(name, names) or "; list them with: bench studies"
        raise NotThereError(f"no study {name!r}; {_known_studies(session)}{hint}")
    return row


def trial_row(session: Session, trial_id: int, *, lock: bool = False) -> TrialRow:
    """The trial with this id; `lock` locks its study too, so that a study's events have one order."""
    query = select(TrialRow).where(TrialRow.id == trial_id)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotThereError(
            f"no trial with id {trial_id}; {_known_studies(session)}; name a trial as STUDY/NUMBER (bench show STUDY)"
        )
    return row


def find_trial_row(session: Session, text: str) -> TrialRow:
    """The trial named `STUDY/NUMBER`, or by its id."""
    name, slash, number = text.rpartition("/")
    if not _NUMBER.fullmatch(number) or (slash and not name):
        raise StoreError(f"{text!r} names no trial; allowed: STUDY/NUMBER or an id; list them with: bench show STUDY")
    if not slash:
        return trial_row(session, int(number))
    study = study_row_by_name(session, name)
    row = session.scalar(select(TrialRow).where(TrialRow.study_id == study.id, TrialRow.number == int(number)))
    if row is None:
        numbers = session.execute(
            select(func.min(TrialRow.number), func.max(TrialRow.number)).where(TrialRow.study_id == study.id)
        ).one()
        known = "it has none yet" if numbers[0] is None else f"its numbers are {numbers[0]} to {numbers[1]}"
        raise StoreError(f"study {name!r} has no trial {int(number)}; {known}; list them with: bench show {name}")
    return row


def next_trial_number(session: Session, study_id: int) -> int:
    """One more than the highest number in the study, from 0."""
    highest = session.scalar(select(func.max(TrialRow.number)).where(TrialRow.study_id == study_id))
    return 0 if highest is None else highest + 1


def has_study(session: Session, name: str) -> bool:
    """Whether the name is taken."""
    return session.scalar(select(StudyRow.id).where(StudyRow.name == name)) is not None


def check_new_architecture(session: Session, study: StudyRow, architecture_id: str) -> None:
    """Refuse to pay for an architecture twice in one study."""
    query = select(TrialRow).where(TrialRow.study_id == study.id, TrialRow.architecture_id == architecture_id)
    known = session.scalar(query)
    if known is not None:
        raise StoreError(
            f"architecture {architecture_id} is trial {known.label} already; a study tries each once;"
            f" read that trial instead"
        )


def check_scorable(session: Session, trial: TrialRow, rung: int) -> None:
    """Refuse a second score at one rung, and scores after the end."""
    if trial.status in FINISHED_TRIAL:
        raise StoreError(
            f"trial {trial.label} is {trial.status} and takes no more scores; allowed: before that;"
            f" record scores before the last status"
        )
    query = select(ScoreRow.id).where(ScoreRow.trial_id == trial.id, ScoreRow.rung == rung)
    if session.scalar(query) is not None:
        raise StoreError(
            f"trial {trial.label} has a score at rung {rung}; each rung has one; train the next rung instead"
        )


def architecture_ids(session: Session, study_id: int) -> frozenset[str]:
    """Ids of all architectures in the study."""
    return frozenset(session.scalars(select(TrialRow.architecture_id).where(TrialRow.study_id == study_id)))


def studies(session: Session) -> tuple[StudyRecord, ...]:
    """All studies, oldest first."""
    rows = session.scalars(select(StudyRow).order_by(StudyRow.id))
    return tuple(to_record(StudyRecord, row) for row in rows)


def trials(session: Session, study_id: int) -> tuple[TrialRecord, ...]:
    """All trials of a study by number."""
    rows = session.scalars(select(TrialRow).where(TrialRow.study_id == study_id).order_by(TrialRow.number))
    return tuple(to_record(TrialRecord, row) for row in rows)


def scores(session: Session, *, study_id: int, trial_id: int | None = None) -> tuple[ScoreRecord, ...]:
    """Scores of a study, or of one of its trials, by trial and rung."""
    query = select(ScoreRow).join(TrialRow, TrialRow.id == ScoreRow.trial_id).where(TrialRow.study_id == study_id)
    if trial_id is not None:
        query = query.where(ScoreRow.trial_id == trial_id)
    rows = session.scalars(query.order_by(TrialRow.number, ScoreRow.rung))
    return tuple(to_record(ScoreRecord, row) for row in rows)


def retrainings(session: Session, study_id: int) -> tuple[RetrainingRecord, ...]:
    """Retrainings of a study's trials, by trial and seed."""
    query = select(RetrainingRow).join(TrialRow, TrialRow.id == RetrainingRow.trial_id)
    rows = session.scalars(query.where(TrialRow.study_id == study_id).order_by(TrialRow.number, RetrainingRow.seed))
    return tuple(to_record(RetrainingRecord, row) for row in rows)


def artifacts(session: Session, trial_id: int) -> tuple[ArtifactRecord, ...]:
    """Artifacts of a trial, oldest first."""
    rows = session.scalars(select(ArtifactRow).where(ArtifactRow.trial_id == trial_id).order_by(ArtifactRow.id))
    return tuple(to_record(ArtifactRecord, row) for row in rows)


def measurements(session: Session, *, study_id: int, trial_id: int | None = None) -> tuple[MeasurementRecord, ...]:
    """Measurements of a study's trials, or of one of them, oldest first."""
    query = (
        select(MeasurementRow)
        .join(TrialRow, TrialRow.id == MeasurementRow.trial_id)
        .where(TrialRow.study_id == study_id)
    )
    if trial_id is not None:
        query = query.where(MeasurementRow.trial_id == trial_id)
    rows = session.scalars(query.order_by(MeasurementRow.id))
    return tuple(to_record(MeasurementRecord, row) for row in rows)


def all_measurements(
    session: Session, *, runner: str | None, runtime: str | None, threads: int | None
) -> tuple[MeasurementRecord, ...]:
    """Measurements of any study and of none, oldest first; None takes all."""
    query = select(MeasurementRow).order_by(MeasurementRow.id)
    wanted = ((MeasurementRow.runner, runner), (MeasurementRow.runtime, runtime), (MeasurementRow.threads, threads))
    for column, value in wanted:
        if value is not None:
            query = query.where(column == value)
    return tuple(to_record(MeasurementRecord, row) for row in session.scalars(query))


def reports(session: Session, *, run: str | None, kind: str | None) -> tuple[ReportRecord, ...]:
    """Reports of a run, or of a kind, oldest first; None takes all."""
    query = select(ReportRow).order_by(ReportRow.id)
    if run is not None:
        query = query.where(ReportRow.run == run)
    if kind is not None:
        query = query.where(ReportRow.kind == kind)
    return tuple(to_record(ReportRecord, row) for row in session.scalars(query))


def events(session: Session, study_id: int, *, after: int) -> tuple[EventRecord, ...]:
    """Events of a study later than sequence number `after`, in the order in which they happened."""
    query = select(EventRow).where(EventRow.study_id == study_id, EventRow.sequence > after)
    rows = session.scalars(query.order_by(EventRow.sequence))
    return tuple(to_record(EventRecord, row) for row in rows)


def _known_studies(session: Session) -> str:
    names = session.scalars(select(StudyRow.name).order_by(StudyRow.id.desc())).all()
    if not names:
        return "the database has no studies yet"
    shown = ", ".join(names[:_NUM_NAMES_SHOWN])
    return f"known studies: {shown}" + (
        f" and {len(names) - _NUM_NAMES_SHOWN} older" if len(names) > _NUM_NAMES_SHOWN else ""
    )
