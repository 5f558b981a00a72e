"""The threads of a hub: uvicorn on an event loop of its own, and a clock that ticks every second."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

import uvicorn

from bench.errors import FleetError, StoreError
from bench.fleet.answers import LOG
from bench.fleet.app import HubApp
from bench.fleet.limits import Limits
from bench.fleet.protocol_guard import guarded

TICK_S = 1.0

# For answers that are under way when the hub ends; long polls are sent home at once.
_GRACE_S = 3
# Of the event loop, after which a connection that was taken before is known, and told to end like the others.
_TURNS = 3


class _Loop(asyncio.SelectorEventLoop):
    """An event loop on which TLS handshakes take no longer than headers may."""

    handshake_s = 10.0

    async def create_server(self, *args: Any, **kwargs: Any) -> asyncio.Server:
        if kwargs.get("ssl") is not None:
            kwargs.setdefault("ssl_handshake_timeout", self.handshake_s)
        return await super().create_server(*args, **kwargs)


class Serving(uvicorn.Server):
    """uvicorn in a thread of its own."""

    def __init__(self, app: HubApp, listener: socket.socket, context: ssl.SSLContext | None, limits: Limits) -> None:
        config = uvicorn.Config(
            app,
            http=guarded(limits),
            ws="none",
            lifespan="off",
            interface="asgi3",
            # Its access log is off: ours names no query and no header.
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=socket.SOMAXCONN,
            timeout_keep_alive=limits.keep_alive_s,
            timeout_graceful_shutdown=_GRACE_S,
            h11_max_incomplete_event_size=limits.header_bytes,
        )
        config.load()
        config.ssl = context
        super().__init__(config)
        self.app = app
        self._listener, self._handshake_s = listener, limits.header_s
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=self._serve_in_thread, name="hub", daemon=True)
        self._error: BaseException | None = None

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        """Returns when connections are taken.

        Raises:
            FleetError: the server could not start.
        """
        self._thread.start()
        self._is_ready.wait()
        if self._error is not None or not self.started:
            self._thread.join()
            raise FleetError(f"the hub could not start ({self._error}); its log tells more; try again") from self._error

    def end(self) -> None:
        """Takes no further connections, and ends what is under way within a few seconds."""
        self.app.state.hub.end()
        self.should_exit = True

    def stop(self) -> None:
        """Ends, and waits until it has."""
        self.end()
        self._thread.join()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._is_ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        await super().shutdown(sockets=sockets)
        # What did not end by itself would outlive the loop.
        for connection in tuple(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)

    def _serve_in_thread(self) -> None:
        try:
            with asyncio.Runner(loop_factory=self._made_loop) as runner:
                runner.run(self.serve(sockets=[self._listener]))
        except BaseException as error:  # a thread has nobody to raise it to
            self._error = error
            LOG.error("the hub's server ended", exc_info=error)
        finally:
            self._is_ready.set()

    def _made_loop(self) -> asyncio.AbstractEventLoop:
        loop = _Loop()
        loop.handshake_s = self._handshake_s
        return loop


class Ticker(threading.Thread):
    """Calls something every second, however it goes."""

    def __init__(self, call: Callable[[], None]) -> None:
        super().__init__(name="hub-ticker", daemon=True)
        self._call = call
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(TICK_S):
            try:
                self._call()
            except StoreError as error:
                LOG.warning("the database did not answer: %s", error)
            except Exception:
                LOG.exception("leases could not be looked at; it is tried again")

    def stop(self) -> None:
        self._over.set()
        self.join()
