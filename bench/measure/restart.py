"""One restart of a session: fresh child processes, loaded, warmed up, and visited block by block.

Artifacts of one setup share a child; the children of several setups live side by side and only one of them works at
a time, so that runtimes are interleaved too. The machine's health is read between blocks, from here: a worker that
looked at itself would disturb what it times. Blocks during which others used the CPU are repeated once.
"""

from __future__ import annotations

import contextlib
import math
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.measure.child import Child, LostError, RefusedError
from bench.measure.health import Monitor, Reading, Window, between, contention, throttling
from bench.measure.job import Job, JobArtifact, Setup
from bench.measure.outputs import check_output

# Where `bench` itself is imported from, which sys.path may name as "the current folder".
_ROOT = str(Path(__file__).resolve().parents[2])
# Importing torch with CUDA from a cold disk takes tens of seconds.
_START_LIMIT_S = 120.0
# An artifact whose seconds are used up is asked once more with this and fails by itself.
_LEAST_LIMIT_S = 0.001
# A GPU's clock is not the host's.
_CLOCK_MARGIN = 1.05
_STABLE = 0.02
# The first run of a visit is 2 to 3 % slower (T8 after T8 or SA12, 2 vCPUs of an AVX-512 Xeon, 2026): it
# brings the weights back into caches that the artifact before it has used, which a deployed network, alone
# in its process, does not pay for. It is kept, apart from the samples.
_SETTLE = 1
# A visit of a very fast network is not made of more runs than this.
_MOST_ITERATIONS = 2000
# Shorter stretches cannot be judged: the kernel counts CPU time in ticks of 10 ms.
_WINDOW_S = 0.5
_GERUNDS = {"load": "loading", "warm": "warming up", "visit": "timing"}
# Begins the reason of every artifact of a setup whose child never came as far as any of them.
NOT_STARTED = "the child process could not start"


@dataclass
class Log:
    """What one process did for one artifact; all times of runs in ns."""

    details: Any = None
    load_ms: Any = None
    first_ms: Any = None
    memory_mib: Any = None
    output_error: float | None = None
    warmup: list[int] = field(default_factory=list)
    is_stable: bool = False
    settle: list[list[int]] = field(default_factory=list)
    samples: list[tuple[int, ...]] = field(default_factory=list)


@dataclass
class Record:
    """What is known about one artifact so far, with a log for each whole restart that it was part of."""

    left_s: float
    logits: tuple[float, ...] | None = None
    reason: str | None = None
    is_wrong: bool = False
    iterations: int | None = None
    logs: dict[int, Log] = field(default_factory=dict)


