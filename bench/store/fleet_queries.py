"""Rows of the fleet looked up, with errors that name what there is.

Where a row is to be changed it is read under its lock, before anything that depends on it: the lock of a job orders
whatever happens to the job and its attempts (SQLite has one writer anyway). Locks are taken in one order - a client's
token or a job, then the runner, then the runner's own tokens - so that no two transactions wait for each other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from bench.errors import nearest
from bench.store.fleet_errors import EnrolmentError, StaleFenceError, UnknownError
from bench.store.fleet_tables import AttemptRow, EnrolmentRow, JobRow, RunnerRow, TokenRow

# Names stand in commands, URLs and file names; one of 32 hex digits would be taken for an id.
RUNNER_NAME = re.compile(r"(?![0-9a-f]{32}\Z)[a-z0-9][a-z0-9._-]{0,39}")
_ID = re.compile(r"[0-9a-f]{32}")
# What an integer of PostgreSQL holds; no row is ever that far.
_LARGEST = 2**31 - 1
_NUM_SHOWN = 10


def token_row(session: Session, token_id: int, *, lock: bool = False) -> TokenRow:
    """The token with this id, revoked or not."""
    query = select(TokenRow).where(TokenRow.id == token_id)
    row = session.scalar(query.with_for_update() if lock else query) if _is_number(token_id) else None
    if row is None:
        tokens = session.execute(select(TokenRow.id, TokenRow.name).order_by(TokenRow.id.desc())).all()
        known = _shown("tokens", [f"{number} ({name})" for number, name in tokens])
        raise UnknownError(f"no token with id {token_id}; {known}; use the id of one of them")
    return row


def runner_row(session: Session, name_or_id: str, *, lock: bool = False) -> RunnerRow:
    """The runner of this name or id, removed or not."""
    is_id = _ID.fullmatch(name_or_id) is not None
    query = select(RunnerRow).where((RunnerRow.id if is_id else RunnerRow.name) == name_or_id)
    if lock:
        # A runner that came along with a job was read without its lock, so it is read again.
        query = query.with_for_update().execution_options(populate_existing=True)
    row = session.scalar(query) if is_id or RUNNER_NAME.fullmatch(name_or_id) else None
    if row is None:
        names = session.scalars(select(RunnerRow.name).order_by(RunnerRow.created_at.desc(), RunnerRow.name)).all()
        hint = nearest(name_or_id, names) or "; register it with: bench runners register NAME"
        raise UnknownError(f"no runner {name_or_id!r}; {_shown('runners', names)}{hint}")
    return row


def job_row(session: Session, job_id: str, *, lock: bool = False) -> JobRow:
    """The job with this id; `lock` locks it alone and not its runner, whose other jobs go on."""
    query = select(JobRow).where(JobRow.id == job_id)
    row = session.scalar(query.with_for_update(of=JobRow) if lock else query) if _ID.fullmatch(job_id) else None
    if row is None:
        raise UnknownError(f"no job {job_id!r}; a job's id is 32 hex digits; use the one that submitting it gave")
    return row


def locked_attempt(session: Session, fence: int) -> tuple[JobRow, AttemptRow]:
    """The lease of this fence and its job, under the lock of the job."""
    query = select(AttemptRow.job_id).where(AttemptRow.fence == fence)
    job_id = session.scalar(query) if _is_number(fence) else None
    if job_id is None:
        raise _unknown_fence(session, fence)
    job = job_row(session, job_id, lock=True)
    return job, session.get_one(AttemptRow, fence)


def attempt_row(session: Session, fence: int) -> AttemptRow:
    """The lease of this fence, for reading."""
    row = session.get(AttemptRow, fence) if _is_number(fence) else None
    if row is None:
        raise _unknown_fence(session, fence)
    return row


def live_attempt(session: Session, *, job_id: str | None = None, runner_id: str | None = None) -> AttemptRow | None:
    """The lease that a job, or a runner, has now."""
    query = select(AttemptRow).where(AttemptRow.status == "leased")
    if job_id is not None:
        query = query.where(AttemptRow.job_id == job_id)
    if runner_id is not None:
        query = query.where(AttemptRow.runner_id == runner_id)
    return session.scalar(query)


def check_live(attempt: AttemptRow) -> None:
    """Refuse words in the name of a lease that has ended.

    Raises:
        StaleFenceError: says how it ended.
    """
    if attempt.status != "leased":
        raise StaleFenceError(
            f"lease {attempt.fence} of job {attempt.job_id} is {attempt.status}; only a live lease takes looks, one"
            f" result or one failure; drop what was measured and ask for a new lease"
        )


def locked_enrolment(session: Session, sha256: str) -> EnrolmentRow:
    """The code with this hash, under lock with all codes of its name: two that enrol one name do so in turn."""
    name = session.scalar(select(EnrolmentRow.name).where(EnrolmentRow.sha256 == sha256))
    query = select(EnrolmentRow).where(EnrolmentRow.name == name).order_by(EnrolmentRow.id).with_for_update()
    for row in session.scalars(query).all():
        if row.sha256 == sha256:
            return row
    raise EnrolmentError(
        "unknown enrolment code; one that `bench runners register NAME` printed is needed; run that again"
    )


def revoke_tokens(session: Session, runner_id: str, now: datetime) -> None:
    """Revoke whatever token speaks for this runner."""
    session.execute(
        update(TokenRow).where(TokenRow.runner_id == runner_id, TokenRow.revoked_at.is_(None)).values(revoked_at=now)
    )


def _unknown_fence(session: Session, fence: int) -> UnknownError:
    newest = session.scalar(select(func.max(AttemptRow.fence)))
    known = "no lease was given yet" if newest is None else f"the newest lease is {newest}"
    return UnknownError(f"no lease {fence}; {known}; ask for a new lease")


def _shown(kind: str, names: Sequence[str]) -> str:
    if not names:
        return f"there are no {kind} yet"
    more = f" and {len(names) - _NUM_SHOWN} older" if len(names) > _NUM_SHOWN else ""
    return f"known {kind}: {', '.join(names[:_NUM_SHOWN])}{more}"


def _is_number(number: int) -> bool:
    return 0 < number <= _LARGEST
