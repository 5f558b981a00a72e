"""The agent: asks for work, has a driver do it, tells the hub how it went; for as long as it lives.

A hub that is away costs nothing but time: the measuring goes on, and the result is kept on disk and delivered when the
hub is back. What the hub does not take any more (another attempt has taken its place) is dropped, and the log says so.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.agent.blobs import BlobCache
from bench.agent.drivers import Driver
from bench.agent.enrolment import Identity
from bench.agent.failure import LeaseFailure
from bench.agent.heartbeat import Heartbeat
from bench.agent.journal import RESULT_BYTES, Journal
from bench.agent.reporting import FORBIDDEN, LONG_PAUSE_S, STALE, UNAUTHORIZED, Reporter, TokenRefusedError
from bench.agent.stopping import Stop, Stopped
from bench.agent.transport import JSON_TYPE, Hub, HubError
from bench.agent.wire import Lease, encode_measurements, files_of, finite, read_job, read_lease
from bench.errors import MeasureError
from bench.measure.measurement import Measurement

# A job, which the hub bounds to half of that, and a few words.
_LEASE_BYTES = 16 << 20
# Over what the hub lets a request for work wait.
_MARGIN_S = 15.0
# A hub that has no work and does not wait with saying so must not be asked all the time.
_LEAST_PAUSE_S = 1.0
_LOOK_S, _LOOKS = 10.0, 2


@dataclass(frozen=True)
class Agent:
    """One runner's agent.

    Attributes:
        hub: that it was enrolled with.
        identity: what it was given there.
        driver: of the device.
        cache: for the files of leases.
        journal: of the lease under way.
        stop: whether it was asked to end.
        told: hears of everything that happens, line by line.
        pause: between two requests where the hub does not pause.
    """

    hub: Hub
    identity: Identity
    driver: Driver
    cache: BlobCache
    journal: Journal
    stop: Stop
    told: Callable[[str], None]
    pause: Callable[[float], None] = time.sleep

    def run(self, *, most: int | None = None) -> None:
        """Until it is stopped, or has worked on `most` leases.

        Raises:
            Stopped: it was asked to end.
            TokenRefusedError: the runner was removed, or enrolled elsewhere.
        """
        self._introduce()
        self._settle()
        done = 0
        while most is None or done < most:
            lease = self._next_lease()
            if lease is not None:
                self._work(lease)
                done += 1

    @property
    def _reporter(self) -> Reporter:
        return Reporter(self.hub, self.journal, self.stop, self.told, self.pause)

    def _introduce(self) -> None:
        """Tells what the device can do, once it is there: a phone may be plugged in later."""
        path = f"/v1/runners/{self.identity.runner_id}/capabilities"
        with self.stop.may_interrupt():
            while True:
                try:
                    self._reporter.insist("PUT", path, body=finite(self.driver.capabilities()))
                    return
                except LeaseFailure as error:
                    self.told(f"the device cannot be used: {error}; looking again in {LONG_PAUSE_S:g} s")
                    self.pause(LONG_PAUSE_S)
                except HubError as error:
                    self._reporter.check_token(error, UNAUTHORIZED, FORBIDDEN)
                    self.told(f"the hub does not take what this device can do: {error}")
                    return

    def _settle(self) -> None:
        """Ends the lease that an agent before this one left open."""
        left = self.journal.left()
        if left is None:
            return
        self.told(f"lease {left.fence}: an agent before this one left it open")
        if left.result is not None:
            self._reporter.deliver(left.fence, left.result)
        else:
            self._reporter.fail(left.fence, "device_lost", "the agent ended during the lease and was started again")

    def _next_lease(self) -> Lease | None:
        begin, wait_s = time.monotonic(), self.identity.wait_s
        path = f"/v1/runners/{self.identity.runner_id}/lease?wait={wait_s:g}"
        with self.stop.may_interrupt():
            try:
                reply = self.hub.request(
                    "POST", path, limit=_LEASE_BYTES, is_repeatable=True, attempts=None, timeout_s=wait_s + _MARGIN_S
                )
                data = None if reply.status == 204 else reply.json()
            except HubError as error:
                self._reporter.check_token(error, UNAUTHORIZED, FORBIDDEN)
                self.told(f"no work to be had: {error}; asking again in {LONG_PAUSE_S:g} s")
                self.pause(LONG_PAUSE_S)
                return None
            if data is None:
                if time.monotonic() - begin < _LEAST_PAUSE_S:
                    self.pause(_LEAST_PAUSE_S)
                return None
            return self._read_lease(data)

    def _read_lease(self, data: Mapping[str, Any]) -> Lease | None:
        """The lease; one that makes no sense is given back, or it would come again and again."""
        try:
            return read_lease(data)
        except LeaseFailure as error:
            self.told(f"a lease that makes no sense: {error}")
            if type(data.get("fence")) is int:
                self._reporter.say_failed(data["fence"], error.kind, error.reason)
            self.pause(LONG_PAUSE_S)
            return None

    def _work(self, lease: Lease) -> None:
        self.told(f"lease {lease.fence}: job {lease.job_id}, attempt {lease.attempt}")
        self._note(lambda: self.journal.begin(lease.fence))
        beat = Heartbeat(self.hub, lease, health=self.driver.health, told=self.told)
        beat.start()
        end = time.monotonic() + lease.max_s
        outcome: bytes | LeaseFailure | Stopped
        try:
            outcome = self._measured(lease, beat, end)
        except (LeaseFailure, Stopped) as error:
            outcome = error
        except Exception as error:  # a mistake of ours: the agent must live on, and the hub must hear of it
            self.told(f"lease {lease.fence}: {traceback.format_exc()}")
            outcome = LeaseFailure("unhealthy", f"the agent failed: {type(error).__name__}: {error}")
        is_late = time.monotonic() > end
        self.cache.clear()  # first: what follows may wait for the hub for days
        try:
            if isinstance(outcome, bytes) and beat.why_over is None:
                result = outcome
                beat.enter("posting")
                self._note(lambda: self.journal.keep(result))
                self._reporter.deliver(lease.fence, result)
            else:
                self._give_up(lease, beat, outcome, is_late=is_late)
        finally:
            beat.end()

    def _measured(self, lease: Lease, beat: Heartbeat, end: float) -> bytes:
        """The result as it is sent.

        Raises:
            LeaseFailure: there is none.
            Stopped: the agent was asked to end while it fetched files.
        """

        def is_cancelled() -> bool:
            return self.stop.is_asked or beat.why_over is not None or time.monotonic() > end

        files, job = files_of(lease.body), read_job(lease.body, self.cache.folder)
        with self.stop.may_interrupt():
            self.cache.gather(self.hub, job, files, is_cancelled=is_cancelled)
        beat.enter("measuring")
        found = self.driver.run(
            job,
            is_enough=lambda known: self._is_enough(lease, beat, known),
            progress=beat.progress,
            is_cancelled=is_cancelled,
        )
        result = encode_measurements(found)
        if len(result) > RESULT_BYTES:
            raise LeaseFailure(
                "unsupported",
                f"the result has {len(result) >> 20} MiB; at most {RESULT_BYTES >> 20} MiB are sent; split the job, or "
                "ask for fewer runs",
            )
        return result

    def _is_enough(self, lease: Lease, beat: Heartbeat, known: Sequence[Measurement]) -> bool:
        """What the hub thinks of it; where it cannot be asked, the job's own limits decide."""
        try:
            reply = self.hub.request(
                "POST",
                f"/v1/leases/{lease.fence}/look",
                body=encode_measurements(known),
                headers=JSON_TYPE,
                is_repeatable=True,
                attempts=_LOOKS,
                timeout_s=_LOOK_S,
            )
            action = reply.json().get("action")
        except HubError as error:
            if error.status in (UNAUTHORIZED, *STALE):
                beat.give_up(f"the hub does not take its figures: {error}", is_refused=error.status == UNAUTHORIZED)
                return True
            self.told(f"lease {lease.fence}: the hub cannot be asked whether that is enough ({error}); it goes on")
            return False
        if action == "cancel":
            beat.give_up("the hub cancelled it")
        return action in ("enough", "cancel")

    def _give_up(self, lease: Lease, beat: Heartbeat, outcome: object, *, is_late: bool) -> None:
        """Ends a lease without a result, and says why to whom it matters."""
        beat.end()
        if beat.why_over is not None:
            self.told(f"lease {lease.fence}: given up: {beat.why_over}")
            self.journal.end()
            if beat.is_refused:
                raise TokenRefusedError
        elif self.stop.is_asked:
            self._reporter.fail_at_last(lease.fence, "unhealthy", "the agent was stopped")
        elif is_late:
            self._reporter.fail(lease.fence, "timeout", f"not done after the {lease.max_s:g} s that it may take")
        elif isinstance(outcome, LeaseFailure):
            self._reporter.fail(lease.fence, outcome.kind, outcome.reason)
        if isinstance(outcome, Stopped):
            raise outcome

    def _note(self, action: Callable[[], None]) -> None:
        """A journal that cannot be kept costs an attempt if the agent dies, and nothing else."""
        try:
            action()
        except MeasureError as error:
            self.told(f"the journal cannot be kept: {error}")
