"""A socket to listen on and the TLS of it, with refusals in words: for the hub and for the dashboard."""

from __future__ import annotations

import contextlib
import socket
import ssl
from pathlib import Path

from bench.errors import FleetError


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens; made before a server starts, so that a refusal is told in words.

    Args:
        port: 0 takes a free one.

    Raises:
        FleetError: the address is not of this machine, or is taken.
    """
    try:
        family, _, _, _, place = socket.getaddrinfo(
            host or "0.0.0.0", port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # With its protocol named: asyncio only then sends what is written at once (TCP_NODELAY), and not when the
        # other side has said that the head of the answer has come, 40 ms later.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        raise _unbindable(host, port, error) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # "::" is every address of this machine, those of the older protocol too.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
        listener.bind(place)
        listener.listen(socket.SOMAXCONN)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise _unbindable(host, port, error) from error
    return listener


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """What a server shows and speaks: TLS 1.2 or newer.

    Raises:
        FleetError: the files are no certificate and its key.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise FleetError(
            f"{str(certificate)!r} with {str(key)!r} cannot be used ({error.strerror or error}); a PEM "
            "certificate and its key without a password are needed; check both files"
        ) from error
    return context


def own_address() -> str:
    """The address that this machine has towards others; nothing is sent to find it."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # of a network for documentation (RFC 5737)
        return str(probe.getsockname()[0])
    return "127.0.0.1"


def _unbindable(host: str, port: int, error: OSError) -> FleetError:
    return FleetError(
        f"cannot listen on {host}:{port} ({error.strerror or error}); a free address of this machine "
        "is needed; give another --host or --port"
    )
