"""Who calls: secrets that are random and stored as hashes only, and the callers they stand for.

A token has 256 random bits, so that one round of SHA-256 is enough: there is nothing to guess. What is looked up is
the hash; neither a log nor the database ever holds a token.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from bench.store.fleet import FleetStore
from bench.store.fleet_records import TokenKind

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
    """The tokens of a store, those that were shown lately in memory; for any thread.

    Whoever changes the tokens of the store calls `forget`.
    """

    def __init__(self, store: FleetStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._callers: dict[str, Caller] = {}
        self._generation = 0

    def known(self, sha256: str) -> Caller | None:
        """The caller, where the token was looked up before; asks no database."""
        with self._lock:
            caller = self._callers.get(sha256)
        if caller is None or not secrets.compare_digest(caller.sha256, sha256):
            return None
        return caller

    def find(self, sha256: str) -> Caller | None:
        """The caller, from memory or else from the store; None: there is no such token, or it was revoked."""
        if (caller := self.known(sha256)) is not None:
            return caller
        generation = self._generation
        record = self._store.token(sha256)
        if record is None or record.revoked_at is not None:
            return None
        caller = Caller(kind=record.kind, token_id=record.id, runner_id=record.runner_id, sha256=sha256)
        with self._lock:
            # A token that was revoked between the look-up and here must not be kept.
            if generation == self._generation:
                self._callers[sha256] = caller
        return caller

    def forget(self) -> None:
        """Looks every token up again from now on."""
        with self._lock:
            self._generation += 1
            self._callers.clear()
