"""Asks a hub, with the standard library alone: JSON over HTTP, every answer bounded in size and in time.

A hub of one's own has a certificate that nobody signed. What makes it the right one is its fingerprint, which came
with the enrolment: a connection that shows another certificate is closed before anything is said on it. Redirects are
not followed, proxies of the environment are not used, and plain HTTP goes to this machine only.

Calls that may be repeated are, with growing pauses, and the hub's Retry-After is kept to. One attempt takes the
seconds it is given, from the connection to the last byte of the answer.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.agent.answers import HubAwayError, HubError, Reply, disk_errors, printable, read_reply
from bench.agent.connections import Address, limit_reads

__all__ = ["ATTEMPTS", "JSON_TYPE", "REPLY_BYTES", "Hub", "HubAwayError", "HubError", "Reply"]

# Of a body that is JSON already.
JSON_TYPE: Mapping[str, str] = {"Content-Type": "application/json"}
# Of an answer that is not written to a file.
REPLY_BYTES = 8 << 20
ATTEMPTS = 5

# A link slower than this (bytes a second) ends a call.
_LEAST_RATE = 64 << 10
# A hub keeps an idle connection for longer; what stands in front of one may not.
_KEEP_S = 3.0
_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.5, 30.0
# An error inside the hub may be over soon, and is not waited for for ever.
_MOST_500 = 8
_REPEATABLE = ("GET", "HEAD", "PUT", "DELETE")
_REASON_LENGTH = 200


@dataclass(frozen=True)
class _Call:
    """One call, ready to be made as often as is needed."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | Path | None
    stream_to: Path | None
    limit: int
    is_repeatable: bool