@dataclass
class Restart:
    """One restart under way.

    Attributes:
        job: what is to be done.
        number: of this restart, from 0.
        present: the artifacts that take part, the reference first.
        records: by label; what goes wrong with an artifact is noted there.
        command: of a child process.
        monitor: of the machine's health.
        tell: is called after each step.
    """

    job: Job
    number: int
    present: tuple[JobArtifact, ...]
    records: Mapping[str, Record]
    command: Sequence[str]
    monitor: Monitor
    tell: Callable[[], None]
    logs: dict[str, Log] = field(default_factory=dict)
    contended: list[bool] = field(default_factory=list)
    windows: list[dict[str, Any]] = field(default_factory=list)
    started: dict[Setup, dict[str, Any]] = field(default_factory=dict)
    start_ms: list[float] = field(default_factory=list)
    first_window: Window | None = None

    def run(self, calm: Window | None) -> None:
        """From start to end; `calm` is the first stretch of the session.

        Raises:
            LostError: a child was lost; whose fault it was stands in the records.
        """
        self.logs = {artifact.label: Log() for artifact in self.present}
        for artifact in self.present:
            # Of this restart: a slow network of many restarts is no hang.
            self.records[artifact.label].left_s = self.job.deadline_s
        with contextlib.ExitStack() as stack:
            children: dict[Setup, Child] = {}
            for artifact in self.present:
                setup = self.job.setup_of(artifact)
                if setup not in children:
                    children[setup] = self._start(stack, setup)
            for work in ("load", "warm"):
                for artifact in self.present:
                    self._do(work, children[self.job.setup_of(artifact)], artifact)
            self._visit_blocks(children, calm)

    @property
    def where(self) -> str:
        return f"restart {self.number + 1} of {max(self.job.restarts, self.number + 1)}"

    def _start(self, stack: contextlib.ExitStack, setup: Setup) -> Child:
        begin = time.monotonic()
        of_setup = [artifact for artifact in self.present if self.job.setup_of(artifact) == setup]
        try:
            child = stack.enter_context(Child(self.command, threads=setup.threads))
            request = start_request(self.job, setup, num_artifacts=len(of_setup))
            reply = child.ask("start", request, limit_s=_START_LIMIT_S)
        except (LostError, RefusedError) as error:
            for artifact in of_setup:
                self.records[artifact.label].reason = f"{NOT_STARTED} ({self.where}): {error}"
            raise LostError(str(error)) from error
        self.start_ms.append((time.monotonic() - begin) * 1e3)
        self.started[setup] = {"details": reply.get("details"), "limits": reply.get("limits")}
        return child

    def _visit_blocks(self, children: Mapping[Setup, Child], calm: Window | None) -> None:
        job, pids = self.job, [child.pid for child in children.values()]
        planned, pending = job.blocks, 0
        orders = visiting_order(len(self.present), 2 * job.blocks + 1, seed=(job.seed, self.number))
        before = self.monitor.read(pids)
        for block, order in enumerate(orders):
            if block == planned:
                break
            for index in order:
                artifact = self.present[index]
                self._do("visit", children[job.setup_of(artifact)], artifact)
            pending += 1
            now = self.monitor.read(pids)
            is_last = block + 1 == planned
            if is_last or (pending % 2 == 0 and now.at_s - before.at_s >= _WINDOW_S):
                self._close_window(before, now, pending, calm)
                before, pending = now, 0
            if job.repeats and is_last and planned == job.blocks and any(self.contended):
                # In pairs, so that each order has its reverse.
                planned += 2 * math.ceil(sum(self.contended) / 2)

    def _close_window(self, before: Reading, now: Reading, blocks: int, calm: Window | None) -> None:
        window = between(before, now)
        self.first_window = self.first_window or window
        reasons = {"contention": contention(window), "throttling": throttling(window, calm)}
        self.contended += [reasons["contention"] is not None] * blocks
        self.windows.append({"blocks": blocks, **window.to_dict(), **reasons})

    def _do(self, work: str, child: Child, artifact: JobArtifact) -> None:
        """One step; what goes wrong in it is the failure of its artifact. A lost child is raised on."""
        record, log = self.records[artifact.label], self.logs[artifact.label]
        if record.reason is not None or self.records[self.present[0].label].reason is not None:
            return
        try:
            if work == "load":
                self._load(child, artifact, record, log)
            elif work == "warm":
                self._warm(child, artifact, record, log)
            else:
                samples = self._time(child, artifact, _SETTLE + (record.iterations or self.job.iterations))
                log.settle.append(list(samples[:_SETTLE]))
                log.samples.append(samples[_SETTLE:])
        except (LostError, RefusedError) as error:
            record.reason = f"{_GERUNDS[work]} failed ({self.where}): {error}"
            if isinstance(error, LostError):
                raise
        self.tell()

    def _load(self, child: Child, artifact: JobArtifact, record: Record, log: Log) -> None:
        # What ran where is looked up once: it takes a session of its own.
        side = artifact.resolution or self.job.resolution
        request = {"artifact": entry(artifact), "resolution": side, "describes": self.number == 0}
        reply = self._ask(child, artifact, "load", request)
        details = reply.get("details")
        if details is not None and not isinstance(details, dict):
            raise RefusedError(f"its details are a {type(details).__name__}; a mapping is needed; mend the runtime")
        log.details = details
        log.load_ms, log.first_ms, log.memory_mib = (reply.get(name) for name in ("load_ms", "first_ms", "memory_mib"))
        if record.logits is not None:
            found = numbers(reply.get("output"))
            precision = self.job.setup_of(artifact).precision
            log.output_error, wrong = check_output(found, record.logits, precision=precision)
            if wrong is not None:
                record.reason, record.is_wrong = f"{wrong} ({self.where})", True

    def _warm(self, child: Child, artifact: JobArtifact, record: Record, log: Log) -> None:
        """Runs until a window's median agrees with that of the one before, or the time for it is over."""
        job, size = self.job, self.job.warmup_window
        while sum(log.warmup) < job.warmup_ms * 1e6:
            window = self._time(child, artifact, size)
            before = log.warmup[-size:]
            log.warmup += window
            is_stable = bool(before) and abs(median(window) / median(before) - 1) <= _STABLE
            if is_stable and sum(log.warmup) >= job.warmup_least_ms * 1e6:
                log.is_stable = True
                break
        if record.iterations is None:
            # Fixed by the first restart, so that all blocks weigh the same.
            wanted = math.ceil(job.visit_ms * 1e6 / median(log.warmup[-size:]))
            record.iterations = min(max(job.iterations, wanted), _MOST_ITERATIONS)

    def _time(self, child: Child, artifact: JobArtifact, iterations: int) -> tuple[int, ...]:
        request = {"label": artifact.label, "iterations": iterations}
        begin = time.monotonic_ns()
        samples = self._ask(child, artifact, "time", request).get("samples")
        elapsed = time.monotonic_ns() - begin
        if not isinstance(samples, list) or len(samples) != iterations:
            found = f"{len(samples)} samples" if isinstance(samples, list) else "none"
            raise RefusedError(f"{iterations} samples were asked for and {found} came; mend the runtime")
        for sample in samples:
            if type(sample) is not int or sample <= 0:
                raise RefusedError(f"a sample of {sample!r} ns; a whole number above 0 is needed")
        if sum(samples) > elapsed * _CLOCK_MARGIN:
            raise RefusedError(f"samples of {sum(samples)} ns together came within {elapsed} ns")
        return tuple(samples)

    def _ask(self, child: Child, artifact: JobArtifact, ask: str, request: Mapping[str, Any]) -> dict[str, Any]:
        record = self.records[artifact.label]
        begin = time.monotonic()
        try:
            return child.ask(ask, request, limit_s=max(record.left_s, _LEAST_LIMIT_S))
        finally:
            record.left_s -= time.monotonic() - begin


