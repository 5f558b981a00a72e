"""Where a hub is, and how to know that it is the right one: its URL, and the fingerprint of a certificate of its own.

As text it is `URL` or `URL#sha256:HEX`, which is what BENCH_HUB holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from bench.agent.connections import is_loopback
from bench.errors import FleetError

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8741
# Hosts to listen on that stand for every address of this machine.
WILDCARDS = ("", "0.0.0.0", "::")

_FINGERPRINT = re.compile(r"sha256:([0-9a-f]{64})")
_EXAMPLE = "http://127.0.0.1:8741 or https://HOST:PORT#sha256:HEX"


@dataclass(frozen=True, slots=True, kw_only=True)
class HubAddress:
    """Where a hub answers.

    Attributes:
        url: scheme, host and port, without a slash at its end.
        fingerprint: SHA-256 (hex) of the certificate that it has to show; None: plain HTTP, or a certificate that is
            verified as usual.
    """

    url: str
    fingerprint: str | None = None

    def __str__(self) -> str:
        return self.url if self.fingerprint is None else f"{self.url}#sha256:{self.fingerprint}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(urlsplit(self.url).hostname or "")


def parse_address(text: str) -> HubAddress:
    """The address that `str` of one gives, or that a user has written.

    Raises:
        FleetError: no URL of a hub, or a fingerprint that is none.
    """
    url, mark, rest = text.strip().partition("#")
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, brackets that do not match
        parts, is_url = SplitResult("", "", "", "", ""), False
    # A name or a password in it would end in logs, and a path is none of ours.
    if not is_url or parts.username is not None or parts.path not in ("", "/") or parts.query:
        raise FleetError(f"{url!r} is no address of a hub; allowed: {_EXAMPLE}; write it so")
    found = _FINGERPRINT.fullmatch(rest.lower()) if mark else None
    if mark and found is None:
        raise FleetError(
            f"{rest[:20]!r} behind '#' is no fingerprint; sha256: and 64 hex digits are needed; copy the whole line"
        )
    if found is not None and parts.scheme != "https":
        raise FleetError(f"{url} with a fingerprint; only https has a certificate; write https, or leave it out")
    return HubAddress(url=url.rstrip("/"), fingerprint=None if found is None else found[1])
