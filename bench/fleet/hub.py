"""What the calls of the API share: the queue and its store, who calls, and waiting without asking again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, TypeVar

from fastapi import Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import Request

from bench.fleet.answers import ApiError
from bench.fleet.auth import Caller, Tokens
from bench.fleet.bells import Bells, either
from bench.fleet.blobs import BlobStore
from bench.fleet.limits import Limits
from bench.fleet.queue import Queue
from bench.fleet.rates import Rates
from bench.fleet.retention import Retention
from bench.fleet.uploads import Uploads
from bench.store.fleet import FleetStore
from bench.store.fleet_records import TokenKind

Found = TypeVar("Found")

# SQLite has one writer; a few threads more let readers go on beside it.
_SQL_THREADS = 8

# Only says in the OpenAPI document how a token is shown; `Guard` reads it.
_BEARER = HTTPBearer(auto_error=False, scheme_name="token", description="A token of kind agent, client or admin.")


class Hub:
    """The state behind the API; its attributes are used on the event loop.

    Attributes:
        queue, store, blobs, limits: as they were given.
        tokens: who may call.
        rates: how often, by token.
        strangers: how often whoever has none, by address.
        uploads: under way.
        retention: of old jobs.
        bells: wake what waits.
        buffered: bytes of bodies in memory now.
        parsed: bytes that reading large ones may take now.
    """

    def __init__(self, queue: Queue, store: FleetStore, blobs: BlobStore, *, limits: Limits) -> None:
        self.queue = queue
        self.store = store
        self.blobs = blobs
        self.limits = limits
        self.tokens = Tokens(store)
        self.rates = Rates(per_s=limits.requests_per_s, burst=limits.request_burst)
        self.strangers = Rates(per_s=limits.anonymous_per_s, burst=limits.anonymous_burst)
        self.uploads = Uploads(limits)
        self.retention = Retention(store, limits)
        self.bells = Bells()
        self.buffered = self.parsed = 0
        self._sql = ThreadPoolExecutor(_SQL_THREADS, thread_name_prefix="hub-sql")
        queue.changed(self.bells.ring)

    async def sql(self, ask: Callable[[], Found]) -> Found:
        """What `ask` gives, which may wait for the database."""
        return await asyncio.get_running_loop().run_in_executor(self._sql, ask)

    def check_caller(self, caller: Caller) -> None:
        """A token that was revoked while its call waited opens nothing any more.

        Raises:
            ApiError: 401.
        """
        if self.tokens.find(caller.sha256) is None:
            raise _no_token()

    async def poll(
        self, request: Request, name: str, ask: Callable[[], Found | None], *, wait_s: float
    ) -> Found | None:
        """What `ask` gives as soon as that is something; asked again whenever the bell of that name rings.

        None when the time is over, the caller is gone or the hub ends. `ask` runs in a thread.
        """
        loop = asyncio.get_running_loop()
        end_s = loop.time() + min(wait_s, self.limits.wait_s)
        with self.bells.listening(name) as bell:
            gone = asyncio.ensure_future(_gone(request))
            try:
                while not gone.done():
                    bell.clear()
                    found = await self.sql(ask)
                    left_s = end_s - loop.time()
                    if found is not None or left_s <= 0 or self.bells.is_closed:
                        return found
                    await either(bell, gone, timeout_s=left_s)
                return None
            finally:
                gone.cancel()

    def end(self) -> None:
        """Sends home whoever waits."""
        self.bells.close()

    def close(self) -> None:
        """Ends the threads; nothing is asked any more."""
        self._sql.shutdown()


def hub_of(request: Request) -> Hub:
    """The hub whose API is called."""
    hub = request.app.state.hub
    assert isinstance(hub, Hub)
    return hub


def allowing(*kinds: TokenKind) -> Callable[..., Awaitable[Caller]]:
    """A dependency: the caller, whose token has to be of one of these kinds."""

    async def caller_of(
        request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]
    ) -> Caller:
        caller: Caller | None = request.scope["state"].get("caller")
        if caller is None:
            raise _no_token()
        if caller.kind not in kinds:
            raise ApiError(
                403, f"a token of kind {caller.kind!r}; this call takes {' or '.join(kinds)}; use such a token"
            )
        return caller

    return caller_of


def _no_token() -> ApiError:
    return ApiError(401, "no token, or one that is not known here; a valid one is needed; enrol, or make a token")


async def _gone(request: Request) -> None:
    """Ends when the other side does."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
