"""Sends shipments to registered runners and waits for what becomes of them, in threads of its own.

One thread sends, in the order in which it was asked to, and one a job waits for its end. All that they find is put into
an inbox that whoever drives the study empties; nothing else is shared with it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from bench.errors import FleetError
from bench.fleet.client import HubClient, RefusedError, UnreachableError
from bench.fleet.following import Ended, Sign, follow, persistently
from bench.fleet.shipping import Package, ship
from bench.study.timer import Timer

# A submission that is refused with one of these (too large, malformed) is refused for what is in it.
_OF_THE_FILES = (413, 422)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """Candidates that a runner times together.

    Attributes:
        timer: the runner.
        numbers: of the candidates.
        beside: resolution of the reference, by its key.
        target: half width that a ratio's interval has to have, by which verdicts are given.
        package: what is sent; None: an earlier run of the study has sent it.
        key: that the hub knows it by, the same whenever the study sends this for the same time.
        why_again: what its last job failed with; None: it is the first.
    """

    timer: Timer
    numbers: tuple[int, ...]
    beside: str
    target: float
    package: Package | None
    key: str
    why_again: str | None = None


# The id of its job once that was sent, how it stands, or what became of it.
News: TypeAlias = str | Sign | Ended


class Courier:
    """Threads that send and wait; from `start` to `stop`.

    Args:
        client: of the hub.
    """

    def __init__(self, client: HubClient) -> None:
        self._client = client
        self._outbox: queue.SimpleQueue[Shipment | None] = queue.SimpleQueue()
        self._inbox: queue.SimpleQueue[tuple[Shipment, News | BaseException]] = queue.SimpleQueue()
        self._over = threading.Event()

    def start(self) -> None:
        """Begins to send."""
        threading.Thread(target=self._send_all, name="bench-courier", daemon=True).start()

    def stop(self, job_ids: Iterable[str]) -> None:
        """Sends and waits no more, and cancels these jobs."""
        self._over.set()
        self._outbox.put(None)
        for job_id in job_ids:
            try:
                self._client.cancel(job_id)
            except UnreachableError:
                return
            except FleetError:
                continue  # over anyway

    def send(self, shipment: Shipment, *, after_s: float = 0.0) -> None:
        """Sends a shipment when those before it are sent, and waits for its end."""
        if after_s <= 0:
            self._outbox.put(shipment)
            return
        timer = threading.Timer(after_s, partial(self._outbox.put, shipment))
        timer.daemon = True
        timer.start()

    def wait_for(self, shipment: Shipment, job_id: str) -> None:
        """Waits for the end of a job that was sent."""
        name = f"bench-courier-{job_id[:8]}"
        threading.Thread(target=self._wait_for, args=(shipment, job_id), name=name, daemon=True).start()

    def news(self) -> Iterator[tuple[Shipment, News]]:
        """What has come in since the last call.

        Raises:
            Exception: what a thread ended with and should not have.
        """
        while True:
            try:
                shipment, found = self._inbox.get_nowait()
            except queue.Empty:
                return
            if isinstance(found, BaseException):
                raise found
            yield shipment, found

    # In threads from here on.

    def _send_all(self) -> None:
        with closing(self._client):  # of this thread, as its connection is
            self._send_each()

    def _send_each(self) -> None:
        while (shipment := self._outbox.get()) is not None and not self._over.is_set():
            try:
                job_id = self._send(shipment)
            except UnreachableError:
                return  # told to end
            except FleetError as error:
                self._inbox.put((shipment, _refused(error)))
            except BaseException as error:
                self._inbox.put((shipment, error))
            else:
                self._inbox.put((shipment, job_id))
                self.wait_for(shipment, job_id)

    def _send(self, shipment: Shipment) -> str:
        assert shipment.package is not None
        call = partial(ship, shipment.package, self._client, key=shipment.key)
        return persistently(call, told=partial(self._tell, shipment), over=self._over)

    def _wait_for(self, shipment: Shipment, job_id: str) -> None:
        told = partial(self._tell, shipment)
        try:
            with closing(self._client):
                ended = follow(self._client, job_id, shipment.timer.name, told=told, over=self._over)
        except UnreachableError:
            return  # told to end
        except FleetError as error:
            ended = _refused(error)
        except BaseException as error:
            self._inbox.put((shipment, error))
            return
        if ended is not None:
            self._inbox.put((shipment, ended))

    def _tell(self, shipment: Shipment, sign: Sign) -> None:
        self._inbox.put((shipment, sign))


def _refused(error: FleetError) -> Ended:
    """What the hub does not take, or what is no result, as the end of a job: for what is in it, or else refused."""
    if isinstance(error, RefusedError) and error.status not in _OF_THE_FILES:
        return Ended(status="refused", reason=str(error))
    return Ended(status="failed", kind="artifact_invalid", reason=str(error))
