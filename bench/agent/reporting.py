"""What the hub is told of a lease that is over: a result, or why there is none, until it knows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.agent.journal import Journal
from bench.agent.stopping import Stop
from bench.agent.transport import JSON_TYPE, Hub, HubError, Reply
from bench.errors import MeasureError

UNAUTHORIZED, FORBIDDEN = 401, 403
# Of a lease that is not ours (any more).
STALE = (403, 404, 409)
# After an answer that makes no sense.
LONG_PAUSE_S = 30.0

# On the way out nobody waits for long: the journal has it, and the lease expires by itself.
_LAST_WORDS_S, _LAST_WORDS = 5.0, 2
_NOT_KNOWN = (
    "the hub does not know this agent any more (removed, or enrolled again elsewhere); an agent serves one enrolment; "
    "run `bench runners register NAME` to bring the device back"
)


class TokenRefusedError(MeasureError):
    """The hub does not know this agent (any more)."""

    def __init__(self) -> None:
        super().__init__(_NOT_KNOWN)


@dataclass(frozen=True)
class Reporter:
    """Speaks to the hub in the name of one agent, and closes its journal.

    Attributes:
        hub: that it was enrolled with.
        journal: of the lease under way.
        stop: whether the agent was asked to end.
        told: hears of everything that happens, line by line.
        pause: where the hub makes no sense.
    """

    hub: Hub
    journal: Journal
    stop: Stop
    told: Callable[[str], None]
    pause: Callable[[float], None] = time.sleep

    def deliver(self, fence: int, result: bytes) -> None:
        """A result, until the hub has it or does not want it.

        Raises:
            Stopped: the agent was asked to end; the journal keeps the result.
            TokenRefusedError: the hub does not know the agent.
        """
        with self.stop.may_interrupt():
            try:
                self.insist("PUT", f"/v1/leases/{fence}/result", body=result, headers=JSON_TYPE)
                self.told(f"lease {fence}: its result is delivered")
            except HubError as error:
                self.check_token(error, UNAUTHORIZED)
                if error.status in STALE:
                    self.told(f"lease {fence}: its result is dropped, the lease is not ours any more: {error}")
                else:
                    self.told(f"lease {fence}: the hub does not take its result: {error}")
                    kind = "unhealthy" if error.is_passing else "unsupported"
                    self.say_failed(fence, kind, f"the hub did not take the result: {error}")
            self.journal.end()

    def fail(self, fence: int, kind: str, reason: str) -> None:
        """No result; raises as `deliver` does."""
        self.told(f"lease {fence}: failed ({kind}): {reason}")
        with self.stop.may_interrupt():
            self.say_failed(fence, kind, reason)
            self.journal.end()

    def fail_at_last(self, fence: int, kind: str, reason: str) -> None:
        """No result, on the way out: told without patience, and by the next start where nobody hears."""
        self.told(f"lease {fence}: failed ({kind}): {reason}")
        try:
            self.hub.request(
                "POST",
                f"/v1/leases/{fence}/fail",
                body={"kind": kind, "reason": reason},
                is_repeatable=True,
                attempts=_LAST_WORDS,
                timeout_s=_LAST_WORDS_S,
            )
        except HubError as error:
            self.told(f"lease {fence}: the hub does not hear of that now: {error}")
            if error.is_passing or not error.status:
                return
        self.journal.end()

    def say_failed(self, fence: int, kind: str, reason: str) -> None:
        """The call alone; a hub that refuses it knows more of the lease than we do."""
        try:
            body = {"kind": kind, "reason": reason}
            self.insist("POST", f"/v1/leases/{fence}/fail", body=body, is_repeatable=True)
        except HubError as error:
            self.check_token(error, UNAUTHORIZED)
            self.told(f"lease {fence}: the hub knows better: {error}")

    def insist(self, method: str, path: str, **call: Any) -> Reply:
        """The hub's answer, however long it takes: while nobody, or somebody else, is at its address, it is waited for.

        Raises:
            HubError: it says no.
        """
        while True:
            try:
                return self.hub.request(method, path, attempts=None, **call)
            except HubError as error:
                if error.status:
                    raise
                self.told(f"{method} {path}: {error}; again in {LONG_PAUSE_S:g} s")
                self.pause(LONG_PAUSE_S)

    def check_token(self, error: HubError, *refusals: int) -> None:
        """Ends everything where `error` has one of these statuses.

        Raises:
            TokenRefusedError: it has.
        """
        if error.status in refusals:
            self.told(f"the hub refuses: {error}")
            self.journal.end()
            raise TokenRefusedError from error