def numbers(output: Any) -> list[float]:
    """An output as it came from a child.

    Raises:
        RefusedError: it is no list of numbers.
    """
    if not isinstance(output, list) or any(type(value) not in (int, float) for value in output):
        raise RefusedError("its output is no list of numbers; one is needed; mend the runtime")
    return [float(value) for value in output]


def start_request(job: Job, setup: Setup, *, num_artifacts: int) -> dict[str, Any]:
    """What a child needs to take its runtime on, for so many artifacts."""
    return {
        "runtime": setup.runtime,
        "runner": job.runner,
        "threads": setup.threads,
        "precision": setup.precision,
        "channels_last": setup.channels_last,
        "options": dict(setup.options),
        "cpus": None if job.cpus is None else list(job.cpus),
        "resolution": job.resolution,
        "memory_mib": job.memory_mib,
        "work_s": _START_LIMIT_S + num_artifacts * job.deadline_s,
        "seed": job.seed,
        "paths": search_paths(),
    }


def search_paths() -> list[str]:
    """Where this process finds its packages, for a child that starts isolated."""
    return [_ROOT, *(path for path in sys.path if Path(path).is_absolute())]


def entry(artifact: JobArtifact) -> dict[str, Any]:
    """The artifact as a child is told of it; it stands in a folder of its own, where a relative path leads nowhere."""
    plain = asdict(artifact) | {"path": str(Path(artifact.path).absolute())}
    return {key: value for key, value in plain.items() if key not in ("logits", "setup")}


def visiting_order(count: int, blocks: int, *, seed: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """The order in which each block visits `count` things: random, and reversed in each second block."""
    # Of a text, since tuples are no seeds; the same in every release of Python, as `random` promises for these calls.
    source = random.Random(" ".join(map(str, seed)))
    order: tuple[int, ...] = ()
    for block in range(blocks):
        order = order[::-1] if block % 2 else tuple(sorted(range(count), key=lambda index: source.random()))
        yield order
