"""Connections to a hub: which certificate is the right one, and an end to every read however slowly bytes drip in."""

from __future__ import annotations

import functools
import hashlib
import hmac
import http.client
import io
import ipaddress
import re
import socket
import ssl
import time
from typing import Any
from urllib.parse import SplitResult, urlsplit

from bench.agent.answers import HubError

_BLOCK = 1 << 18
_CONNECT_S = 10.0
_LEAST_S = 0.001
_FINGERPRINT = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


class Address:
    """Where a hub is and how it is known; makes connections that are ready to be used."""

    def __init__(self, url: str, fingerprint: str | None) -> None:
        """See `transport.Hub`.

        Raises:
            HubError: no address of a hub, plain HTTP to another machine, or a fingerprint that is none.
        """
        parts = _parts(url)
        self._host, self._port = str(parts.hostname), parts.port
        self._fingerprint = None if fingerprint is None else _digits(fingerprint)
        self._context = _context(self._fingerprint) if parts.scheme == "https" else None

    def connected(self, end: float) -> http.client.HTTPConnection:
        """A new connection.

        Raises:
            HubError: it shows another certificate than it should.
            OSError: nobody answers before `end` (monotonic).
        """
        seconds = min(left_s(end), _CONNECT_S)
        connection: http.client.HTTPConnection
        if self._context is None:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=seconds, blocksize=_BLOCK)
        else:
            connection = _TlsConnection(self._host, self._port, seconds, self._context, self._fingerprint)
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        return connection


def limit_reads(connection: http.client.HTTPConnection, end: float) -> None:
    """The next answer on the connection, its headers included, has come by `end` (monotonic) or not at all."""
    connection.sock.settimeout(left_s(end))
    # It is only called, with the socket.
    connection.response_class = functools.partial(_Response, end=end)  # type: ignore[assignment]


def left_s(end: float) -> float:
    """Seconds until `end`, as a time limit of a socket, for which 0 has another meaning."""
    return max(end - time.monotonic(), _LEAST_S)


def is_loopback(host: str) -> bool:
    """Whether only this machine answers there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _TlsConnection(http.client.HTTPSConnection):
    """A connection whose fingerprint is compared whenever it is made: http.client makes a closed one anew unasked."""

    def __init__(
        self, host: str, port: int | None, seconds: float, context: ssl.SSLContext, fingerprint: str | None
    ) -> None:
        super().__init__(host, port, timeout=seconds, context=context, blocksize=_BLOCK)
        self._fingerprint = fingerprint

    def connect(self) -> None:
        super().connect()
        if self._fingerprint is None:
            return
        found = hashlib.sha256(self.sock.getpeercert(binary_form=True) or b"").hexdigest()
        if not hmac.compare_digest(found, self._fingerprint):
            self.close()
            raise HubError(
                0,
                f"{self.host}:{self.port} shows the certificate sha256:{found}; sha256:{self._fingerprint} is that of "
                "the hub; if the hub has a new one, register the runner again",
            )


class _Response(http.client.HTTPResponse):
    """A response of which every read ends in time."""

    def __init__(self, sock: socket.socket, *args: Any, end: float, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Until(self.fp.detach(), sock, end))


class _Until(io.RawIOBase):
    """What a socket gives until a moment of the monotonic clock."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, end: float) -> None:
        self._raw, self._sock, self._end = raw, sock, end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise socket.timeout("the time for it is over")  # TimeoutError is another class before Python 3.10
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, brackets that do not match
        parts, is_url = SplitResult("", "", "", "", ""), False
    if not is_url or parts.username is not None or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise HubError(  # a password in it would end in a log
            0, "that is no address of a hub; http://127.0.0.1:8741 or https://HOST:PORT are; copy it from the hub"
        )
    if parts.scheme == "http" and not is_loopback(str(parts.hostname)):
        raise HubError(
            0, f"plain HTTP to {parts.hostname}, which others on the way can read; https is needed; use the hub's TLS"
        )
    return parts


def _context(fingerprint: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if fingerprint is not None:  # who signed it, and for which name, does not matter then
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _digits(fingerprint: str) -> str:
    found = _FINGERPRINT.fullmatch(fingerprint.lower())
    if found is None:
        raise HubError(0, "that is no fingerprint; sha256: and 64 hex digits are; copy the whole line from the hub")
    return found[1]
