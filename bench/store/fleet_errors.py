"""What the fleet's store refuses, by kind, so that a server can tell a caller's mistake from a lost race."""

from __future__ import annotations

from bench.errors import FleetError


class UnknownError(FleetError):
    """No token, runner, job or lease has this id or name."""


class StaleFenceError(FleetError):
    """A lease has ended, or never was as its runner believes: nothing more can be said in its name."""


class KeyReusedError(FleetError):
    """An idempotency key came again with another job."""


class ClaimedError(FleetError):
    """Another hub uses this database."""


class EnrolmentError(FleetError):
    """An enrolment code is unknown, used or too old."""
