"""Who calls: secrets that are random and stored as hashes only, and the callers they stand for.

A token has 256 random bits, so that one round of SHA-256 is enough: there is nothing to guess. What is looked up is
the hash; neither a log nor the database ever holds a token.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bench.store.fleet import FleetStore
from bench.store.fleet_records import TokenKind, TokenRecord

# Of the token of the hub's own machine, of which there is one: nobody else is given a token of that name.
LOCAL_NAME = "local"

_BEARER = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9_-]{20,100})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever showed a valid token.

    Attributes:
        kind: "agent" speaks for one runner, "client" for its own jobs, "admin" for all.
        token_id: of the token.
        runner_id: of an agent.
        sha256: of the token.
    """

    kind: TokenKind
    token_id: int
    runner_id: str | None
    sha256: str = field(repr=False)


def make_token() -> str:
    """256 random bits as text."""
    return secrets.token_urlsafe(32)


def make_code() -> str:
    """A code that enrols one runner: 128 random bits as text."""
    return secrets.token_urlsafe(16)


def hash_token(token: str) -> str:
    """What is stored of a token or a code, and looked up by: SHA-256 as hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def bearer_token(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The token of a request, if it shows exactly one in the one form that is known."""
    shown = [value for name, value in headers if name == b"authorization"]
    found = _BEARER.fullmatch(shown[0].strip()) if len(shown) == 1 else None
    return found[1].decode("ascii") if found else None


class Tokens:
    """All tokens of a store that open something, in memory; for any thread.

    One that is not known here is unknown: whoever shows it costs the database nothing. Whoever changes a token in the
    store has it looked up again (`look_up`).
    """

    def __init__(self, store: FleetStore) -> None:
        self._store = store
        # Held over a look into the store, so that of two looks the later one stays.
        self._looking = threading.Lock()
        self._callers: dict[str, Caller] = {}
        self.look_up()

    def find(self, sha256: str) -> Caller | None:
        """The caller; None: there is no such token, or it was revoked. Asks no database."""
        caller = self._callers.get(sha256)
        if caller is None or not secrets.compare_digest(caller.sha256, sha256):
            return None
        return caller

    def look_up(self, *, token_id: int | None = None, runner_id: str | None = None) -> None:
        """Reads one token, those of one runner, or all again: they were made, revoked or replaced in the store."""
        with self._looking:
            live: Mapping[str, TokenRecord] = {}
            try:
                live = self._store.live_tokens(token_id=token_id, runner_id=runner_id)
            finally:
                # Where the store does not answer, what may have been revoked opens nothing.
                for known in tuple(self._callers.values()):
                    is_meant = token_id in (None, known.token_id) and runner_id in (None, known.runner_id)
                    if is_meant and known.sha256 not in live:
                        self._callers.pop(known.sha256, None)
            for sha256, record in live.items():
                self._callers[sha256] = Caller(
                    kind=record.kind, token_id=record.id, runner_id=record.runner_id, sha256=sha256
                )
