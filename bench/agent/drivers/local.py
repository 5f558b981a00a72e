"""Times on the machine that the agent runs on: the same session and the same worker as `bench measure` uses.

The CPUs are held alone meanwhile (`bench.measure.exclusive`), so that an agent on a machine that also trains waits for
the step under way, and training waits for it.

Files of an agent's jobs are of unknown origin. Where this device can look into a format, its worker does so before a
runtime loads the file; where it cannot (ONNX files without the package onnx; folders and weights everywhere), whoever
sent the job has, and each measurement says which of the two it was (`protocol["checked_by"]`).
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.agent.capabilities import capabilities, checked_formats, health
from bench.agent.drivers import DriverError, Enough, Progress
from bench.agent.unpacking import isolated_worker
from bench.errors import MeasureError
from bench.measure.child import ISOLATED_WORKER, end_children
from bench.measure.exclusive import cpu_lock_folder, exclusive
from bench.measure.gpu import Nvml
from bench.measure.job import Job
from bench.measure.measurement import Measurement
from bench.measure.monitor import this_system
from bench.measure.restart import NOT_STARTED
from bench.measure.session import record_session

DEVICE, HUB = "device", "hub"

# Between two looks at whether the job was cancelled.
_LOOK_S = 0.25
# A wait for the CPUs that is longer begins anew, with a look at whether the job was cancelled. Longer than a step of a
# training, or the turn that is given up each time would never come.
_TURN_S = 30.0


class LocalDriver:
    """This machine as a device."""

    name = "local"

    def __init__(
        self,
        kind: str = "cpu",
        *,
        requires_check: bool = False,
        lock: Path | None = None,
        folder: Path | None = None,
        command: Sequence[str] = ISOLATED_WORKER,
    ) -> None:
        """A device of kind "cpu", "cuda" or "apple".

        Args:
            requires_check: refuse files that this device cannot look into itself.
            lock: folder of the lock on the CPUs; None: that of all of this user's programs here.
            folder: of the agent, which may lay out its worker there (`unpacking`); None: `command` is used as it is.
            command: of a child process.
        """
        self._kind = kind
        self._folder = folder
        self._requires_check = requires_check
        self._lock = cpu_lock_folder() if lock is None else lock
        self._command = tuple(command)
        self._system = this_system()
        self._nvml = Nvml() if kind == "cuda" else None

    def capabilities(self) -> dict[str, Any]:
        """See `drivers.Driver`."""
        return {"driver": self.name, **capabilities(self._kind)}

    def health(self) -> dict[str, Any]:
        """See `drivers.Driver`."""
        system = self._system
        found = health(system.celsius(), system.mhz(), system.memory_free_mib())
        for gpu in self._nvml.read()[:1] if self._nvml is not None else ():
            told = {"gpu_celsius": gpu.celsius, "gpu_mhz": gpu.sm_mhz}
            found.update({key: value for key, value in told.items() if value is not None})
        return found

    def run(
        self, job: Job, *, is_enough: Enough, progress: Progress, is_cancelled: Callable[[], bool]
    ) -> tuple[Measurement, ...]:
        """See `drivers.Driver`."""
        if job.runner != self._kind:
            raise DriverError(
                "unsupported", f"a job for {job.runner!r}; this runner times on {self._kind!r}; send it to another"
            )
        self._lay_worker_out()
        checked = self._checkers(job)
        job = replace(
            job,
            reference=replace(job.reference, is_checked=checked[job.reference.label] == HUB),
            artifacts=tuple(replace(item, is_checked=checked[item.label] == HUB) for item in job.artifacts),
        )

        def step(done: int, total: int) -> None:
            if is_cancelled():
                raise DriverError("unhealthy", "cancelled")
            progress(done, total)

        with contextlib.ExitStack() as stack:
            self._take_cpus(stack, is_cancelled)
            stack.enter_context(ended_when(is_cancelled))
            found = record_session(job, is_enough=is_enough, command=self._command, progress=step)
        check_reference(job, found, lost="worker_crash")
        return tuple(replace(item, protocol={**item.protocol, "checked_by": checked[item.label]}) for item in found)

    def _lay_worker_out(self) -> None:
        """Once, before the first job."""
        if self._folder is not None:
            try:
                self._command, self._folder = isolated_worker(self._folder / "worker"), None
            except MeasureError as error:
                raise DriverError("unhealthy", str(error)) from error

    def _checkers(self, job: Job) -> dict[str, str]:
        """Who looks into each file, by label."""
        own = checked_formats()
        found = {}
        for artifact in (job.reference, *job.artifacts):
            found[artifact.label] = DEVICE if artifact.format in own else HUB
            if self._requires_check and artifact.format not in own:
                raise DriverError(
                    "unsupported",
                    f"{artifact.label!r} is a {artifact.format} file; with --require-check this device takes only what "
                    f"it can look into ({', '.join(own)}); install the package onnx there, or leave the option out",
                )
        return found

    def _take_cpus(self, stack: contextlib.ExitStack, is_cancelled: Callable[[], bool]) -> None:
        while True:
            begin = time.monotonic()
            try:
                stack.enter_context(exclusive(self._lock, timeout_s=_TURN_S))
                return
            except MeasureError as error:
                if time.monotonic() - begin < _TURN_S:  # no wait was over: the lock cannot be had at all
                    raise DriverError("unhealthy", str(error)) from error
                if is_cancelled():
                    raise DriverError("unhealthy", "cancelled while something else used the CPUs") from error


class _Watch(threading.Thread):
    """Ends the child processes of a session that is cancelled: a step of it may take minutes, or hang."""

    def __init__(self, is_cancelled: Callable[[], bool]) -> None:
        super().__init__(name="watch of a session", daemon=True)
        self.has_ended = False
        self.is_over = threading.Event()
        self._is_cancelled = is_cancelled

    def run(self) -> None:
        # Again and again: the session starts another child in place of a lost one.
        while not self.is_over.wait(_LOOK_S):
            if self._is_cancelled():
                self.has_ended = True
                end_children()


@contextlib.contextmanager
def ended_when(is_cancelled: Callable[[], bool]) -> Iterator[None]:
    """Ends the child processes of the session within as soon as that is true.

    Raises:
        DriverError: it was: what came out tells of children that were ended and not of artifacts.
    """
    watch = _Watch(is_cancelled)
    watch.start()
    try:
        yield
    finally:
        watch.is_over.set()
        watch.join()
    if watch.has_ended:
        raise DriverError("unhealthy", "cancelled")


def check_reference(job: Job, found: Sequence[Measurement], *, lost: str) -> None:
    """A session whose reference failed tells nothing of its artifacts, but something of this device.

    Args:
        job: what was to be timed.
        found: of each of its artifacts, in its order.
        lost: kind of failure where the process of the reference was lost.

    Raises:
        DriverError: it failed: of the kind `lost`, or "artifact_invalid" where it was refused.
    """
    with_reference = {item.label for item in job.artifacts if job.setup_of(item) == job.setup_of(job.reference)}
    for measurement in found:
        reason = measurement.reason or ""
        # Artifacts of one setup share a process, and each of them has it as its own reason that it could not start.
        has_not_started = reason.startswith(NOT_STARTED) and measurement.label in with_reference
        if has_not_started or reason.startswith(f"the reference {job.reference.label!r} failed: "):
            is_lost = bool(measurement.protocol.get("children_lost"))
            raise DriverError(lost if is_lost else "artifact_invalid", reason)
