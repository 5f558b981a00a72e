"""What of a job is kept for how long: its row and what became of it for good, its body and its result for a while."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, or_, select, update

from bench.store import fleet_queries as queries
from bench.store.fleet_access import FleetAccess
from bench.store.fleet_tables import AttemptRow, JobBodyRow, JobEventRow, JobRow


class FleetRetention(FleetAccess):
    """The part of the fleet's store that lets go of what is large."""

    def note_fetched(self, job_id: str) -> None:
        """Its client has the result of a job; the first time counts."""
        with self._writing() as session:
            job = queries.job_row(session, job_id, lock=True)
            job.fetched_at = job.fetched_at or self._clock()

    def clear_jobs(self, *, settled: timedelta, unfetched: timedelta, most: int) -> tuple[str, ...]:
        """Takes body, results and looks from jobs that ended long ago, the oldest first; gives the ids of those jobs.

        Args:
            settled: since the end of a job whose client has its result, or that has none.
            unfetched: since the end of one whose result nobody has fetched.
            most: jobs at a time.
        """
        with self._writing() as session:
            now = self._clock()
            is_settled = or_(JobRow.fetched_at.is_not(None), JobRow.status != "done")
            is_old = or_(JobRow.finished_at < now - unfetched, is_settled & (JobRow.finished_at < now - settled))
            query = select(JobRow.id).where(
                JobRow.cleared_at.is_(None), JobRow.finished_at < now - min(settled, unfetched)
            )
            ids = tuple(session.scalars(query.where(is_old).order_by(JobRow.finished_at).limit(most)))
            session.execute(delete(JobBodyRow).where(JobBodyRow.job_id.in_(ids)))
            session.execute(update(AttemptRow).where(AttemptRow.job_id.in_(ids)).values(partial=None, result=None))
            session.execute(delete(JobEventRow).where(JobEventRow.job_id.in_(ids), JobEventRow.kind == "look"))
            session.execute(update(JobRow).where(JobRow.id.in_(ids)).values(cleared_at=now))
            return ids
