"""Follows a job of a hub to its end, however long the hub or the runner are away meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from bench.errors import FleetError, MeasureError
from bench.fleet.client import HubClient, RefusedError, UnreachableError
from bench.fleet.states import RunnerState
from bench.measure.measurement import Measurement

Result = TypeVar("Result")

# How long the hub holds a question for events, and so the longest that a look at the runner is put off; of a job that
# is measured, that its steps are told.
_WAIT_S, _LEASED_S = 10.0, 3.0
# Between two tries to reach a hub.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 15.0
_ENDS = ("done", "failed", "cancelled")
_LOST = (404, 410)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """How a job stands.

    Attributes:
        phase: "queued" or "leased"; None where only `state` or `trouble` is told.
        done, total: steps of the session that are done, and of all; 0 while unknown.
        state: the runner, looked at while the job waits for it.
        trouble: why the hub is waited for, in words.
    """

    phase: str | None = None
    done: int = 0
    total: int = 0
    state: RunnerState | None = None
    trouble: str | None = None

    def words(self, runner: str) -> str:
        """How the job stands on that runner."""
        if reason := self.trouble or (None if self.state is None else self.state.why_waiting):
            return f"waiting for {runner} ({reason})"
        return f"{runner} measures" if self.phase == "leased" else f"waiting for a turn on {runner}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What became of a job.

    Attributes:
        status: "done", "failed", "cancelled", or "unknown": the hub has no such job, or no longer
            its result.
        kind: of the last failure, such as "device_lost".
        reason: why it is not done, in words.
        measurements: of a job that is done, in the order of its artifacts, unjudged, with the runner's name.
        seconds: that its last attempt took, by the hub's clock.
    """

    status: str
    kind: str | None = None
    reason: str | None = None
    measurements: tuple[Measurement, ...] = ()
    seconds: float = 0.0


Told = Callable[[Sign], None]


def follow(client: HubClient, job_id: str, runner: str, *, told: Told, over: threading.Event) -> Ended | None:
    """Waits for the end of a job; None when `over` is set before that.

    Raises:
        FleetError: the hub refuses to tell, or what it tells is no result.
    """
    after, last = 0, "queued"
    data: dict[str, Any] = {}
    while not over.is_set():
        try:
            ask = partial(client.events, job_id, after=after, wait_s=_LEASED_S if last == "leased" else _WAIT_S)
            for event in persistently(ask, told=told, over=over):
                after = event.sequence
                if event.kind != "look":
                    last, data = event.kind, dict(event.data)
            if last in _ENDS:
                return persistently(partial(_ended, client, job_id, runner, last, data), told=told, over=over)
            told(_sign(client, job_id, runner, last))
        except UnreachableError:
            continue  # told already, or over
        except RefusedError as error:
            if error.status in _LOST:
                return Ended(status="unknown", reason=str(error))
            raise
    return None


def persistently(call: Callable[[], Result], *, told: Told, over: threading.Event) -> Result:
    """What `call` gives, asked again for as long as the hub does not answer and `over` is not set."""
    pause = _FIRST_PAUSE_S
    while True:
        try:
            return call()
        except UnreachableError as error:
            told(Sign(trouble=str(error)))
            if over.wait(pause):
                raise
            pause = min(2 * pause, _LONGEST_PAUSE_S)


def _sign(client: HubClient, job_id: str, runner: str, last: str) -> Sign:
    # The runner's state in both: one that vanishes while it measures is away long before its lease is over.
    state = client.runner(runner)
    if last != "leased":
        return Sign(phase="queued", state=state)
    progress = client.job(job_id).get("progress") or {}
    return Sign(phase="leased", done=int(progress.get("done") or 0), total=int(progress.get("total") or 0), state=state)


def _ended(client: HubClient, job_id: str, runner: str, status: str, data: Mapping[str, Any]) -> Ended:
    if status != "done":
        return Ended(status=status, kind=data.get("kind"), reason=data.get("reason") or "no reason told")
    result, attempts = client.result(job_id), client.job(job_id).get("attempts") or []
    try:
        measurements = tuple(Measurement.from_dict(found) for found in result["measurements"])
    except (KeyError, TypeError, AttributeError, MeasureError) as error:
        raise FleetError(
            f"a malformed result of runner {runner!r} ({error}); measurements are needed; update its agent"
        ) from error
    return Ended(
        status=status,
        measurements=tuple(replace(found, runner=runner) for found in measurements),
        seconds=_seconds(attempts[-1]) if attempts else 0.0,
    )


def _seconds(attempt: Mapping[str, Any]) -> float:
    begin, end = (datetime.fromisoformat(attempt[name]) for name in ("started_at", "finished_at"))
    return max(0.0, (end - begin).total_seconds())  # the clock of a hub may be set back
