"""What has changed in a study after a sequence number, column by column, for whoever follows it while it runs.

Every change of a study, of its trials and of their scores and measurements appends an event in its own transaction,
under the lock of the study's row. Sequence numbers of one study therefore rise in the order of its commits, on
PostgreSQL too, where numbers are given before a commit: nothing later can appear below one that was read. Across
studies this does not hold, so each is followed by its own number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bench.store import queries
from bench.store.blocks import AnyBlock, RetrainingBlock, ScoreBlock, TimingBlock, TrialBlock, of_study, read_blocks
from bench.store.records import Json, StudyRecord
from bench.store.sessions import Sessions
from bench.store.tables import EventRow, MeasurementRow, RetrainingRow, ScoreRow, StudyRow, TrialRow

# Trials by their ids in one statement; above this many in all, everything is read again instead.
_IDS = 500
_MOST_IDS = 5000


class Changes:
    """Of one study, read in one transaction: trials first, then what belongs to them.

    Attributes:
        study: as it is now.
        sequence: of the last event that is contained; ask for what comes after it next time.
        last_event_at: when that happened; None without events.
        is_whole: whether all trials are given, and not only those that changed.
    """

    def __init__(self, session: Session, study: StudyRecord, *, after: int) -> None:
        self._session = session
        self.study = study
        head = session.execute(
            select(EventRow.sequence, EventRow.created_at)
            .where(EventRow.study_id == study.id)
            .order_by(EventRow.sequence.desc())
            .limit(1)
        ).one_or_none()
        self.sequence: int = 0 if head is None else head[0]
        self.last_event_at: datetime | None = None if head is None else head[1]
        self._ids = self._touched(after) if 0 < after <= self.sequence else None
        self.is_whole = self._ids is None

    def trials(self) -> Iterator[TrialBlock]:
        """By number where all are given, else in no order."""
        return self._blocks(TrialBlock, TrialRow.id, order=TrialRow.number)

    def scores(self) -> Iterator[ScoreBlock]:
        """All scores of the trials given, in no order."""
        return self._blocks(ScoreBlock, ScoreRow.trial_id)

    def retrainings(self) -> Iterator[RetrainingBlock]:
        """All retrainings of the trials given, by seed for each trial."""
        return self._blocks(RetrainingBlock, RetrainingRow.trial_id, order=RetrainingRow.seed)

    def timings(self) -> Iterator[TimingBlock]:
        """All measurements of the trials given, oldest first for each trial."""
        return self._blocks(TimingBlock, MeasurementRow.trial_id, order=MeasurementRow.id)

    def _touched(self, after: int) -> list[int] | None:
        """Trials with an event later than `after`; None where so many have that all are read."""
        query = (
            select(EventRow.trial_id)
            .where(EventRow.study_id == self.study.id, EventRow.sequence > after, EventRow.trial_id.is_not(None))
            .distinct()
            .limit(_MOST_IDS + 1)
        )
        found = [trial_id for trial_id in self._session.scalars(query) if trial_id is not None]
        return None if len(found) > _MOST_IDS else sorted(found)

    def _blocks(self, kind: type[AnyBlock], trial_id: Any, order: Any = None) -> Iterator[AnyBlock]:
        query = kind.query() if order is None else kind.query().order_by(order)
        if self._ids is None:
            yield from read_blocks(self._session, kind, of_study(query, trial_id, self.study.id))
            return
        for start in range(0, len(self._ids), _IDS):
            yield from read_blocks(self._session, kind, query.where(trial_id.in_(self._ids[start : start + _IDS])))


class ChangesReader(Sessions):
    """The part of a reader that follows studies."""

    def head(self, study_id: int) -> int:
        """Highest sequence number of a study's events, 0 without any; an index answers it, whatever their number."""
        with self._reading() as session:
            return session.scalar(select(func.max(EventRow.sequence)).where(EventRow.study_id == study_id)) or 0

    def mark(self, study_id: int) -> tuple[int, str, datetime]:
        """A study's head with its name and start, which tell it from that of another database in the same place.

        Raises:
            NotThereError: no study with this id.
        """
        with self._reading() as session:
            study = queries.study_row(session, study_id)
            head = session.scalar(select(func.max(EventRow.sequence)).where(EventRow.study_id == study_id)) or 0
            return head, study.name, study.created_at

    @contextmanager
    def changes(self, study_id: int, *, after: int = 0) -> Iterator[Changes]:
        """What changed in a study after an event: one consistent state, for as long as the block lasts.

        Args:
            after: sequence number of the last event that is known; 0, and one that is not there (yet), give everything.

        Raises:
            StoreError: no study with this id.
        """
        with self._reading() as session:
            study = queries.to_record(StudyRecord, queries.study_row(session, study_id))
            yield Changes(session, study, after=after)

    def study_by_id(self, study_id: int) -> StudyRecord:
        """The study with this id; an unknown one is an error that names what there is."""
        with self._reading() as session:
            return queries.to_record(StudyRecord, queries.study_row(session, study_id))

    def architectures(self, trial_ids: Sequence[int]) -> dict[int, Json]:
        """The architectures of trials, by trial id."""
        found: dict[int, Json] = {}
        with self._reading() as session:
            for start in range(0, len(trial_ids), _IDS):
                query = select(TrialRow.id, TrialRow.architecture).where(
                    TrialRow.id.in_(trial_ids[start : start + _IDS])
                )
                found.update((row[0], row[1]) for row in session.execute(query))
        return found

    def fidelity(self, study_id: int) -> Json | None:
        """What the newest score of the highest rung was bought at; None without scores."""
        query = (
            select(ScoreRow.fidelity)
            .join(TrialRow, TrialRow.id == ScoreRow.trial_id)
            .where(TrialRow.study_id == study_id)
            .order_by(ScoreRow.rung.desc(), ScoreRow.id.desc())
            .limit(1)
        )
        with self._reading() as session:
            return session.scalar(query)

    def status_counts(self) -> dict[int, dict[str, int]]:
        """Number of trials by status, for each study that has any."""
        query = select(TrialRow.study_id, TrialRow.status, func.count()).group_by(TrialRow.study_id, TrialRow.status)
        counts: dict[int, dict[str, int]] = {}
        with self._reading() as session:
            for study_id, status, number in session.execute(query):
                counts.setdefault(study_id, {})[status] = number
        return counts

    def study_named(self, name: str) -> StudyRecord | None:
        """The study of this name; None where there is none."""
        with self._reading() as session:
            row = session.scalar(select(StudyRow).where(StudyRow.name == name))
            return None if row is None else queries.to_record(StudyRecord, row)
