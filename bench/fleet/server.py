"""A hub that runs: the API on a socket, in a thread of this process or as all that it does.

with HubServer(folder, db) as hub:      # embedded: until the block ends
    print(hub.address)

HubServer(folder, db, host="192.168.1.5").serve_forever()
"""

from __future__ import annotations

import contextlib
import os
import signal
import ssl
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType, TracebackType

from bench.agent.connections import is_loopback
from bench.errors import FleetError, MissingExtra
from bench.fleet.address import DEFAULT_HOST, DEFAULT_PORT, WILDCARDS, HubAddress, parse_address
from bench.fleet.auth import LOCAL_NAME, hash_token, make_token
from bench.fleet.certificates import ensure_certificate, fingerprint, is_self_signed
from bench.fleet.folder import BusyError, HubFolder, RunningHub, database_name
from bench.fleet.limits import Limits
from bench.fleet.listening import bound, own_address, tls_context
from bench.fleet.queue import Queue
from bench.store.fleet import ClaimedError, FleetStore, open_fleet
from bench.store.fleet_claim import Claim

try:
    from bench.fleet.answers import LOG
    from bench.fleet.app import HubApp, make_app
    from bench.fleet.blobs import BlobStore
    from bench.fleet.serving import TICK_S, Serving, Ticker
except ModuleNotFoundError as error:
    if error.name is None or error.name.startswith("bench"):
        raise
    raise MissingExtra(
        f"the hub needs the extra `hub`; {error.name} is not installed; run pip install 'bench[hub]'"
    ) from error


