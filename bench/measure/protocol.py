"""The protocol: restarts x interleaved blocks x iterations, with the reference in every block.

Ten processes that timed the same file beside other work gave medians from 9.8 to 19.8 ms, while pairs
interleaved in one process agreed within 1 %. Hence every block visits each artifact and the reference in
turn, in a seeded random order whose reverse the next block takes (a drift then cancels within two blocks),
and fresh processes sample what is fixed for the life of one: memory layout, thread placement. All raw
samples are kept; statistics are derived when read (`stats.py`).

An artifact that crashes, hangs or answers nonsense is a failed measurement with its reason; the others go
on in a fresh child.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from bench.measure.child import WORKER, Child, LostError, RefusedError
from bench.measure.fingerprint import fingerprint
from bench.measure.job import Job, JobArtifact
from bench.measure.measurement import Measurement

# Called with the number of steps that are done and the number of all.
Progress = Callable[[int, int], None]

# Raised with each change to what is timed or in which order.
PROTOCOL_VERSION = 1

# Where `bench` itself is imported from, which sys.path may name as "the current folder".
_ROOT = str(Path(__file__).resolve().parents[2])
# Importing torch with CUDA from a cold disk takes tens of seconds.
_START_LIMIT_S = 120.0
# An artifact whose seconds are used up is asked once more with this and fails by itself.
_LEAST_LIMIT_S = 0.001
# A GPU's clock is not the host's.
_CLOCK_MARGIN = 1.05
_WINDOW = 3
_STABLE = 0.02
# The first run of a visit is 2 to 3 % slower (T8 after T8 or SA12, 2 vCPUs of an AVX-512 Xeon, 2026): it
# brings the weights back into caches that the artifact before it has used, which a deployed network, alone
# in its process, does not pay for. It is kept, apart from the samples.
_SETTLE = 1
_GERUNDS = {"load": "loading", "warm": "warming up", "visit": "timing"}


def measure(job: Job, *, progress: Progress | None = None) -> tuple[Measurement, ...]:
    """Times every artifact of `job`; one measurement each, in the job's order.

    An artifact that cannot be timed gives the verdict "failed" and never an exception. Nothing else may use
    the CPU meanwhile: hold `exclusive`.
    """
    return _measure(job, command=WORKER, progress=progress)


def _measure(job: Job, *, command: Sequence[str], progress: Progress | None) -> tuple[Measurement, ...]:
    session = _Session(job, command, progress)
    for process in range(job.restarts):
        while session.is_worthwhile and not session.run_process(process):
            pass  # each turn lost a child and failed the artifact that it was busy with, so this ends
    return tuple(session.measurement(artifact) for artifact in job.artifacts)


@dataclass(slots=True)
class _Log:
    """What one process did for one artifact; all times of runs in ns."""

    details: Any = None
    load_ms: Any = None
    first_ms: Any = None
    warmup: list[int] = field(default_factory=list)
    is_stable: bool = False
    settle: list[list[int]] = field(default_factory=list)
    samples: list[tuple[int, ...]] = field(default_factory=list)


@dataclass(slots=True)
class _Record:
    """What is known about one artifact so far, with a log for each whole process."""

    left_s: float
    reason: str | None = None
    logs: list[_Log] = field(default_factory=list)


class _Session:
    """A job under way."""

    def __init__(self, job: Job, command: Sequence[str], progress: Progress | None) -> None:
        self._job = job
        self._command = command
        self._progress = progress
        self._everything = (job.reference, *job.artifacts)
        self._records = {artifact.label: _Record(left_s=job.deadline_s) for artifact in self._everything}
        self._reference = self._records[job.reference.label]
        self._fingerprint = fingerprint(runner=job.runner, runtime=job.runtime, threads=job.threads)
        self._num_lost = 0
        self._start_ms: list[float] = []
        self._limits: Any = None

    @property
    def is_worthwhile(self) -> bool:
        """Whether the reference and at least one artifact can still be timed."""
        rest = (self._records[artifact.label] for artifact in self._job.artifacts)
        return self._reference.reason is None and any(record.reason is None for record in rest)

    def run_process(self, process: int) -> bool:
        """One child process from start to end; False when it was lost and another must take its place."""
        logs: dict[str, _Log] = {artifact.label: _Log() for artifact in self._everything}
        where = f"restart {process + 1} of {self._job.restarts}"
        try:
            with contextlib.ExitStack() as stack:
                child = self._start(stack, where)
                for step, (work, artifact) in enumerate(self._steps(process)):
                    self._do(work, child, artifact, logs[artifact.label], where)
                    self._tell(process, step)
        except LostError:
            self._num_lost += 1
            return False
        for label, record in self._records.items():
            if record.reason is None:
                record.logs.append(logs[label])
        return True

    def measurement(self, artifact: JobArtifact) -> Measurement:
        """What is known about `artifact` when all is done."""
        job, record, reference = self._job, self._records[artifact.label], self._reference
        reason = record.reason
        if reason is None and reference.reason is not None:
            reason = f"the reference {job.reference.label!r} failed: {reference.reason}"
        # Both have the logs of the same first processes, however far each came.
        pairs = list(zip(record.logs, reference.logs, strict=False))
        return Measurement(
            label=artifact.label,
            architecture_id=artifact.architecture_id,
            artifact_sha256=artifact.sha256,
            runner=job.runner,
            runtime=job.runtime,
            threads=job.threads,
            resolution=job.resolution,
            samples=tuple(tuple(own.samples) for own, _ in pairs),
            reference_samples=tuple(tuple(other.samples) for _, other in pairs),
            verdict="valid" if reason is None else "failed",
            reason=reason,
            fingerprint=self._fingerprint,
            protocol=self._protocol([asdict(own) for own, _ in pairs]),
        )

    def _start(self, stack: contextlib.ExitStack, where: str) -> Child:
        job = self._job
        request = {
            "runtime": job.runtime,
            "runner": job.runner,
            "threads": job.threads,
            "resolution": job.resolution,
            "memory_mib": job.memory_mib,
            "seed": job.seed,
            "paths": [_ROOT, *(path for path in sys.path if Path(path).is_absolute())],
        }
        begin = time.monotonic()
        try:
            child = stack.enter_context(Child(self._command, threads=job.threads))
            reply = child.ask("start", request, limit_s=_START_LIMIT_S)
        except (LostError, RefusedError) as error:
            self._reference.reason = f"the child process could not start ({where}): {error}"
            raise LostError(str(error)) from error
        self._start_ms.append((time.monotonic() - begin) * 1e3)
        self._fingerprint = {**self._fingerprint, "loaded": reply.get("details")}
        self._limits = reply.get("limits")
        return child

    def _steps(self, process: int) -> Iterator[tuple[str, JobArtifact]]:
        """Everything that one process does, in order."""
        for work in ("load", "warm"):
            for artifact in self._everything:
                yield work, artifact
        for order in visiting_order(len(self._everything), self._job.blocks, seed=(self._job.seed, process)):
            for index in order:
                yield "visit", self._everything[index]

    def _do(self, work: str, child: Child, artifact: JobArtifact, log: _Log, where: str) -> None:
        """One step; what goes wrong in it is the failure of its artifact. A lost child is raised on."""
        record = self._records[artifact.label]
        if record.reason is not None or self._reference.reason is not None:
            return
        try:
            match work:
                case "load":
                    self._load(child, artifact, log)
                case "warm":
                    self._warm(child, artifact, log)
                case _:
                    samples = self._time(child, artifact, _SETTLE + self._job.iterations)
                    log.settle.append(list(samples[:_SETTLE]))
                    log.samples.append(samples[_SETTLE:])
        except (LostError, RefusedError) as error:
            record.reason = f"{_GERUNDS[work]} failed ({where}): {error}"
            if isinstance(error, LostError):
                raise

    def _load(self, child: Child, artifact: JobArtifact, log: _Log) -> None:
        # The child stands in a folder of its own, where a relative path leads nowhere.
        entry = asdict(artifact) | {"path": str(Path(artifact.path).absolute())}
        reply = self._ask(child, artifact, "load", {"artifact": entry})
        log.details = reply.get("details")
        log.load_ms, log.first_ms = reply.get("load_ms"), reply.get("first_ms")

    def _warm(self, child: Child, artifact: JobArtifact, log: _Log) -> None:
        """Runs until a window's median agrees with that of the one before, or the time for it is over."""
        while sum(log.warmup) < self._job.warmup_ms * 1e6:
            window = self._time(child, artifact, _WINDOW)
            before = log.warmup[-_WINDOW:]
            log.warmup += window
            if before and abs(median(window) / median(before) - 1) <= _STABLE:
                log.is_stable = True
                return

    def _time(self, child: Child, artifact: JobArtifact, iterations: int) -> tuple[int, ...]:
        request = {"label": artifact.label, "iterations": iterations}
        begin = time.monotonic_ns()
        samples = self._ask(child, artifact, "time", request).get("samples")
        elapsed = time.monotonic_ns() - begin
        if not isinstance(samples, list) or len(samples) != iterations:
            found = f"{len(samples)} samples" if isinstance(samples, list) else "none"
            raise RefusedError(f"{iterations} samples were asked for and {found} came")
        for sample in samples:
            if type(sample) is not int or sample <= 0:
                raise RefusedError(f"a sample of {sample!r} ns; a whole number above 0 is needed")
        if sum(samples) > elapsed * _CLOCK_MARGIN:
            raise RefusedError(f"samples of {sum(samples)} ns together came within {elapsed} ns")
        return tuple(samples)

    def _ask(self, child: Child, artifact: JobArtifact, ask: str, request: Mapping[str, Any]) -> dict[str, Any]:
        record = self._records[artifact.label]
        begin = time.monotonic()
        try:
            return child.ask(ask, request, limit_s=max(record.left_s, _LEAST_LIMIT_S))
        finally:
            record.left_s -= time.monotonic() - begin

    def _tell(self, process: int, step: int) -> None:
        if self._progress is not None:
            steps = len(self._everything) * (2 + self._job.blocks)
            self._progress(process * steps + step + 1, self._job.restarts * steps)

    def _protocol(self, logs: list[dict[str, Any]]) -> dict[str, Any]:
        job = self._job
        names = ("restarts", "blocks", "iterations", "warmup_ms", "deadline_s", "memory_mib", "seed")
        return {
            "version": PROTOCOL_VERSION,
            "reference": {"label": job.reference.label, "sha256": job.reference.sha256},
            "labels": [artifact.label for artifact in self._everything],
            **{name: getattr(job, name) for name in names},
            "limits": self._limits,
            "children_lost": self._num_lost,
            "start_ms": list(self._start_ms),
            "processes": [{key: value for key, value in log.items() if key != "samples"} for log in logs],
        }


def visiting_order(count: int, blocks: int, *, seed: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """The order in which each block visits `count` things: random, and reversed in each second block."""
    random = np.random.default_rng(list(seed))
    order: tuple[int, ...] = ()
    for block in range(blocks):
        order = order[::-1] if block % 2 else tuple(int(index) for index in random.permutation(count))
        yield order
