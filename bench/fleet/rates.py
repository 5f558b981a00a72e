"""How often something may happen: a bucket for each name, which fills steadily and pays for each request."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

# Buckets beyond this many are swept, at most so often; a full one says nothing that a new one would not.
_MOST_BUCKETS = 10_000
_SWEEP_S = 1.0
# Of an IPv6 address: what one customer of a provider has to itself.
_NETWORK_BITS = 64


@dataclass(slots=True)
class _Bucket:
    level: float
    at_s: float


class _Others:
    """The name of all that find no bucket of their own."""


class Rates:
    """Buckets by name, never more than a fixed number; one thread alone uses it.

    Args:
        per_s: passes for each name, in the long run.
        burst: at once.
    """

    def __init__(self, *, per_s: float, burst: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._per_s, self._burst = per_s, float(burst)
        self._monotonic = monotonic
        self._buckets: dict[Hashable, _Bucket] = {}
        self._swept_s = -_SWEEP_S

    def wait_s(self, name: Hashable) -> float:
        """0 where the request may pass, and is paid for; else the seconds until one may."""
        now = self._monotonic()
        bucket = self._buckets.get(name) or self._new(name, now)
        bucket.level = min(self._burst, bucket.level + (now - bucket.at_s) * self._per_s)
        bucket.at_s = now
        if bucket.level < 1.0:
            return (1.0 - bucket.level) / self._per_s
        bucket.level -= 1.0
        return 0.0

    def _new(self, name: Hashable, now: float) -> _Bucket:
        if len(self._buckets) >= _MOST_BUCKETS and now - self._swept_s >= _SWEEP_S:
            self._swept_s = now
            self._sweep(now)
        if len(self._buckets) >= _MOST_BUCKETS:
            name = _Others  # names that are made up by the thousand share one
        return self._buckets.setdefault(name, _Bucket(level=self._burst, at_s=now))

    def _sweep(self, now: float) -> None:
        full = [name for name, found in self._buckets.items() if self._level(found, now) >= self._burst]
        for name in full:
            del self._buckets[name]

    def _level(self, bucket: _Bucket, now: float) -> float:
        return bucket.level + (now - bucket.at_s) * self._per_s


def network_of(host: str) -> str:
    """The address by which a peer is told from others: of IPv6 the network, whose addresses cost nothing."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host  # of a socket that has none
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(IPv6Address(int(address) >> (128 - _NETWORK_BITS) << (128 - _NETWORK_BITS)))
    return str(address)
