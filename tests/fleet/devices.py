"""A device by hand: it polls a real hub and answers each job by a script, in the time that this takes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from bench.measure.job import Job

from .examples import measured
from .hubs import Agent, Served

# Documents of measurements, or kind and reason of a failure.
Answer = Callable[[Job], list[dict[str, Any]] | tuple[str, str]]

_WAIT_S = 0.2
# For whoever wants to hold it.
_PAUSE_S = 0.002


@dataclass
class Device:
    """A runner's agent that does as `answer` says, while it is not held."""

    agent: Agent
    answer: Answer
    jobs: list[Job] = field(default_factory=list)
    """All that it was given."""

    def __post_init__(self) -> None:
        self._is_free = threading.Event()
        self._is_free.set()
        self._is_over = threading.Event()
        # Held while it asks for a job and does it; an answer may hold its own device.
        self._turn = threading.RLock()
        self.error: BaseException | None = None

    def hold(self) -> None:
        """Takes no further job until it is let go; what it has is done when this returns."""
        self._is_free.clear()
        with self._turn:
            pass

    def let_go(self) -> None:
        self._is_free.set()

    def end(self) -> None:
        self._is_over.set()
        self._is_free.set()

    def work(self) -> None:
        try:
            while not self._is_over.is_set():
                self._is_free.wait()
                with self._turn:
                    if self._is_free.is_set() and not self._is_over.is_set():
                        self._take(self.agent.lease(wait=_WAIT_S))
                self._is_over.wait(_PAUSE_S)
        except BaseException as error:
            self.error = error

    def _take(self, lease: Any) -> None:
        if lease.status != 200:
            return
        fence, job = lease.json["fence"], Job.from_dict(lease.json["body"]["job"])
        self.jobs.append(job)
        found = self.answer(job)
        if isinstance(found, tuple):
            kind, reason = found
            self.agent.api.post(f"/v1/leases/{fence}/fail", {"kind": kind, "reason": reason})
        else:
            self.agent.result(fence, found)


def well(job: Job) -> list[dict[str, Any]]:
    """Every artifact takes twice as long as the reference, which equals its twin."""
    return measured(job, restarts=job.restarts, twin_ns=(1_000_000,) * job.blocks)


def each(job: Job, ns: Mapping[str, int], **more: Any) -> list[dict[str, Any]]:
    """Measurements of artifacts that take so many nanoseconds, by their labels."""
    documents = []
    for artifact in job.artifacts:
        documents += measured(replace(job, artifacts=(artifact,)), restarts=job.restarts, ns=ns[artifact.label], **more)
    return documents


@contextmanager
def device(hub: Served, name: str, answer: Answer = well) -> Iterator[Device]:
    """A registered runner that works while it is needed."""
    found = Device(agent=hub.enrol(name), answer=answer)
    thread = threading.Thread(target=found.work, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.end()
        thread.join(timeout=30)
    assert found.error is None, found.error
