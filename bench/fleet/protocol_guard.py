"""uvicorn's HTTP protocol with an end to everything that a peer can do slowly, or not at all.

uvicorn waits as long as it takes for headers, for a body and for somebody to read an answer. Here each has its time,
and a connection beyond the number that is allowed is answered and closed. The time of headers begins anew with each
request and not with each byte, so that a byte every now and then buys nothing; a body has to keep a pace.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from bench.fleet.limits import Limits
from bench.fleet.pace import Pace

_PHRASES = {400: "Bad Request", 408: "Request Timeout", 503: "Service Unavailable"}


class GuardedProtocol(H11Protocol):
    """One connection; `limits` is set by a subclass (`guarded`)."""

    limits = Limits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._headers, self._body, self._writing = (_Timer(self.loop) for _ in range(3))
        self._pace: Pace | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(503, "too many connections; fewer are served at a time; come again in a while")
            return
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._headers, self._body, self._writing):
            timer.stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # What comes behind an answer that ends the connection is read by nobody.
        if not self.transport.is_closing():
            if self._pace is not None:
                self._pace.add(len(data), self.loop.time())
            super().data_received(data)

    def handle_events(self) -> None:
        super().handle_events()
        if self.transport.is_closing():
            return
        state = self.conn.their_state
        if state is h11.SEND_BODY:
            self._await_body()
        else:
            self._body.stop()
            self._pace = None
        if state is not h11.IDLE:
            self._headers.stop()
        elif self.timeout_keep_alive_task is None:  # between two requests uvicorn's own timer runs
            self._await_headers()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._writing.start(self.limits.write_s, self.transport.abort)

    def resume_writing(self) -> None:
        self._writing.stop()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  (uvicorn's signature)
        self._refuse(400, "no HTTP/1.1 that is understood; headers of a moderate size are needed; correct the request")

    def _await_headers(self) -> None:
        self._headers.start(self.limits.header_s, self._give_up_headers)

    def _give_up_headers(self) -> None:
        if self.conn.trailing_data[0]:
            seconds = self.limits.header_s
            self._refuse(408, f"the headers took over {seconds:g} s; they are waited for no longer; send them at once")
        else:
            # Nothing was asked, so that an answer would be taken for that to what is asked just now.
            self.transport.close()

    def _await_body(self) -> None:
        if self._pace is None:
            self._pace = Pace(self.limits, now=self.loop.time())
            self._pace.add(len(self.cycle.body), self.loop.time())  # what came with the headers
            self._watch_body(self._pace)

    def _watch_body(self, pace: Pace) -> None:
        """Looks again whenever the body might be late."""
        now, limits = self.loop.time(), self.limits
        if self.flow.read_paused:
            pace.begin_anew(now)  # the hub has not taken what came, and reads no more
        if now < pace.end_s:
            self._body.stop()
            self._body.start(pace.end_s - now, self._watch_body, pace)
            return
        self._refuse(
            408,
            f"the body stopped for {limits.stall_s:g} s, or came slower than {limits.body_bytes_per_s:g} bytes/s after "
            f"{limits.body_s:g} s; it is waited for no longer; send it faster",
        )

    def _refuse(self, status: int, line: str) -> None:
        """Answers, unless an answer is under way, and closes; a call that is under way hears that nobody listens."""
        cycle = self.cycle
        is_busy = cycle is not None and not cycle.response_complete
        if is_busy:
            cycle.disconnected = True
            cycle.message_event.set()
        if not (is_busy and cycle.response_started):
            body = json.dumps({"error": line}).encode("ascii")
            head = (
                f"HTTP/1.1 {status} {_PHRASES[status]}\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode("ascii") + body)
        self.transport.close()


class _Timer:
    """One moment of an event loop at which something ends, or none."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None

    def start(self, seconds: float, call: Callable[..., object], *words: Any) -> None:
        """Has `call` called then; one that runs already goes on as it is."""
        if self._handle is None:
            self._handle = self._loop.call_later(seconds, call, *words)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


def guarded(chosen: Limits) -> type[GuardedProtocol]:
    """The protocol with these limits; uvicorn makes one for each connection."""

    class LimitedProtocol(GuardedProtocol):
        limits = chosen

    return LimitedProtocol
