"""What a hub lets go of while it runs: bodies and results of jobs that ended long ago."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from bench.fleet.limits import Limits
from bench.store.fleet import FleetStore

# Jobs at a time, so that nobody waits long for the database's one writer; then the next second, or after a while.
_AT_ONCE = 5
_REST_S = 60.0


class Retention:
    """Clears old jobs in small turns.

    Args:
        limits: `keep_days` and `keep_unfetched_days`.
        monotonic: of the pauses; how old a job is goes by the store's clock.
    """

    def __init__(self, store: FleetStore, limits: Limits, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._settled = timedelta(days=limits.keep_days)
        self._unfetched = timedelta(days=max(limits.keep_days, limits.keep_unfetched_days))
        self._monotonic = monotonic
        self._next_s = -_REST_S

    def turn(self) -> None:
        """To be called every second; does nothing for a while after there was nothing left to do.

        Raises:
            StoreError: the database does not answer.
        """
        now = self._monotonic()
        if now < self._next_s:
            return
        self._next_s = now + _REST_S
        cleared = self._store.clear_jobs(settled=self._settled, unfetched=self._unfetched, most=_AT_ONCE)
        if len(cleared) == _AT_ONCE:
            self._next_s = now
