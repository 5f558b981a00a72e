"""A hub by hand: a real HTTP(S) server on loopback that answers as a function says, and one that says raw bytes."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

LIMIT_S = 30.0


@dataclass(frozen=True)
class Asked:
    """One call as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    port: int  # of the caller: one connection has one

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass(frozen=True)
class Answer:
    """What is said to it."""

    status: int = 200
    body: bytes | dict[str, Any] = b""
    headers: Mapping[str, str] = field(default_factory=dict)


AnswerTo = Callable[[Asked], Answer]


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for 127.0.0.1, and its fingerprint."""

    path: Path
    key: Path
    fingerprint: str


class ScriptedHub:
    """A server under way.

    Attributes:
        url: where it is.
        asked: what it was asked, in order.
    """

    def __init__(self, answer: AnswerTo, certificate: Certificate | None) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.has_news = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = False
        scheme = "http"
        if certificate is not None:
            scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.path, certificate.key)
            # The handshake is the thread's business, so that a caller who breaks it off does not end the server.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def calls(self, ending: str) -> list[Asked]:
        """What was asked of paths with this end (in front of a question mark)."""
        return [asked for asked in tuple(self.asked) if asked.path.partition("?")[0].endswith(ending)]

    def wait_for(self, ending: str, *, count: int = 1) -> list[Asked]:
        """Waits until so many calls of that end have come."""
        with self.has_news:
            assert self.has_news.wait_for(lambda: len(self.calls(ending)) >= count, LIMIT_S), f"no {ending} came"
        return self.calls(ending)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 2.0  # a connection that lies idle must not hold up the end of the test

            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    super().handle()

            def __getattr__(self, name: str) -> Any:
                if name.startswith("do_"):
                    return self.answer_call
                raise AttributeError(name)

            def answer_call(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, self.path, headers, body, self.client_address[1])
                with hub.has_news:
                    hub.asked.append(asked)
                    hub.has_news.notify_all()
                answer = hub.answer(asked)
                content = json.dumps(answer.body).encode() if isinstance(answer.body, dict) else answer.body
                self.send_response(answer.status)
                if "Content-Length" not in answer.headers:
                    self.send_header("Content-Length", str(len(content)))
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            def log_message(self, *args: Any) -> None:
                pass

        return Handler


@contextlib.contextmanager
def scripted_hub(answer: AnswerTo, certificate: Certificate | None = None) -> Iterator[ScriptedHub]:
    """A hub that answers by `answer`."""
    hub = ScriptedHub(answer, certificate)
    hub.start()
    try:
        yield hub
    finally:
        hub.stop()


class RawHub:
    """A server that does as it likes with each connection; `accepted` is how many there were."""

    def __init__(self, talk: Callable[[socket.socket], None]) -> None:
        self.accepted = 0
        self._talk = talk
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._is_over.set()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while not self._is_over.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = self._listener.accept()
                self.accepted += 1
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(LIMIT_S)
                    self._talk(connection)


@contextlib.contextmanager
def raw_hub(talk: Callable[[socket.socket], None]) -> Iterator[RawHub]:
    """A hub that says what it likes."""
    hub = RawHub(talk)
    try:
        yield hub
    finally:
        hub.close()


def read_head(connection: socket.socket) -> bytes:
    """A request up to the end of its headers."""
    found = b""
    while b"\r\n\r\n" not in found:
        chunk = connection.recv(4096)
        if not chunk:
            break
        found += chunk
    return found
