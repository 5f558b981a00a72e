"""The store of the fleet: jobs, the attempts at them and their events; every method is one transaction.

A hub killed at any moment leaves whole transactions and nothing else: what a runner was told is stored, what is not
stored was not told. A job ends exactly once; each lease has a fence, and what arrives under a fence whose lease has
ended is refused.

    with open_fleet() as fleet:
        job, is_new = fleet.add_job(
            client=1, key="a", body_sha256=..., runner_id=..., priority=0, body=..., num_bytes=...
        )
        attempt = fleet.start_attempt(job.id, job.runner_id)
        fleet.finish_attempt(attempt.fence, {"measurements": [...]}, sha256=...)
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from bench.errors import FleetError
from bench.store import fleet_queries as queries
from bench.store.fleet_claim import Claim
from bench.store.fleet_errors import ClaimedError, EnrolmentError, KeyReusedError, StaleFenceError, UnknownError
from bench.store.fleet_records import FINISHED_JOB, AttemptRecord, AttemptStatus, JobEventKind, JobRecord
from bench.store.fleet_retention import FleetRetention
from bench.store.fleet_tables import AttemptRow, JobBodyRow, JobEventRow, JobRow, RunnerRow
from bench.store.opening import prepared, utc_now
from bench.store.queries import to_record
from bench.store.records import Json
from bench.store.transitions import printable

__all__ = [
    "UNHEARD",
    "ClaimedError",
    "EnrolmentError",
    "FleetStore",
    "KeyReusedError",
    "StaleFenceError",
    "UnknownError",
    "open_fleet",
]

# Why a lease expires, unless something else is known.
UNHEARD = "its runner was not heard of before the lease ran out"

_KEY_LENGTH = 200


def open_fleet(
    db: str | Path | None = None, *, timeout_s: float = 30.0, clock: Callable[[], datetime] = utc_now
) -> FleetStore:
    """Open the fleet's tables of a database, which is found, created and migrated as by `open_store`.

    Args:
        db: a path or SQLAlchemy URL; by default `BENCH_DB`, else `results/bench.db`. A database in memory is for
            one thread.
        timeout_s: how long to wait for other processes that write.
        clock: gives the aware time of each row.

    Raises:
        StoreError: nothing usable is there, it is locked, or its schema is newer than this version.
        MissingExtra: the driver of the URL is not installed.
    """
    engine, location = prepared(db, read_only=False, timeout_s=timeout_s)
    return FleetStore(engine, location, timeout_s=timeout_s, clock=clock)


class FleetStore(FleetRetention):
    """One open database; safe from several processes and threads, but not across a fork."""

    def claim(self) -> Claim:
        """A context in which one hub alone uses the database, whatever machine it runs on.

        Raises:
            ClaimedError: another hub does; on entering it.
        """
        return Claim(self._engine, self.location, timeout_s=self._timeout_s)

    def add_job(
        self, *, client: int, key: str, body_sha256: str, runner_id: str, priority: int, body: Json, num_bytes: int
    ) -> tuple[JobRecord, bool]:
        """Queue a job, and whether it is new: the same key of the same client gives the job that it gave before.

        Args:
            client: id of the token that submits it.
            key: chosen by the client, so that a request sent twice makes one job.
            body_sha256: of the request as it came, by which "the same" is judged.
            runner_id: id or name of the one runner that may lease it.
            priority: higher goes first.
            body: kept whole; its "files" say which files the job names, its "is_test" whether it is a test.
            num_bytes: of the body as JSON.

        Raises:
            KeyReusedError: the key stands for another job.
        """
        if not (0 < len(key) <= _KEY_LENGTH and key.isprintable()):
            raise FleetError(
                f"idempotency key of {len(key)} characters is not usable; allowed: 1 to {_KEY_LENGTH} printable"
                f" characters; send another"
            )
        with self._writing() as session:
            # Under the lock of its client: of two requests with one key, one makes the job and the other finds it.
            queries.token_row(session, client, lock=True)
            known = session.scalar(select(JobRow).where(JobRow.client == client, JobRow.key == key))
            if known is not None:
                return _same(known, body_sha256), False
            runner = queries.runner_row(session, runner_id)
            _check_not_removed(runner)
            row = JobRow(
                id=secrets.token_hex(16),
                client=client,
                key=key,
                body_sha256=body_sha256,
                runner_row=runner,
                priority=priority,
                is_test=bool(body.get("is_test", False)),
                status="queued",
                num_attempts=0,
                num_bytes=num_bytes,
                artifacts=_files_of(body),
                created_at=self._clock(),
            )
            session.add(row)
            session.flush()
            session.add(JobBodyRow(job_id=row.id, body=body))
            data = {"client": client, "priority": priority, "is_test": row.is_test}
            return self._told(session, row, "queued", data), True

    def job_of_key(self, *, client: int, key: str, body_sha256: str) -> JobRecord | None:
        """The job that this key of this client stands for; None: it is new.

        Raises:
            KeyReusedError: the key stands for another job.
        """
        with self._reading() as session:
            known = session.scalar(select(JobRow).where(JobRow.client == client, JobRow.key == key))
            return None if known is None else _same(known, body_sha256)

    def start_attempt(self, job_id: str, runner_id: str) -> AttemptRecord:
        """Lease a queued job to its runner, which has one lease at a time."""
        with self._writing() as session:
            job = queries.job_row(session, job_id, lock=True)
            if job.status != "queued":
                raise FleetError(
                    f"job {job.id} is {job.status} and cannot be leased; only a queued one can; take the next"
                )
            _check_free(session, job, runner_id)
            job.status, job.reason = "leased", None
            job.num_attempts += 1
            attempt = AttemptRow(
                job_id=job.id,
                runner_id=job.runner_id,
                number=job.num_attempts,
                status="leased",
                started_at=self._clock(),
            )
            session.add(attempt)
            session.flush()
            self._told(session, job, "leased", {}, attempt)
            return to_record(AttemptRecord, attempt)

    def record_look(self, fence: int, data: Json, *, note: Json | None = None) -> None:
        """Keep what a live attempt has measured so far in the place of its last look; `note` goes into the event."""
        with self._writing() as session:
            job, attempt = queries.locked_attempt(session, fence)
            queries.check_live(attempt)
            attempt.partial = data
            self._told(session, job, "look", note or {}, attempt)

    def finish_attempt(self, fence: int, result: Json, *, sha256: str) -> JobRecord:
        """Keep the result of a live attempt, which ends its job.

        The same result again, judged by `sha256`, gives the same answer and changes nothing.

        Raises:
            StaleFenceError: the lease has ended, or has another result.
        """
        with self._writing() as session:
            job, attempt = queries.locked_attempt(session, fence)
            if attempt.status == "done" and attempt.result_sha256 == sha256:
                return to_record(JobRecord, job)
            queries.check_live(attempt)
            now = self._clock()
            attempt.status, attempt.finished_at = "done", now
            # The looks were parts of the result.
            attempt.result, attempt.result_sha256, attempt.partial = result, sha256, None
            job.status, job.finished_at = "done", now
            return self._told(session, job, "done", {"sha256": sha256}, attempt)

    def fail_attempt(self, fence: int, kind: str, reason: str, *, retry: bool, delay_s: float = 0.0) -> JobRecord:
        """A live attempt failed; its job waits for the next one (`delay_s` only goes into the event) or fails too."""
        return self._end_attempt(fence, "failed", kind, reason, retry=retry, delay_s=delay_s)

    def expire_attempt(self, fence: int, reason: str = UNHEARD, *, retry: bool, delay_s: float = 0.0) -> JobRecord:
        """Nobody speaks for a live attempt any more; its job is treated as by `fail_attempt`."""
        return self._end_attempt(fence, "expired", "expired", reason, retry=retry, delay_s=delay_s)

    def cancel_job(self, job_id: str, *, reason: str) -> JobRecord:
        """End a job without a result, its lease with it; one that has ended stays as it is."""
        with self._writing() as session:
            job = queries.job_row(session, job_id, lock=True)
            if job.status in FINISHED_JOB:
                return to_record(JobRecord, job)
            attempt, now = queries.live_attempt(session, job_id=job.id), self._clock()
            if attempt is not None:
                attempt.status, attempt.reason, attempt.finished_at = "cancelled", printable(reason), now
            job.status, job.reason, job.finished_at = "cancelled", printable(reason), now
            return self._told(session, job, "cancelled", {"reason": job.reason}, attempt)

    def _end_attempt(
        self, fence: int, status: AttemptStatus, kind: str, reason: str, *, retry: bool, delay_s: float
    ) -> JobRecord:
        with self._writing() as session:
            job, attempt = queries.locked_attempt(session, fence)
            queries.check_live(attempt)
            now = self._clock()
            attempt.status, attempt.finished_at = status, now
            attempt.kind, attempt.reason = printable(kind), printable(reason)
            job.status, job.reason = "queued" if retry else "failed", attempt.reason
            job.finished_at = None if retry else now
            data = {"kind": attempt.kind, "reason": attempt.reason}
            if retry:
                return self._told(session, job, "requeued", {**data, "delay_s": delay_s}, attempt)
            return self._told(session, job, "failed", data, attempt)

    def _told(
        self, session: Session, job: JobRow, kind: JobEventKind, data: Json, attempt: AttemptRow | None = None
    ) -> JobRecord:
        """Append the event that tells of a change; gives the changed job."""
        lease = {} if attempt is None else {"fence": attempt.fence, "attempt": attempt.number}
        session.add(
            JobEventRow(
                job_id=job.id,
                fence=lease.get("fence"),
                kind=kind,
                data={"runner": job.runner, **lease, **data},
                created_at=self._clock(),
            )
        )
        session.flush()
        return to_record(JobRecord, job)


def _same(known: JobRow, body_sha256: str) -> JobRecord:
    if known.body_sha256 != body_sha256:
        raise KeyReusedError(
            f"idempotency key {known.key!r} came with another job before; a key stands for one job;"
            f" send a new key with a new job"
        )
    return to_record(JobRecord, known)


def _check_free(session: Session, job: JobRow, runner_id: str) -> None:
    runner = queries.runner_row(session, runner_id, lock=True)
    _check_not_removed(runner)
    if runner.id != job.runner_id:
        raise FleetError(
            f"job {job.id} is for runner {job.runner!r}, not {runner.name!r}; a job stays with its runner;"
            f" submit another job"
        )
    other = queries.live_attempt(session, runner_id=runner.id)
    if other is not None:
        raise FleetError(
            f"runner {runner.name!r} has lease {other.fence} already; a runner has one at a time; end that one first"
        )


def _check_not_removed(runner: RunnerRow) -> None:
    if runner.status == "removed":
        raise FleetError(
            f"runner {runner.name!r} was removed; only an enrolled runner takes jobs;"
            f" run: bench runners register {runner.name}"
        )


def _files_of(body: Json) -> tuple[str, ...]:
    files = body.get("files", {}).values()
    return tuple(sorted({file["sha256"] for group in files for file in group}))
