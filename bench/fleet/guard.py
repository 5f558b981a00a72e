"""What every request passes before and after its call: framing, who it is, how often, one line of log.

A body has to tell its length: nothing here reads until somebody stops sending. An answer that leaves much of a body
unread ends the connection, so that nobody can send without end to a call that does not listen.
"""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bench.fleet.answers import LOG, ApiError, response_for
from bench.fleet.auth import Caller, bearer_token, hash_token
from bench.fleet.hub import Hub
from bench.fleet.rates import network_of

# An unread rest of a body that is not worth a new connection.
_SMALL = 64 << 10
_PATH_LENGTH = 200


class Guard:
    """ASGI middleware around the whole API."""

    def __init__(self, app: ASGIApp, *, hub: Hub) -> None:
        self._app = app
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, largest=self._hub.limits.largest_body)
        try:
            self._admit(scope, exchange)
            await self._app(scope, exchange.receive, exchange.send)
        except Exception as error:
            if exchange.status is not None:
                raise  # in the middle of an answer: the connection ends
            await response_for(error)(scope, exchange.receive, exchange.send)
        finally:
            exchange.log()

    def _admit(self, scope: Scope, exchange: _Exchange) -> None:
        """Who calls; kept for the call, which decides what that caller may.

        Raises:
            ApiError: 400, 411 or 413 for how the request comes, 429 for too many of them.
        """
        scope.setdefault("state", {})["caller"] = None
        most = self._hub.limits.header_bytes
        if exchange.head_bytes > most:
            raise ApiError(400, f"headers of {exchange.head_bytes} bytes; at most {most} are read; send fewer")
        if exchange.is_chunked:
            raise ApiError(411, "a body in chunks; Content-Length is needed; send the body whole, with its length")
        if exchange.length > exchange.largest:
            raise ApiError(413, f"a body of {exchange.length} bytes; no call takes over {exchange.largest}; send less")
        token = bearer_token(scope["headers"])
        caller = None if token is None else self._hub.tokens.find(hash_token(token))
        self._pay(caller, scope)
        exchange.is_known = caller is not None
        scope["state"]["caller"] = caller

    def _pay(self, caller: Caller | None, scope: Scope) -> None:
        hub = self._hub
        if caller is not None:
            wait_s = hub.rates.wait_s(caller.token_id)
        else:
            # By address, so that one peer's made-up tokens are no other's trouble.
            wait_s = hub.strangers.wait_s(network_of((scope.get("client") or ("", 0))[0]))
        if wait_s:
            raise ApiError(429, f"too many requests; the next is taken in {wait_s:.1f} s; wait for it", wait_s=wait_s)


class _Exchange:
    """One request and its answer, with what has gone either way."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, largest: int) -> None:
        self.largest = largest
        self.is_known = False
        self.status: int | None = None
        self._scope, self._receive, self._send = scope, receive, send
        headers = dict(scope["headers"])
        # h11 looks at the size of what is not complete yet, and a head may come whole.
        self.head_bytes = len(scope["query_string"]) + len(scope["path"])
        self.head_bytes += sum(len(name) + len(value) for name, value in scope["headers"])
        self.is_chunked = b"transfer-encoding" in headers
        # h11 lets pass up to 20 digits, and nothing else.
        self.length = int(headers.get(b"content-length", b"0"))
        self._expects = b"expect" in headers
        self._read = 0
        self._begin_s = time.perf_counter()

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            extra = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
            if self._is_cut_off:
                extra.append((b"connection", b"close"))
            message = {**message, "headers": [*message.get("headers", ()), *extra]}
        await self._send(message)

    def log(self) -> None:
        """One line, without headers and query, in which a secret might be."""
        path = ascii(self._scope["path"][:_PATH_LENGTH])
        spent_ms = (time.perf_counter() - self._begin_s) * 1e3
        LOG.info("%s %s %s %.0f ms", self._scope["method"], path, self.status, spent_ms)

    @property
    def _is_cut_off(self) -> bool:
        """Whether what is still to come of the body is not waited for.

        A caller that is known may send the rest of what any call would take, and then read why it was refused.
        """
        left = self.length - self._read
        most = self.largest if self.is_known else _SMALL
        return self.is_chunked or (self._expects and left > 0) or left > most
