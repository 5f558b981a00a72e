"""How far a body has to have come by when: neither a stall nor a trickle keeps what is held for it."""

from __future__ import annotations

from bench.fleet.limits import Limits


class Pace:
    """One body on its way; times are of the event loop's clock.

    It is late when nothing has come for `stall_s`, or less than `body_bytes_per_s` over the whole time beyond the
    first `body_s`. So a byte now and then buys no time, and a body that stops is not waited for until the last moment
    that its length would allow.
    """

    def __init__(self, limits: Limits, *, now: float) -> None:
        self._limits = limits
        self.begin_anew(now)

    def begin_anew(self, now: float) -> None:
        """Nobody is late: this side has not taken what came."""
        self._begin_s = self._last_s = now
        self._num_bytes = 0

    def add(self, num_bytes: int, now: float) -> None:
        """So much has come."""
        self._num_bytes += num_bytes
        self._last_s = now

    @property
    def end_s(self) -> float:
        """When it is late unless more comes."""
        limits = self._limits
        whole_s = limits.body_s + self._num_bytes / limits.body_bytes_per_s
        return min(self._begin_s + whole_s, self._last_s + limits.stall_s)
