"""How often something may happen: a bucket for each name, which fills steadily and pays for each request."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

# Buckets beyond this many are swept; a full one says nothing that a new one would not.
_MOST_BUCKETS = 10_000


@dataclass(slots=True)
class _Bucket:
    level: float
    at_s: float


class Rates:
    """Buckets by name; one thread alone uses it."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._buckets: dict[Hashable, _Bucket] = {}

    def wait_s(self, name: Hashable, *, per_s: float, burst: int) -> float:
        """0 where the request may pass, and is paid for; else the seconds until one may."""
        now = self._monotonic()
        bucket = self._buckets.get(name)
        if bucket is None:
            if len(self._buckets) >= _MOST_BUCKETS:
                self._sweep(now, per_s=per_s, burst=burst)
            bucket = self._buckets[name] = _Bucket(level=float(burst), at_s=now)
        bucket.level = min(float(burst), bucket.level + (now - bucket.at_s) * per_s)
        bucket.at_s = now
        if bucket.level < 1.0:
            return (1.0 - bucket.level) / per_s
        bucket.level -= 1.0
        return 0.0

    def _sweep(self, now: float, *, per_s: float, burst: int) -> None:
        full = [name for name, found in self._buckets.items() if found.level + (now - found.at_s) * per_s >= burst]
        for name in full:
            del self._buckets[name]
