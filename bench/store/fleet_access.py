"""Who may talk to the hub: tokens, the codes that enrol a runner once, and the runners themselves."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from typing import get_args

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from bench.errors import FleetError, nearest
from bench.store import fleet_queries as queries
from bench.store.fleet_errors import EnrolmentError
from bench.store.fleet_reader import FleetReader
from bench.store.fleet_records import RunnerRecord, RunnerStatus, TokenKind, TokenRecord
from bench.store.fleet_tables import EnrolmentRow, RunnerRow, TokenRow
from bench.store.location import Location
from bench.store.queries import to_record
from bench.store.records import Json
from bench.store.transitions import printable

_TOKEN_NAME_LENGTH = 100


class FleetAccess(FleetReader):
    """The half of the fleet's store that says who there is."""

    def __init__(self, engine: Engine, location: Location, *, timeout_s: float, clock: Callable[[], datetime]) -> None:
        super().__init__(engine, location, read_only=False, timeout_s=timeout_s)
        self._clock = clock
        # Threads of this process wait here for SQLite's one writer: it would look again only every tenth of a second.
        is_sqlite = location.url.get_backend_name() == "sqlite"
        self._turn: AbstractContextManager[object] = threading.Lock() if is_sqlite else nullcontext()

    def add_token(self, kind: TokenKind, name: str, *, sha256: str, runner_id: str | None = None) -> TokenRecord:
        """Keep a token by its hash; one of kind "agent" speaks for one runner, the others for none."""
        if kind not in get_args(TokenKind):
            hint = nearest(kind, get_args(TokenKind)) or "; choose one of them"
            raise FleetError(f"unknown kind of token {kind!r}; known: {', '.join(get_args(TokenKind))}{hint}")
        if (kind == "agent") != (runner_id is not None):
            got = "without a" if runner_id is None else "with a"
            raise FleetError(
                f"token of kind {kind!r} {got} runner; one of kind 'agent' speaks for one runner, others for none;"
                f" give the runner of an agent, and leave it out for others"
            )
        if not (0 < len(name) <= _TOKEN_NAME_LENGTH and name.isprintable()):
            raise FleetError(
                f"token name {name[:_TOKEN_NAME_LENGTH]!r} is not usable; allowed: 1 to {_TOKEN_NAME_LENGTH} printable"
                f" characters; choose another name"
            )
        with self._writing() as session:
            runner = None if runner_id is None else queries.runner_row(session, runner_id).id
            row = TokenRow(kind=kind, name=name, sha256=sha256, runner_id=runner, created_at=self._clock())
            session.add(row)
            session.flush()
            return to_record(TokenRecord, row)

    def revoke_token(self, token_id: int) -> TokenRecord:
        """The token opens nothing from now on; revoking it again changes nothing."""
        with self._writing() as session:
            row = queries.token_row(session, token_id, lock=True)
            if row.revoked_at is None:
                row.revoked_at = self._clock()
            return to_record(TokenRecord, row)

    def replace_token(self, old_id: int, sha256: str) -> TokenRecord:
        """Give a token another secret: the old one is dead, and the id stays, because jobs belong to it."""
        with self._writing() as session:
            row = queries.token_row(session, old_id, lock=True)
            if row.revoked_at is not None:
                raise FleetError(
                    f"token {old_id} ({row.name}) is revoked and cannot be replaced; only a live token can;"
                    f" make a new one"
                )
            row.sha256 = sha256
            return to_record(TokenRecord, row)

    def add_enrolment(self, name: str, *, sha256: str, expires_at: datetime) -> None:
        """Keep a code by its hash; it enrols a runner of this name once, until it expires."""
        if not queries.RUNNER_NAME.fullmatch(name):
            raise FleetError(
                f"runner name {name!r} is not usable; allowed: up to 40 small letters, digits, '.', '_' and '-', a"
                f" letter or digit first, and not 32 hex digits; choose another name"
            )
        with self._writing() as session:
            session.add(EnrolmentRow(name=name, sha256=sha256, expires_at=expires_at, created_at=self._clock()))

    def enrol(self, sha256: str, *, capabilities: Json, agent_version: str, token_sha256: str) -> RunnerRecord:
        """Use up a code: its runner exists from now on, and only the new token speaks for it.

        A runner that was removed is ready again; one that was quarantined or draining stays so.

        Raises:
            EnrolmentError: the code is unknown, was used or has expired.
        """
        with self._writing() as session:
            code, now = queries.locked_enrolment(session, sha256), self._clock()
            _check_code(code, now)
            told = {"capabilities": capabilities, "agent_version": printable(agent_version), "last_seen_at": now}
            row = session.scalar(select(RunnerRow).where(RunnerRow.name == code.name).with_for_update())
            if row is None:
                runner_id = secrets.token_hex(16)
                row = RunnerRow(id=runner_id, name=code.name, status="ready", health={}, created_at=now, **told)
                session.add(row)
                session.flush()
            else:
                queries.revoke_tokens(session, row.id, now)
                for name, value in told.items():
                    setattr(row, name, value)
                if row.status == "removed":
                    row.status, row.reason = "ready", None
            session.add(TokenRow(kind="agent", name=code.name, sha256=token_sha256, runner_id=row.id, created_at=now))
            code.used_at, code.runner_id = now, row.id
            return to_record(RunnerRecord, row)

    def set_runner_status(self, runner_id: str, status: RunnerStatus, *, reason: str | None = None) -> RunnerRecord:
        """Move a runner to a status; `removed` revokes its tokens, and only enrolling undoes it."""
        known = get_args(RunnerStatus)
        if status not in known:
            hint = nearest(status, known) or "; choose one of them"
            raise FleetError(f"unknown status {status!r} for a runner; known: {', '.join(known)}{hint}")
        with self._writing() as session:
            row = queries.runner_row(session, runner_id, lock=True)
            if row.status == "removed" and status != "removed":
                raise FleetError(
                    f"runner {row.name!r} was removed and cannot become {status}; only enrolling brings it back;"
                    f" run: bench runners register {row.name}"
                )
            row.status, row.reason = status, printable(reason)
            if status == "removed":
                queries.revoke_tokens(session, row.id, self._clock())
            return to_record(RunnerRecord, row)

    def update_runner(
        self,
        runner_id: str,
        *,
        capabilities: Json | None = None,
        health: Json | None = None,
        noise: Json | None = None,
        seen: bool = True,
    ) -> RunnerRecord:
        """Keep what is known of a runner now; what is None stays as it was. `seen`: its agent was heard just now."""
        told = {"capabilities": capabilities, "health": health, "noise": noise}
        with self._writing() as session:
            row = queries.runner_row(session, runner_id)
            for name, value in told.items():
                if value is not None:
                    setattr(row, name, value)
            if seen:
                row.last_seen_at = self._clock()
            return to_record(RunnerRecord, row)

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        with self._turn, super()._writing() as session:
            yield session


def _check_code(code: EnrolmentRow, now: datetime) -> None:
    again = f"run: bench runners register {code.name}"
    if code.used_at is not None:
        raise EnrolmentError(f"enrolment code for runner {code.name!r} was used already; a code enrols once; {again}")
    if now >= code.expires_at:
        until = code.expires_at.isoformat(timespec="seconds")
        raise EnrolmentError(f"enrolment code for runner {code.name!r} expired; it was good until {until}; {again}")