class Hub:
    """One hub; threads may share it, each has a connection of its own (`close` ends that of the calling one)."""

    def __init__(
        self,
        url: str,
        *,
        fingerprint: str | None = None,
        token: str | None = None,
        timeout_s: float = 30.0,
        told: Callable[[str], None] = lambda line: None,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """A hub at `url`; nothing is connected yet.

        Args:
            url: scheme, host and port.
            fingerprint: SHA-256 (hex, with or without "sha256:") of the certificate that it has to show; None
                verifies the certificate as usual.
            token: is sent with every call.
            timeout_s: of one attempt, besides what its bytes may take.
            told: hears of each retry and its reason.
            sleep, chance: of the pauses between them.

        Raises:
            HubError: no address of a hub, or plain HTTP to another machine.
        """
        self._address = Address(url, fingerprint)
        self.url = url.rstrip("/")
        self.timeout_s = timeout_s
        self._token = token
        self._told, self._sleep, self._chance = told, sleep, chance
        self._local = threading.local()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | Mapping[str, Any] | Path | None = None,
        headers: Mapping[str, str] | None = None,
        stream_to: Path | None = None,
        limit: int = REPLY_BYTES,
        timeout_s: float | None = None,
        is_repeatable: bool | None = None,
        attempts: int | None = ATTEMPTS,
    ) -> Reply:
        """The answer to one call.

        Args:
            method, path: of HTTP; the path begins with a slash.
            body: a mapping is sent as JSON, bytes and files as they are.
            headers: beside those that every call has.
            stream_to: where the answer is written: a new file, which is gone again if anything goes wrong.
            limit: bytes of the answer at most.
            timeout_s: of one attempt; None: that of the hub, and what the bytes may take.
            is_repeatable: whether doing it twice does no harm; None: as its method (or an Idempotency-Key) says.
            attempts: of what is repeatable; None: for as long as it takes.

        Raises:
            HubAwayError: nobody answers.
            HubError: the answer is a refusal, a redirect, or too large; or the certificate is another.
        """
        call, size = self._prepared(method, path, body, headers or {}, stream_to, limit, is_repeatable)
        seconds = self.timeout_s + size / _LEAST_RATE if timeout_s is None else timeout_s
        attempt = 0
        while True:
            attempt += 1
            try:
                return self._try(call, seconds)
            except HubError as error:
                is_last = attempts is not None and attempt >= attempts
                if is_last or not _may_repeat(call, error, attempt):
                    raise
                delay_s = self._delay_s(error, attempt)
                count = f"{attempt + 1}" if attempts is None else f"{attempt + 1} of {attempts}"
                self._told(f"{method} {path}: {error}; attempt {count} in {delay_s:.1f} s")
                self._sleep(delay_s)

    def close(self) -> None:
        """Ends the connection of the calling thread; its next call makes another."""
        kept = self._kept()
        if kept is not None:
            kept.close()

    def _prepared(
        self,
        method: str,
        path: str,
        body: bytes | Mapping[str, Any] | Path | None,
        headers: Mapping[str, str],
        stream_to: Path | None,
        limit: int,
        is_repeatable: bool | None,
    ) -> tuple[_Call, int]:
        """The call, and how many bytes may move."""
        every = {"Accept": "application/json", "User-Agent": "bench-agent"}
        if self._token is not None:
            every["Authorization"] = f"Bearer {self._token}"
        content: bytes | Path | None
        size = limit if stream_to is not None else 0
        if body is None or isinstance(body, (bytes, Path)):
            content = body
            every.update({} if body is None else {"Content-Type": "application/octet-stream"})
        else:
            content = json.dumps(body, allow_nan=False).encode("ascii")
            every.update(JSON_TYPE)
        if isinstance(content, Path):
            with disk_errors(content):
                size += content.stat().st_size
                every["Content-Length"] = str(content.stat().st_size)
        elif content is not None:
            size += len(content)
        every.update(headers)
        if is_repeatable is None:
            is_repeatable = method in _REPEATABLE or "Idempotency-Key" in every
        return _Call(method, path, every, content, stream_to, limit, is_repeatable), size

    def _try(self, call: _Call, seconds: float) -> Reply:
        end = time.monotonic() + seconds
        try:
            kept = self._kept()
            if kept is not None and call.is_repeatable:
                # The hub may have closed it just now, which says nothing about the hub.
                with contextlib.suppress(ConnectionError, ssl.SSLError):
                    return self._talk(kept, call, end)
            elif kept is not None:  # nobody would know whether the call was heard
                kept.close()
            return self._talk(self._address.connected(end), call, end)
        except ssl.SSLCertVerificationError as error:
            raise HubError(
                0,
                f"the certificate of {self.url} is not trusted ({error.verify_message}); one that this machine trusts, "
                "or a fingerprint, is needed; register the runner again",
            ) from error
        except (OSError, http.client.HTTPException, UnicodeError) as error:  # the last: a host that is no name
            raise HubAwayError(
                0, f"{self.url} does not answer ({_reason(error)}); a running hub is needed; start it, or check the way"
            ) from error

    def _talk(self, connection: http.client.HTTPConnection, call: _Call, end: float) -> Reply:
        try:
            limit_reads(connection, end)
            with contextlib.suppress(BrokenPipeError):  # it has answered without reading all: too large, say
                _send(connection, call)
            response = connection.getresponse()
            reply = read_reply(response, limit=call.limit, stream_to=call.stream_to)
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            self._local.kept = (connection, time.monotonic())
        return reply

    def _kept(self) -> http.client.HTTPConnection | None:
        """The connection of this thread's last call, if the hub may still have it; it is not kept any more then."""
        kept: tuple[http.client.HTTPConnection, float] | None = getattr(self._local, "kept", None)
        self._local.kept = None
        if kept is None:
            return None
        connection, used_s = kept
        if time.monotonic() - used_s <= _KEEP_S:
            return connection
        connection.close()
        return None

    def _delay_s(self, error: HubError, attempt: int) -> float:
        """Doubled each time, with jitter, so that many agents do not come back at once."""
        longest = min(_FIRST_DELAY_S * 2 ** min(attempt - 1, 10), _LONGEST_DELAY_S)
        delay_s: float = longest * (1 + self._chance()) / 2
        return delay_s if error.wait_s is None else max(error.wait_s, delay_s)


def _may_repeat(call: _Call, error: HubError, attempt: int) -> bool:
    if error.status == 429:  # nothing was done
        return True
    if error.status == 500 and attempt >= _MOST_500:
        return False
    return call.is_repeatable and error.is_passing


def _send(connection: http.client.HTTPConnection, call: _Call) -> None:
    headers = dict(call.headers)
    if not isinstance(call.body, Path):
        connection.request(call.method, call.path, body=call.body, headers=headers)
        return
    with disk_errors(call.body):
        file = call.body.open("rb")
    with file:
        connection.request(call.method, call.path, body=file, headers=headers)


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return printable(str(text))[:_REASON_LENGTH]
