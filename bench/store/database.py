"""The store itself: every method is one transaction, and each that writes appends the event that tells of it.

A driver killed at any moment leaves the whole transactions it was told about and nothing else; the events
of a study, in order, hold every decision that was taken and every result it was taken on.

    with open_store() as store:
        study = store.create_study("first", ...)
        trial = store.add_trial(study.id, ...)
        store.start_trial(trial.id)
        store.record_score(trial.id, ...)
        store.set_trial_status(trial.id, "complete")
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from bench.errors import StoreError
from bench.store import queries
from bench.store.location import Location
from bench.store.reader import Reader
from bench.store.records import (
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
from bench.store.retrainings import EVENT_KIND, RetrainingStore
from bench.store.tables import ArtifactRow, Base, EventRow, MeasurementRow, ReportRow, ScoreRow, StudyRow, TrialRow
from bench.store.transitions import (
    FINISHED_STUDY,
    FINISHED_TRIAL,
    STUDY_MOVES,
    TRIAL_MOVES,
    check_move,
    checked_reason,
    printable,
)

# What the store appends by itself; `record_event` takes every other kind.
EVENT_KINDS = (
    "study_created",
    "study_status",
    "study_extended",
    "hypervolume_reference",
    "trial_added",
    "trial_status",
    "costs",
    "stage_seconds",
    "score",
    "artifact",
    "measurement",
    EVENT_KIND,
)
# Names stand in commands, file names and STUDY/NUMBER.
_STUDY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Store(RetrainingStore, Reader):
    """One open database; safe from several processes and threads, but not across a fork."""

    def __init__(
        self,
        engine: Engine,
        location: Location,
        *,
        read_only: bool,
        timeout_s: float,
        clock: Callable[[], datetime],
    ) -> None:
        super().__init__(engine, location, read_only=read_only, timeout_s=timeout_s)
        self._clock = clock

    def create_study(
        self,
        name: str,
        *,
        config: Json,
        space_name: str,
        space_text: str,
        space_hash: str,
        objectives: Json,
        hypervolume_reference: Json,
        seed: int,
        versions: Json,
        git_revision: str | None,
        fingerprint: Json,
    ) -> StudyRecord:
        """Start a study of a new name, with status `running`."""
        if not _STUDY_NAME.fullmatch(name):
            raise StoreError(
                f"study name {name!r} is not usable; allowed: up to 100 letters, digits, '.', '_' and '-',"
                f" a letter or digit first; choose another --name"
            )
        decisions = {
            "name": name,
            "config": config,
            "space_hash": space_hash,
            "objectives": objectives,
            "hypervolume_reference": hypervolume_reference,
            "seed": seed,
            "versions": versions,
            "git_revision": git_revision,
        }
        with self._writing() as session:
            if queries.has_study(session, name):
                raise StoreError(
                    f"study {name!r} exists already; names are unique;"
                    f" choose another --name, or go on with --resume {name}"
                )
            row = StudyRow(
                **decisions,
                reference_ms={},
                status="running",
                space_name=space_name,
                space_text=space_text,
                fingerprint=fingerprint,
                created_at=self._clock(),
            )
            self._insert(session, row)
            self._append(session, "study_created", decisions, study_id=row.id)
            return queries.to_record(StudyRecord, row)

    def extend_study(self, study_id: int, *, config: Json, space_text: str, space_hash: str) -> StudyRecord:
        """Give a study more to try than it began with; what it began with stands in its first event."""
        with self._writing() as session:
            row = queries.study_row(session, study_id, lock=True)
            row.config, row.space_text, row.space_hash = config, space_text, space_hash
            data = {"config": config, "space_hash": space_hash}
            self._append(session, "study_extended", data, study_id=study_id)
            return queries.to_record(StudyRecord, row)

    def set_study_status(self, study_id: int, status: StudyStatus, *, reason: str | None = None) -> StudyRecord:
        """Move a study on (transitions.py says what may follow what); `failed` needs a reason."""
        reason = checked_reason(status, reason)
        with self._writing() as session:
            row = queries.study_row(session, study_id, lock=True)
            old = row.status
            check_move(f"study {row.name!r}", STUDY_MOVES, old=old, new=status)
            row.status, row.reason = status, reason
            row.finished_at = self._clock() if status in FINISHED_STUDY else None
            data = {"from": old, "to": status, "reason": reason}
            self._append(session, "study_status", data, study_id=study_id)
            return queries.to_record(StudyRecord, row)

    def set_hypervolume_reference(
        self, study_id: int, reference: Mapping[str, float], *, reference_ms: Mapping[str, float] | None = None
    ) -> StudyRecord:
        """State what is known only after the first measurements: the reference point, and the pinned network's ms."""
        with self._writing() as session:
            row = queries.study_row(session, study_id, lock=True)
            row.hypervolume_reference = reference
            row.reference_ms = reference_ms or {}
            data = {**reference, "reference_ms": row.reference_ms}
            self._append(session, "hypervolume_reference", data, study_id=study_id)
            return queries.to_record(StudyRecord, row)

    def add_trial(
        self,
        study_id: int,
        *,
        architecture_id: str,
        architecture: Json,
        source: str,
        seed: int,
        proposal: Json,
        number: int | None = None,
    ) -> TrialRecord:
        """Queue a trial; without `number` it gets the next one. An architecture is tried once in a study."""
        with self._writing() as session:
            study = queries.study_row(session, study_id, lock=True)
            queries.check_new_architecture(session, study, architecture_id)
            next_number = queries.next_trial_number(session, study_id)
            if number is not None and number < next_number:
                raise StoreError(
                    f"trial number {number} of study {study.name!r} is taken or passed; the next is"
                    f" {next_number}; leave the number to the store"
                )
            decisions = {
                "number": next_number if number is None else number,
                "architecture_id": architecture_id,
                "source": source,
                "seed": seed,
                "proposal": proposal,
            }
            row = TrialRow(
                **decisions,
                study=study,
                architecture=architecture,
                status="queued",
                costs={},
                stage_seconds={},
                created_at=self._clock(),
            )
            self._insert(session, row)
            return self._changed(session, row, "trial_added", decisions)

    def start_trial(self, trial_id: int) -> TrialRecord:
        """A queued or paused trial runs now."""
        return self.set_trial_status(trial_id, "running")

    def set_trial_status(self, trial_id: int, status: TrialStatus, *, reason: str | None = None) -> TrialRecord:
        """Move a trial on (transitions.py says what may follow what); `failed` needs a reason."""
        reason = checked_reason(status, reason)
        with self._writing() as session:
            row = queries.trial_row(session, trial_id, lock=True)
            old, now = row.status, self._clock()
            check_move(f"trial {row.label}", TRIAL_MOVES, old=old, new=status)
            row.status, row.reason = status, reason
            if status == "running" and row.started_at is None:
                row.started_at = now
            row.finished_at = now if status in FINISHED_TRIAL else None
            data = {"from": old, "to": status, "reason": reason, "rung": row.rung}
            return self._changed(session, row, "trial_status", data)

    def record_costs(self, trial_id: int, costs: Json) -> TrialRecord:
        """Keep parameters, MACs and the like, which are known without training or timing."""
        with self._writing() as session:
            row = queries.trial_row(session, trial_id, lock=True)
            row.costs = costs
            return self._changed(session, row, "costs", costs)

    def add_stage_seconds(self, trial_id: int, seconds: Mapping[str, float]) -> TrialRecord:
        """Add the seconds spent by stage to those spent before: a trial trains once per rung."""
        with self._writing() as session:
            row = queries.trial_row(session, trial_id, lock=True)
            before = row.stage_seconds
            row.stage_seconds = {
                **before,
                **{key: before.get(key, 0) + value for key, value in seconds.items()},
            }
            return self._changed(session, row, "stage_seconds", seconds)

    def record_score(
        self,
        trial_id: int,
        *,
        rung: int,
        accuracy: float,
        loss: float,
        fidelity: Json,
        curve: Sequence[Json],
        seconds: float,
        weights_path: str | None = None,
    ) -> ScoreRecord:
        """Keep the score of one rung, once; a finished trial takes no more of them."""
        if not all(math.isfinite(value) for value in (accuracy, loss, seconds)):
            raise StoreError(
                f"score with accuracy {accuracy}, loss {loss}, seconds {seconds}; finite numbers are needed;"
                f" record a diverged training as a failed trial with its reason"
            )
        result = {"rung": rung, "accuracy": accuracy, "loss": loss, "fidelity": fidelity, "seconds": seconds}
        with self._writing() as session:
            trial = queries.trial_row(session, trial_id, lock=True)
            queries.check_scorable(session, trial, rung)
            row = ScoreRow(**result, trial_id=trial_id, curve=tuple(curve), created_at=self._clock())
            self._insert(session, row)
            trial.rung = rung if trial.rung is None else max(rung, trial.rung)
            trial.weights_path = weights_path or trial.weights_path
            self._changed(session, trial, "score", {**result, "score_id": row.id, "weights_path": weights_path})
            return queries.to_record(ScoreRecord, row)

    def record_artifact(
        self,
        trial_id: int,
        *,
        sha256: str,
        format: str,  # noqa: A002 (the field's word, as in ArtifactRecord)
        num_bytes: int,
        details: Json,
    ) -> ArtifactRecord:
        """Keep how an exported file was made."""
        result = {"sha256": sha256, "format": format, "num_bytes": num_bytes}
        with self._writing() as session:
            trial = queries.trial_row(session, trial_id, lock=True)
            row = ArtifactRow(**result, trial_id=trial_id, details=details, created_at=self._clock())
            self._insert(session, row)
            self._changed(session, trial, "artifact", {**result, "artifact_id": row.id})
            return queries.to_record(ArtifactRecord, row)

    def record_measurement(
        self,
        *,
        trial_id: int | None,
        architecture_id: str | None,
        runner: str,
        runtime: str,
        threads: int,
        resolution: int,
        artifact_sha256: str,
        verdict: str,
        reason: str | None,
        protocol: Json,
        fingerprint: Json,
        summary: Json,
        samples: Json,
        label: str | None = None,
        session: str | None = None,
    ) -> MeasurementRecord:
        """Keep raw samples and the summary read from them; `trial_id` None: measured outside any study."""
        result = {
            "label": printable(label),
            "session": session,
            "architecture_id": architecture_id,
            "runner": runner,
            "runtime": runtime,
            "threads": threads,
            "resolution": resolution,
            "artifact_sha256": artifact_sha256,
            "verdict": verdict,
            "reason": printable(reason),
            "summary": summary,
        }
        with self._writing() as transaction:
            trial = None if trial_id is None else queries.trial_row(transaction, trial_id, lock=True)
            row = MeasurementRow(
                **result,
                trial_id=trial_id,
                protocol=protocol,
                fingerprint=fingerprint,
                samples=samples,
                created_at=self._clock(),
            )
            self._insert(transaction, row)
            study_id = None if trial is None else trial.study_id
            data = {**result, "measurement_id": row.id}
            self._append(transaction, "measurement", data, study_id=study_id, trial_id=trial_id)
            return queries.to_record(MeasurementRecord, row)

    def record_report(self, *, run: str, kind: str, subject: str, data: Json, fingerprint: Json) -> ReportRecord:
        """Keep what was found of one subject in one run of a command; found again, it takes the place of the first."""
        values = {"kind": kind, "data": data, "fingerprint": fingerprint, "created_at": self._clock()}
        with self._writing() as session:
            query = select(ReportRow).where(ReportRow.run == run, ReportRow.subject == subject)
            row = session.scalar(query.with_for_update())
            if row is None:
                row = ReportRow(run=run, subject=subject, **values)
                self._insert(session, row)
            else:
                for name, value in values.items():
                    setattr(row, name, value)
                session.flush()
            return queries.to_record(ReportRecord, row)

    def record_event(self, study_id: int, kind: str, data: Json, *, trial_id: int | None = None) -> EventRecord:
        """Append a decision of the caller's own, such as a rejected proposal, to the order of things."""
        if kind in EVENT_KINDS:
            raise StoreError(
                f"event kind {kind!r} is the store's own, which appends it by itself; any other is allowed;"
                f" choose another name"
            )
        with self._writing() as session:
            queries.study_row(session, study_id, lock=True)
            row = self._append(session, kind, data, study_id=study_id, trial_id=trial_id)
            return queries.to_record(EventRecord, row)

    def _changed(self, session: Session, trial: TrialRow, kind: str, data: Json) -> TrialRecord:
        self._append(session, kind, data, study_id=trial.study_id, trial_id=trial.id)
        return queries.to_record(TrialRecord, trial)

    def _append(
        self, session: Session, kind: str, data: Json, *, study_id: int | None, trial_id: int | None = None
    ) -> EventRow:
        row = EventRow(study_id=study_id, trial_id=trial_id, kind=kind, data=data, created_at=self._clock())
        self._insert(session, row)
        return row

    def _insert(self, session: Session, row: Base) -> None:
        """Write at once, so that the row has its id for the event that names it."""
        session.add(row)
        session.flush()