class HubServer:
    """One hub of one database.

    Args:
        folder: of the hub (`folder.fleet_folder`).
        db: path or URL of the database.
        host, port: to listen on; port 0 takes a free one.
        certificate, key: of an own certificate; without one a host other than loopback gets one that the hub makes.
        is_behind_proxy: plain HTTP on any host: something else does the TLS.
        url: where the hub is reached, where that does not follow from host and port; `URL#sha256:HEX` where a proxy
            shows a certificate of its own.
        keep_days: that a job's body and result are kept after it; None: as `limits` say.
        limits: sizes, rates, times.

    Attributes:
        app: the API, once started.
    """

    def __init__(
        self,
        folder: Path,
        db: str | Path | None = None,
        *,
        host: str = DEFAULT_HOST,
        port: int = DEFAULT_PORT,
        certificate: Path | None = None,
        key: Path | None = None,
        is_behind_proxy: bool = False,
        url: str | None = None,
        keep_days: float | None = None,
        limits: Limits | None = None,
    ) -> None:
        if (certificate is None) is not (key is None):
            raise FleetError("a certificate without its key, or a key alone; both are needed; give both files")
        self._folder = HubFolder(folder)
        self._db = db
        self._host, self._port, self._url = host, port, url
        self._certificate, self._key = certificate, key
        self._has_tls = certificate is not None or not (is_loopback(host) or is_behind_proxy)
        found = limits or Limits()
        self._limits = found if keep_days is None else replace(found, keep_days=keep_days)
        self._stack = contextlib.ExitStack()
        self._server: Serving | None = None
        self._running: RunningHub | None = None
        self._lost: ClaimedError | None = None

    def __enter__(self) -> HubServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def address(self) -> HubAddress:
        """Where it answers."""
        return self.running.address

    @property
    def running(self) -> RunningHub:
        """What is told of it."""
        assert self._running is not None, "not started"
        return self._running

    @property
    def is_alive(self) -> bool:
        """Whether it answers; one that was started may end by itself."""
        return self._server is not None and self._server.is_alive

    @property
    def app(self) -> HubApp:
        assert self._server is not None, "not started"
        return self._server.app

    def start(self) -> HubAddress:
        """Begins to answer, in a thread; returns when it does.

        Raises:
            FleetError: another hub runs for this database (ClaimedError: elsewhere), or the address cannot be listened
                on.
            StoreError: the database cannot be opened.
            MissingExtra: the extra `hub` is not installed.
        """
        assert self._server is None, "started already"
        self._lost = None
        with contextlib.ExitStack() as stack:
            self._folder.make()
            try:
                stack.enter_context(self._folder.locked())
            except BusyError:
                if (running := self._folder.running()) is not None:
                    running.check_is_of(self._db)
                raise
            store = stack.enter_context(open_fleet(self._db))
            claim = stack.enter_context(store.claim())
            listener = stack.enter_context(bound(self._host, self._port))
            context = self._tls()
            self._keep_local_token(store)
            app = self._made(store)
            stack.callback(app.state.hub.close)
            server = Serving(app, listener, context, self._limits)
            server.start()
            stack.callback(server.stop)
            ticker = Ticker(partial(self._tick, claim, server))
            ticker.start()
            stack.callback(ticker.stop)
            self._running = self._described(listener.getsockname()[1])
            self._folder.tell(self._running)
            # First of all that ends: nobody is to come to a hub that goes.
            stack.callback(self._folder.untell)
            self._server = server
            self._stack = stack.pop_all()
        return self.address

    def stop(self) -> None:
        """Answers nothing more; what was stored stays, and leases go on when a hub is started again."""
        self._stack.close()
        self._server = self._running = None

    def serve_forever(self, told: Callable[[RunningHub], None] = lambda hub: None) -> None:
        """Answers until SIGINT or SIGTERM comes; for the main thread of a process.

        Args:
            told: hears where, once it answers.

        Raises:
            FleetError, StoreError, MissingExtra: as `start`.
        """
        over = threading.Event()

        def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  (a handler's signature)
            over.set()

        before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self.start()
            told(self.running)
            assert self._server is not None
            while not over.wait(TICK_S):
                if not self._server.is_alive:
                    raise self._lost or FleetError("the hub ended by itself; its log tells why; start it again")
        finally:
            self.stop()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _tick(self, claim: Claim, server: Serving) -> None:
        """What is done every second, in a thread."""
        try:
            claim.check()
        except ClaimedError as error:
            # The database was out of reach for a while, and its jobs are another hub's now.
            LOG.error("the hub ends: %s", error)
            self._lost = error
            server.end()
            return
        hub = server.app.state.hub
        hub.queue.expire()
        hub.retention.turn()

    def _made(self, store: FleetStore) -> HubApp:
        limits = self._limits
        queue = Queue(store, limits=limits)
        try:
            blobs = BlobStore(self._folder.blobs, limits, needed=queue.lanes.needed_blobs)
        except OSError as error:
            raise FleetError(
                f"cannot use {str(self._folder.blobs)!r} ({error.strerror}); a hub keeps files there; make it writable"
            ) from error
        return make_app(queue, store, blobs, limits=limits)

    def _tls(self) -> ssl.SSLContext | None:
        if not self._has_tls:
            return None
        if self._certificate is None or self._key is None:
            ensure_certificate(self._folder.certificate, self._folder.key, host=self._reached)
            self._certificate, self._key = self._folder.certificate, self._folder.key
        return tls_context(self._certificate, self._key)

    @property
    def _reached(self) -> str:
        """The host that others reach this one by."""
        return own_address() if self._host in WILDCARDS else self._host

    def _described(self, port: int) -> RunningHub:
        scheme = "https" if self._has_tls else "http"
        host = f"[{self._reached}]" if ":" in self._reached else self._reached
        address = parse_address(self._url or f"{scheme}://{host}:{port}")
        pin = address.fingerprint
        if pin is None and self._certificate is not None and is_self_signed(self._certificate):
            pin = fingerprint(self._certificate)
        return RunningHub(
            host=self._host,
            port=port,
            url=address.url,
            fingerprint=pin,
            pid=os.getpid(),
            database=database_name(self._db),
        )

    def _keep_local_token(self, store: FleetStore) -> None:
        """The token of this machine's commands, made where it is missing or dead; others of its name are revoked."""
        token = self._folder.client_token()
        record = None if token is None else store.token(hash_token(token))
        if record is None or record.kind != "admin":
            token = make_token()
            record = store.add_token("admin", LOCAL_NAME, sha256=hash_token(token))
            self._folder.keep_client_token(token)
        for other in store.tokens():
            if other.kind == "admin" and other.name == LOCAL_NAME and other.id != record.id:
                store.revoke_token(other.id)
