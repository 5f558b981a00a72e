"""Looks into files of unknown origin before a runtime may load them, in child processes apart from those that time.

The files of a job share a child each for checking and for computing without optimisation: starting one and importing
what it needs takes several times as long as a file does. What one file leaves behind does not decide over the next:
a file that is refused, or that costs a child in which others were before it, is asked about again in a fresh one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

from bench.measure.catalogue import RUNTIMES
from bench.measure.child import WORKER, Child, LostError, RefusedError
from bench.measure.job import Job, JobArtifact, Setup
from bench.measure.restart import entry, numbers, search_paths, start_request

# Formats that a runtime can compute without optimising, which tells what a file of unknown origin should give.
_PLAIN_FORMATS = ("onnx", "tflite")
# A file whose seconds are almost used up is asked about with this, and fails by itself.
_LEAST_LIMIT_S = 0.001


class Inspection:
    """The children that look into the files of one job; started when the first file needs one.

    It must be left by the thread that entered it, as a `Child`.

    Attributes:
        num_lost: children that a file has cost.
    """

    def __init__(self, job: Job, command: Sequence[str] = WORKER) -> None:
        self.num_lost = 0
        self._job = job
        self._command = command
        self._num_files = len(job.artifacts) + 1
        self._checking = _Shared(command, None)
        self._computing: tuple[Setup, _Shared] | None = None

    def __enter__(self) -> Inspection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._checking.close()
        if self._computing is not None:
            self._computing[1].close()

    def check(self, artifact: JobArtifact) -> Mapping[str, Any]:
        """What the file asks for, if a runtime may load it.

        Returns:
            The description of `bench.measure.checks`.

        Raises:
            RefusedError: it may not; the message is why.
            LostError: the child was lost over it.
        """
        job = self._job
        # What a child may use of the CPU is set once: as much as all its files may.
        limits = {"memory_mib": job.memory_mib, "work_s": self._num_files * job.deadline_s}
        request = {"artifact": entry(artifact), **limits, "paths": search_paths()}
        details = self._ask(self._checking, "check", request).get("details")
        return details if isinstance(details, dict) else {}

    def look_into(self, artifact: JobArtifact) -> tuple[float, ...] | None:
        """The logits that the file should give, if its check passes; None where its format cannot tell, or the job
        does.

        Raises:
            RefusedError: the check says no; the message is why.
            LostError: a child was lost over it.
        """
        self.check(artifact)
        if artifact.format not in _PLAIN_FORMATS or artifact.logits is not None:
            return None
        job = self._job
        plain = next(name for name, runtime in RUNTIMES.items() if runtime.formats[0] == artifact.format)
        setup = replace(job.setup_of(artifact), runtime=plain, precision="fp32", channels_last=False, options=())
        request = {"artifact": entry(artifact), "resolution": artifact.resolution or job.resolution, "is_plain": True}
        return tuple(numbers(self._ask(self._computing_with(setup), "load", request).get("output")))

    def _computing_with(self, setup: Setup) -> _Shared:
        if self._computing is None or self._computing[0] != setup:
            if self._computing is not None:
                self._computing[1].close()
            request = start_request(self._job, setup, num_artifacts=self._num_files)
            self._computing = setup, _Shared(self._command, {**request, "runner": "cpu"})
        return self._computing[1]

    def _ask(self, shared: _Shared, ask: str, request: Mapping[str, Any]) -> dict[str, Any]:
        is_fresh, end = shared.num_asked == 0, time.monotonic() + self._job.deadline_s
        try:
            return self._ask_once(shared, ask, request, end)
        except (LostError, RefusedError):
            # Both questions share the file's seconds: one that hangs has used them up.
            if is_fresh or time.monotonic() >= end:
                raise
        shared.close()
        return self._ask_once(shared, ask, request, end)

    def _ask_once(self, shared: _Shared, ask: str, request: Mapping[str, Any], end: float) -> dict[str, Any]:
        try:
            return shared.ask(ask, request, limit_s=max(end - time.monotonic(), _LEAST_LIMIT_S))
        except LostError:
            self.num_lost += 1
            raise


class _Shared:
    """One child after the other, each for as many files as it survives.

    Attributes:
        num_asked: how often the child that is there was asked.
    """

    def __init__(self, command: Sequence[str], start: Mapping[str, Any] | None) -> None:
        """Children of `command`; `start` is what each is told first."""
        self.num_asked = 0
        self._command, self._start = command, start
        self._stack = contextlib.ExitStack()
        self._child: Child | None = None

    def ask(self, ask: str, request: Mapping[str, Any], *, limit_s: float) -> dict[str, Any]:
        """The reply of a child, which is gone after a LostError."""
        try:
            if self._child is None:
                self._child = self._begun(limit_s)
            self.num_asked += 1
            return self._child.ask(ask, request, limit_s=limit_s)
        except LostError:
            self.close()
            raise

    def _begun(self, limit_s: float) -> Child:
        child = self._stack.enter_context(Child(self._command))
        if self._start is not None:
            try:
                child.ask("start", self._start, limit_s=limit_s)
            except RefusedError:
                self.close()  # half started, it is of no use to the next file either
                raise
        return child

    def close(self) -> None:
        """Ends the child; the next question starts another."""
        self._stack.close()
        self._child, self.num_asked = None, 0
