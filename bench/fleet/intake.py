"""Jobs on their way into the queue: known by their key, held to what one client may have, stored, and put in line."""

from __future__ import annotations

from collections.abc import Callable

from bench.errors import FleetError
from bench.fleet.lanes import Lanes
from bench.fleet.limits import Limits
from bench.store.fleet import FleetStore
from bench.store.fleet_records import JobRecord
from bench.store.records import Json


class FullError(FleetError):
    """A client has as much unfinished work as it may have."""


class Intake:
    """Takes jobs for the runners of one hub; for any thread.

    Args:
        tell: hears the ids of a runner and of a job that waits for it from now on.
    """

    def __init__(self, store: FleetStore, lanes: Lanes, *, limits: Limits, tell: Callable[..., None]) -> None:
        self._store = store
        self._lanes = lanes
        self._limits = limits
        self._tell = tell

    def known(self, *, client: int, key: str, body_sha256: str) -> JobRecord | None:
        """The job that a client's key stands for, whatever has become of it; None: the key is new.

        Raises:
            KeyReusedError: the key stands for another job.
        """
        record = self._store.job_of_key(client=client, key=key, body_sha256=body_sha256)
        if record is None or record.status != "queued" or self._lanes.of_job(record.id) is not None:
            return record
        # The store kept it when it was sent first, although it reported an error; or it is just being queued.
        lane = self._lanes.get(record.runner_id)
        with lane.lock:
            record = self._store.job(record.id)
            is_news = record.status == "queued" and self._lanes.of_job(record.id) is None
            if is_news:
                self._lanes.enter(lane, record)
        if is_news:
            self._tell(lane.id, record.id)
        return record

    def submit(self, *, client: int, key: str, body: Json, body_sha256: str, num_bytes: int) -> JobRecord:
        """Queues a job for the runner that its body names; the same key and body again give the same job.

        Args:
            num_bytes: of the body as JSON.

        Raises:
            UnknownError: no such runner.
            KeyReusedError: the key stands for another job.
            FullError: the client has too much unfinished work.
        """
        if (known := self.known(client=client, key=key, body_sha256=body_sha256)) is not None:
            return known
        lane = self._lanes.named(body["runner"])
        with lane.lock:
            self._check_room(client, num_bytes)
            record, is_new = self._store.add_job(
                client=client,
                key=key,
                body_sha256=body_sha256,
                runner_id=lane.id,
                priority=body["priority"],
                body=body,
                num_bytes=num_bytes,
            )
            if is_new:
                self._lanes.enter(lane, record)
        if is_new:
            self._tell(lane.id, record.id)
        return record

    def _check_room(self, client: int, num_bytes: int) -> None:
        limits = self._limits
        number, size = self._lanes.unfinished(client)
        if number >= limits.unfinished_jobs:
            raise FullError(
                f"this client has {number} unfinished jobs; at most {limits.unfinished_jobs} are kept; wait for some "
                "to end, or cancel them"
            )
        # One by itself is held to its own bound.
        if number and size + num_bytes > limits.unfinished_bytes:
            raise FullError(
                f"this client has {number} unfinished jobs of {size} bytes, and another of {num_bytes}; at most "
                f"{limits.unfinished_bytes} bytes are kept; wait for some to end, or cancel them"
            )
