"""Why a lease came to nothing, in the words of the call that tells the hub (POST /v1/leases/{fence}/fail)."""

from __future__ import annotations

from bench.agent.answers import printable
from bench.errors import MeasureError

# Whoever tries again gets the same answer.
FATAL = ("artifact_invalid", "unsupported")
# Another attempt may go well.
PASSING = ("worker_crash", "timeout", "device_lost", "unhealthy")
KINDS = (*FATAL, *PASSING)

# Of a reason: one line for a person.
_LENGTH = 500


class LeaseFailure(MeasureError):
    """A lease that gives no result.

    Attributes:
        kind: one of `KINDS`.
        reason: one line.
    """

    def __init__(self, kind: str, reason: str) -> None:
        assert kind in KINDS, kind
        super().__init__(kind, reason)
        self.kind = kind
        self.reason = printable(reason)[:_LENGTH] or "no reason given"

    def __str__(self) -> str:
        return self.reason


class JobRefusedError(LeaseFailure):
    """A job that asks for what is not allowed, or not to be had here."""


class DriverError(LeaseFailure):
    """A device that could not time a job."""
