"""Reading the fleet: every method is one transaction, so what it gives back is one consistent state."""

from __future__ import annotations

from sqlalchemy import func, select

from bench.store import fleet_queries as queries
from bench.store.fleet_records import AttemptRecord, JobEventRecord, JobRecord, RunnerRecord, TokenRecord
from bench.store.fleet_tables import AttemptRow, JobBodyRow, JobEventRow, JobRow, RunnerRow, TokenRow
from bench.store.queries import to_record
from bench.store.records import Json
from bench.store.sessions import Sessions

_UNFINISHED = ("queued", "leased")


class FleetReader(Sessions):
    """The reading half of the fleet's store."""

    def token(self, sha256: str) -> TokenRecord | None:
        """The token with this hash; None where there is none or it was revoked."""
        with self._reading() as session:
            row = session.scalar(select(TokenRow).where(TokenRow.sha256 == sha256, TokenRow.revoked_at.is_(None)))
            return None if row is None else to_record(TokenRecord, row)

    def live_tokens(self, *, token_id: int | None = None, runner_id: str | None = None) -> dict[str, TokenRecord]:
        """Tokens that are not revoked by their SHA-256: all, the one with an id, or those that speak for a runner."""
        query = select(TokenRow).where(TokenRow.revoked_at.is_(None))
        if token_id is not None:
            query = query.where(TokenRow.id == token_id)
        if runner_id is not None:
            query = query.where(TokenRow.runner_id == runner_id)
        with self._reading() as session:
            return {row.sha256: to_record(TokenRecord, row) for row in session.scalars(query)}

    def tokens(self) -> tuple[TokenRecord, ...]:
        """All tokens, the revoked ones too, oldest first."""
        with self._reading() as session:
            return tuple(to_record(TokenRecord, row) for row in session.scalars(select(TokenRow).order_by(TokenRow.id)))

    def runner(self, name_or_id: str) -> RunnerRecord:
        """The runner of this name or id; an unknown one is an error that gives the nearest."""
        with self._reading() as session:
            return to_record(RunnerRecord, queries.runner_row(session, name_or_id))

    def runners(self) -> tuple[RunnerRecord, ...]:
        """All runners, the removed ones too, oldest first."""
        with self._reading() as session:
            rows = session.scalars(select(RunnerRow).order_by(RunnerRow.created_at, RunnerRow.name))
            return tuple(to_record(RunnerRecord, row) for row in rows)

    def job(self, job_id: str) -> JobRecord:
        """The job with this id."""
        with self._reading() as session:
            return to_record(JobRecord, queries.job_row(session, job_id))

    def runner_attempts(
        self, name_or_id: str, *, most: int, client: int | None = None
    ) -> tuple[tuple[AttemptRecord, JobRecord], ...]:
        """The newest attempts on a runner with their jobs, newest first; `client`: those at its own jobs alone."""
        with self._reading() as session:
            runner = queries.runner_row(session, name_or_id)
            query = select(AttemptRow, JobRow).join(JobRow, AttemptRow.job_id == JobRow.id)
            query = query.where(AttemptRow.runner_id == runner.id).order_by(AttemptRow.fence.desc()).limit(most)
            if client is not None:
                query = query.where(JobRow.client == client)
            found = session.execute(query).all()
            return tuple((to_record(AttemptRecord, attempt), to_record(JobRecord, job)) for attempt, job in found)

    def job_body(self, job_id: str) -> Json:
        """What was submitted."""
        with self._reading() as session:
            job = queries.job_row(session, job_id)
            return session.get_one(JobBodyRow, job.id).body

    def job_result(self, job_id: str) -> Json | None:
        """What the attempt that finished the job gave; None while there is none."""
        with self._reading() as session:
            job = queries.job_row(session, job_id)
            query = select(AttemptRow.result).where(AttemptRow.job_id == job.id, AttemptRow.status == "done")
            return session.scalar(query)

    def finished_job(self, fence: int, *, runner_id: str, sha256: str) -> JobRecord | None:
        """The job that this runner ended under this fence with that very result; None: there is none."""
        done = (AttemptRow.status == "done", AttemptRow.runner_id == runner_id, AttemptRow.result_sha256 == sha256)
        query = select(JobRow).join(AttemptRow, AttemptRow.job_id == JobRow.id).where(AttemptRow.fence == fence, *done)
        with self._reading() as session:
            row = session.scalar(query)
            return None if row is None else to_record(JobRecord, row)

    def partial_result(self, fence: int) -> Json | None:
        """The last look of an attempt that is live or came to nothing; None where there was none."""
        with self._reading() as session:
            return queries.attempt_row(session, fence).partial

    def unfinished(self) -> tuple[JobRecord, ...]:
        """Queued and leased jobs in order of arrival."""
        with self._reading() as session:
            rows = session.scalars(select(JobRow).where(JobRow.status.in_(_UNFINISHED)).order_by(JobRow.number))
            return tuple(to_record(JobRecord, row) for row in rows)

    def count_unfinished(self, client: int) -> int:
        """Queued and leased jobs of the token with this id."""
        query = select(func.count()).select_from(JobRow)
        with self._reading() as session:
            return session.scalar(query.where(JobRow.client == client, JobRow.status.in_(_UNFINISHED))) or 0

    def attempts(self, job_id: str) -> tuple[AttemptRecord, ...]:
        """Every attempt at a job, in order."""
        with self._reading() as session:
            job = queries.job_row(session, job_id)
            rows = session.scalars(select(AttemptRow).where(AttemptRow.job_id == job.id).order_by(AttemptRow.fence))
            return tuple(to_record(AttemptRecord, row) for row in rows)

    def live_attempts(self) -> tuple[AttemptRecord, ...]:
        """Every lease that has not ended, oldest first."""
        with self._reading() as session:
            rows = session.scalars(select(AttemptRow).where(AttemptRow.status == "leased").order_by(AttemptRow.fence))
            return tuple(to_record(AttemptRecord, row) for row in rows)

    def last_failures(self) -> dict[str, AttemptRecord]:
        """The last attempt that failed or expired, by id of its runner."""
        failed = AttemptRow.status.in_(("failed", "expired"))
        newest = select(func.max(AttemptRow.fence)).where(failed).group_by(AttemptRow.runner_id)
        with self._reading() as session:
            rows = session.scalars(select(AttemptRow).where(AttemptRow.fence.in_(newest)))
            return {row.runner_id: to_record(AttemptRecord, row) for row in rows}

    def events(self, job_id: str, *, after: int = 0) -> tuple[JobEventRecord, ...]:
        """What happened to a job, in order; `after` gives only what is newer than that sequence number."""
        with self._reading() as session:
            job = queries.job_row(session, job_id)
            query = select(JobEventRow).where(JobEventRow.job_id == job.id, JobEventRow.sequence > after)
            rows = session.scalars(query.order_by(JobEventRow.sequence))
            return tuple(to_record(JobEventRecord, row) for row in rows)
