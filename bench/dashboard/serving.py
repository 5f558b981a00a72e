"""The server of the dashboard: uvicorn in a thread, on loopback unless a token and TLS are there.

with DashboardServer(source) as server:      # in a test, or a notebook
    print(server.url)
"""

from __future__ import annotations

import contextlib
import signal
import socket
import ssl
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self
from urllib.parse import quote

import uvicorn

from bench.agent.connections import is_loopback
from bench.dashboard.app import make_app
from bench.dashboard.assets import Assets
from bench.dashboard.guard import Guard
from bench.dashboard.listening import Listening
from bench.dashboard.source import Source
from bench.errors import ConfigError, FleetError
from bench.fleet.address import WILDCARDS
from bench.fleet.limits import Limits
from bench.fleet.listening import bound, own_address, tls_context
from bench.fleet.protocol_guard import guarded

_LIMITS = Limits(connections=200, header_s=10.0, write_s=60.0, keep_alive_s=30)
_GRACE_S = 2
_LOOK_S = 0.5


class DashboardServer:
    """One dashboard of one database.

    Args:
        source: of its documents; the caller closes it.
        where: it listens.
        assets: files of the page.
    """

    def __init__(self, source: Source, where: Listening | None = None, *, assets: Assets | None = None) -> None:
        self._where = Listening(port=0) if where is None else where
        if not is_loopback(self._where.host) and (self._where.token is None or self._where.certificate is None):
            raise ConfigError(
                f"host {self._where.host} without a token and a certificate; only loopback goes without; give both"
            )
        self._app = Guard(
            make_app(source, assets),
            token=self._where.token,
            hosts=() if is_loopback(self._where.host) else None,
            is_secure=self._where.certificate is not None,
        )
        self._stack = contextlib.ExitStack()
        self._port = 0
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where it answers, without the token."""
        host = self._where.host
        host = own_address() if host in WILDCARDS else host
        scheme = "http" if self._where.certificate is None else "https"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self._port}/"

    @property
    def address(self) -> str:
        """What is opened in a browser: with the token, where one is needed."""
        token = self._where.token
        return self.url if token is None else f"{self.url}?token={quote(token)}"

    @property
    def is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begins to answer, in a thread; returns when it does.

        Raises:
            FleetError: the address cannot be listened on, or the certificate cannot be used.
        """
        where = self._where
        with contextlib.ExitStack() as stack:
            listener = stack.enter_context(bound(where.host, where.port))
            context = _context(where)
            server = _Server(self._app, context)
            thread = threading.Thread(target=server.run, args=([listener],), name="dashboard", daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.end)
            if not server.is_ready():
                raise FleetError("the dashboard could not start; its log tells why; try again")
            self._port, self._thread = listener.getsockname()[1], thread
            self._stack = stack.pop_all()

    def stop(self) -> None:
        """Answers nothing more."""
        self._stack.close()
        self._thread = None

    def serve_forever(self, told: Callable[[], None] = lambda: None) -> None:
        """Answers until SIGINT or SIGTERM comes; for the main thread of a process.

        Args:
            told: is called once it answers.

        Raises:
            FleetError: as `start`, or the server ended by itself.
        """
        over = threading.Event()

        def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  (a handler's signature)
            over.set()

        before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self.start()
            told()
            while not over.wait(_LOOK_S):
                if not self.is_alive:
                    raise FleetError("the dashboard ended by itself; its log tells why; start it again")
        finally:
            self.stop()
            for number, handler in before.items():
                signal.signal(number, handler)


class _Server(uvicorn.Server):
    """uvicorn in a thread that is not the main one, with the hub's guard against peers that do things slowly."""

    def __init__(self, app: Guard, context: ssl.SSLContext | None) -> None:
        config = uvicorn.Config(
            app,
            http=guarded(_LIMITS),
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_LIMITS.keep_alive_s,
            timeout_graceful_shutdown=_GRACE_S,
            h11_max_incomplete_event_size=_LIMITS.header_bytes,
        )
        config.load()
        config.ssl = context
        super().__init__(config)
        self._ready = threading.Event()

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            super().run(sockets)
        finally:
            self._ready.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._ready.set()

    def is_ready(self) -> bool:
        """Waits until it answers, or has given up."""
        self._ready.wait()
        return self.started

    def end(self) -> None:
        self.should_exit = True


def _context(where: Listening) -> ssl.SSLContext | None:
    if where.certificate is None or where.key is None:
        return None
    return tls_context(where.certificate, where.key)
