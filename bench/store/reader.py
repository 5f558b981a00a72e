"""Reading a store: every method is one transaction, so what it gives back is one consistent state."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from bench.store import queries
from bench.store.faults import explained, is_busy
from bench.store.location import Location
from bench.store.records import (
    ArtifactRecord,
    EventRecord,
    MeasurementRecord,
    ReportRecord,
    ScoreRecord,
    StudyRecord,
    TrialRecord,
)

_RETRY_S = 0.01


class Reader:
    """The reading half of a store; what reports need."""

    def __init__(self, engine: Engine, location: Location, *, timeout_s: float) -> None:
        self.location = location
        self._engine = engine
        self._timeout_s = timeout_s

    def close(self) -> None:
        """Give the connections back; SQLite then folds its log into the one database file."""
        self._engine.dispose()

    def study(self, name: str) -> StudyRecord:
        """The study of this name; an unknown one is an error that gives the nearest."""
        with self._reading() as session:
            return queries.to_record(StudyRecord, queries.study_row_by_name(session, name))

    def studies(self) -> tuple[StudyRecord, ...]:
        """All studies, oldest first."""
        with self._reading() as session:
            return queries.studies(session)

    def next_trial_number(self, study_id: int) -> int:
        """The number that the next trial of the study gets, if nobody else adds one before."""
        with self._reading() as session:
            return queries.next_trial_number(session, queries.study_row(session, study_id).id)

    def architecture_ids(self, study_id: int) -> frozenset[str]:
        """Ids of all architectures that the study has tried or queued."""
        with self._reading() as session:
            return queries.architecture_ids(session, queries.study_row(session, study_id).id)

    def trial(self, trial_id: int) -> TrialRecord:
        """The trial with this id."""
        with self._reading() as session:
            return queries.to_record(TrialRecord, queries.trial_row(session, trial_id))

    def find_trial(self, text: str) -> TrialRecord:
        """The trial that a user names `STUDY/NUMBER`, or by its id."""
        with self._reading() as session:
            return queries.to_record(TrialRecord, queries.find_trial_row(session, text))

    def trials(self, study_id: int) -> tuple[TrialRecord, ...]:
        """All trials of a study by number."""
        with self._reading() as session:
            return queries.trials(session, queries.study_row(session, study_id).id)

    def scores(self, trial_id: int) -> tuple[ScoreRecord, ...]:
        """Scores of a trial by rung."""
        with self._reading() as session:
            trial = queries.trial_row(session, trial_id)
            return queries.scores(session, study_id=trial.study_id, trial_id=trial_id)

    def study_scores(self, study_id: int) -> tuple[ScoreRecord, ...]:
        """Scores of all trials of a study, by trial number and rung."""
        with self._reading() as session:
            return queries.scores(session, study_id=queries.study_row(session, study_id).id)

    def artifacts(self, trial_id: int) -> tuple[ArtifactRecord, ...]:
        """Artifacts of a trial, oldest first."""
        with self._reading() as session:
            return queries.artifacts(session, queries.trial_row(session, trial_id).id)

    def measurements(self, trial_id: int) -> tuple[MeasurementRecord, ...]:
        """Measurements of a trial, oldest first."""
        with self._reading() as session:
            trial = queries.trial_row(session, trial_id)
            return queries.measurements(session, study_id=trial.study_id, trial_id=trial_id)

    def study_measurements(self, study_id: int) -> tuple[MeasurementRecord, ...]:
        """Measurements of all trials of a study, oldest first."""
        with self._reading() as session:
            return queries.measurements(session, study_id=queries.study_row(session, study_id).id)

    def all_measurements(
        self, *, runner: str | None = None, runtime: str | None = None, threads: int | None = None
    ) -> tuple[MeasurementRecord, ...]:
        """Measurements of any study and of none, oldest first; None takes all."""
        with self._reading() as session:
            return queries.all_measurements(session, runner=runner, runtime=runtime, threads=threads)

    def reports(self, *, run: str | None = None, kind: str | None = None) -> tuple[ReportRecord, ...]:
        """Reports of a run, or of a kind, oldest first; None takes all."""
        with self._reading() as session:
            return queries.reports(session, run=run, kind=kind)

    def events(self, study_id: int, *, after: int = 0) -> tuple[EventRecord, ...]:
        """What happened in a study, in order; `after` gives only what is newer than that sequence number."""
        with self._reading() as session:
            return queries.events(session, queries.study_row(session, study_id).id, after=after)

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with self._session(self._engine) as session:
            yield session

    @contextmanager
    def _session(self, engine: Engine) -> Iterator[Session]:
        """A session in a transaction, its errors explained; rolled back unless committed."""
        with (
            explained(self.location, timeout_s=self._timeout_s),
            Session(engine, expire_on_commit=False) as session,
        ):
            self._begin(session)
            yield session

    def _begin(self, session: Session) -> None:
        """Begin, waiting for others as long as allowed; after that SQLite never has to wait."""
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                # A plain BEGIN of SQLite takes its snapshot with the first statement.
                session.execute(text("SELECT 1 FROM alembic_version"))
                return
            except OperationalError as error:
                session.rollback()
                # SQLite waits by itself, except where that could not end (sqlite.org/rescode.html#busy).
                if not is_busy(error) or time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_S)
