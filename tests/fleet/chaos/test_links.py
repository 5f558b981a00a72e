"""What the disorder disturbs is really disturbed: links through a relay."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from .links import RelayedLinks, relayed

LIMIT_S = 30.0


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that says everything again."""
    listener = socket.create_server(("127.0.0.1", 0))

    def talk(connection: socket.socket) -> None:
        with connection:
            try:
                while content := connection.recv(1 << 16):
                    connection.sendall(content)
            except OSError:
                pass

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(timeout=LIMIT_S)


def connected(links: RelayedLinks, name: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(links.url(name).rpartition(":")[2])), timeout=LIMIT_S)


def said_again(connection: socket.socket, content: bytes) -> float:
    """Seconds until it has come back."""
    begin = time.monotonic()
    connection.sendall(content)
    found = b""
    while len(found) < len(content):
        found += connection.recv(1 << 16)
    assert found == content
    return time.monotonic() - begin


def test_a_link_is_cut_and_what_was_held_up_comes_when_it_is_mended(echo: int) -> None:
    with relayed(echo, ("a", "b")) as links, connected(links, "a") as first, connected(links, "b") as second:
        said_again(first, b"one")
        links.cut("a")
        first.sendall(b"two")
        first.settimeout(0.3)
        with pytest.raises(TimeoutError):
            first.recv(16)
        said_again(second, b"the other link is as it was")
        first.settimeout(LIMIT_S)
        links.mend("a")
        assert first.recv(16) == b"two"


def test_a_link_is_slow(echo: int) -> None:
    with relayed(echo, ("a",)) as links, connected(links, "a") as connection:
        links.slow("a")
        assert said_again(connection, b"x" * 10_000) > 0.4  # there and back
        links.mend("a")
        assert said_again(connection, b"x") < 5.0


def test_connections_of_a_link_end_at_once(echo: int) -> None:
    with relayed(echo, ("a", "b")) as links, connected(links, "a") as first, connected(links, "b") as second:
        said_again(first, b"one")
        said_again(second, b"one")
        links.reset("a")
        with pytest.raises(ConnectionResetError):
            first.recv(16)
        said_again(second, b"two")
        with connected(links, "a") as again:
            said_again(again, b"three")


def test_nobody_behind_a_link_is_a_connection_that_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with relayed(port, ("a",)) as links, connected(links, "a") as connection, pytest.raises(ConnectionResetError):
        connection.recv(16)
