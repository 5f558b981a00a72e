"""Signs of life of a lease, from a thread of the supervisor: never from the process that is timed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from bench.agent.transport import Hub, HubError
from bench.agent.wire import Lease, finite

# A hub that does not answer must not hold up the next sign of life for long.
_TIMEOUT_S = 10.0
_JOIN_S = 1.0
_UNAUTHORIZED, _STALE = 401, 409
_LOST = {
    _UNAUTHORIZED: "the hub refuses its token",
    403: "the lease is another's",
    404: "the hub does not know its lease",
    _STALE: "its fence is stale",
}


class Heartbeat(threading.Thread):
    """Tells the hub how a lease goes, and keeps what the hub says to it.

    Attributes:
        why_over: the lease is not ours any more, or was cancelled: in words; None as long as it goes on.
        is_refused: the hub does not take the token any more.
    """

    def __init__(
        self, hub: Hub, lease: Lease, *, health: Callable[[], dict[str, Any]], told: Callable[[str], None]
    ) -> None:
        super().__init__(name=f"heartbeat of lease {lease.fence}", daemon=True)
        self.why_over: str | None = None
        self.is_refused = False
        self._hub, self._lease, self._health, self._told = hub, lease, health, told
        self._state: tuple[str, int, int] = ("fetching", 0, 0)
        self._has_ended = threading.Event()
        self._is_away = self._is_draining = False

    def enter(self, phase: str) -> None:
        """What is done from now on: "fetching", "measuring" or "posting"."""
        self._state = (phase, 0, 0)

    def progress(self, done: int, total: int) -> None:
        """How far that is."""
        self._state = (self._state[0], done, total)

    def give_up(self, why: str, *, is_refused: bool = False) -> None:
        """The lease is over, as this or another call has found."""
        self.is_refused = self.is_refused or is_refused
        self.why_over = self.why_over or why

    def end(self) -> None:
        """No further sign of life."""
        self._has_ended.set()
        if self.is_alive():
            self.join(_JOIN_S)  # one that is under way comes to nothing by itself

    def run(self) -> None:
        """Until the end of the lease; the first at once, since only then does the hub know that it has arrived."""
        try:
            while True:
                self._beat()
                if self.why_over is not None or self._has_ended.wait(self._lease.heartbeat_s):
                    return
        finally:
            self._hub.close()

    def _beat(self) -> None:
        phase, done, total = self._state
        body = {"phase": phase, "done": done, "total": total, "health": self._health_now()}
        path = f"/v1/leases/{self._lease.fence}/heartbeat"
        try:
            reply = self._hub.request(
                "POST", path, body=body, is_repeatable=True, attempts=1, timeout_s=_TIMEOUT_S
            ).json()
        except HubError as error:
            self._on_error(error)
            return
        if self._is_away:
            self._is_away = False
            self._told(f"lease {self._lease.fence}: the hub is back")
        action = reply.get("action")
        if action == "cancel":
            self.give_up("the hub cancelled it")
        elif action == "drain" and not self._is_draining:
            self._is_draining = True
            self._told(f"lease {self._lease.fence}: the runner is draining; this is the last one for now")

    def _on_error(self, error: HubError) -> None:
        if self._has_ended.is_set():
            return
        if error.status in _LOST:
            self.give_up(f"{_LOST[error.status]}: {error}", is_refused=error.status == _UNAUTHORIZED)
        elif not self._is_away:
            self._is_away = True
            self._told(f"lease {self._lease.fence}: no sign of life reaches the hub ({error}); the work goes on")

    def _health_now(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = finite(self._health())
            return found
        except Exception as error:  # of whatever driver: it must not end the lease
            return {"error": f"{type(error).__name__}: {error}"[:200]}
