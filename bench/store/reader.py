"""Reading a store: every method is one transaction, so what it gives back is one consistent state."""

from __future__ import annotations

from bench.store import queries
from bench.store.changes import ChangesReader
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


class Reader(ChangesReader):
    """The reading half of a store; what reports need."""

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

    def study_retrainings(self, study_id: int) -> tuple[RetrainingRecord, ...]:
        """What came of training the front of a study again, by trial number and seed."""
        with self._reading() as session:
            return queries.retrainings(session, queries.study_row(session, study_id).id)

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
