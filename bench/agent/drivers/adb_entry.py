"""What a session on a phone is about: its job, the phone with its program, and how far each artifact has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.agent.drivers.adb_benchmark import Program, Told
from bench.agent.drivers.adb_device import AdbDevice
from bench.agent.drivers.adb_phone import cpus_of
from bench.measure.job import Job, JobArtifact

# Each visit is a fresh process with a start and a warm-up of its own: a group has fewer of them than a child process,
# whose models stay loaded, has visits.
MOST_BLOCKS = 4
LEAST_RUNS = 3
# For the same reason more is timed in one.
LEAST_VISIT_S = 0.2
USUAL_WARMUP_MS = 300.0


@dataclass(frozen=True)
class Setting:
    """A job, and where it is done.

    Attributes:
        job: what is to be timed.
        device: the phone.
        program: that times.
        binary: its path on the phone.
        binary_sha256: of its file.
        mask: of CPUs, for taskset, in hexadecimal digits; None: where the phone's system puts it.
        facts: what a fingerprint says of phone and program.
        surroundings: battery, screen, ... before.
    """

    job: Job
    device: AdbDevice
    program: Program
    binary: str
    binary_sha256: str
    mask: str | None
    facts: Mapping[str, Any]
    surroundings: Mapping[str, Any]

    @property
    def cpus(self) -> tuple[int, ...] | None:
        """That are used; None: any."""
        return None if self.mask is None else cpus_of(self.mask)

    @property
    def blocks(self) -> int:
        """Of a restart."""
        return min(self.job.blocks, MOST_BLOCKS)

    @property
    def least_runs(self) -> int:
        """Timed ones of a process."""
        return max(self.job.iterations, LEAST_RUNS)

    @property
    def seconds(self) -> float:
        """Of timed runs of a process, at least."""
        return max(self.job.visit_ms / 1e3, LEAST_VISIT_S)

    @property
    def warmup_s(self) -> float:
        """Of runs before them, at least."""
        return max(self.job.warmup_least_ms, min(self.job.warmup_ms, USUAL_WARMUP_MS)) / 1e3


@dataclass
class Log:
    """What a restart came to for one artifact: for each block its samples (ns) and what its process told."""

    samples: list[tuple[int, ...]] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)


@dataclass
class Restart:
    """A group of blocks: which of them were disturbed, and what happened during each."""

    number: int
    contended: list[bool] = field(default_factory=list)
    windows: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Entry:
    """One artifact of a session.

    Attributes:
        artifact: what is timed.
        model: its path on the phone; empty where it failed before it got there.
        layout: sizes of its input, in order.
        picture: path on the phone of its input; empty: the program's own.
        operators: of its file.
        logits: what it has to compute; None: not known.
        reason: why it is not timed any more.
        is_wrong: it computes something else.
        output_error: against `logits`; None: not checked.
        unchecked: why not.
        first: what its first process told.
        runs: that each process is asked for.
        left_s: seconds that it may still take in this restart.
        logs: of the whole restarts that it was part of.
    """

    artifact: JobArtifact
    model: str = ""
    layout: tuple[int, ...] = ()
    picture: str = ""
    operators: Any = None
    logits: tuple[float, ...] | None = None
    reason: str | None = None
    is_wrong: bool = False
    output_error: float | None = None
    unchecked: str | None = None
    first: Told | None = None
    runs: int = 0
    left_s: float = 0.0
    logs: dict[int, Log] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Where its file lies on the phone."""
        return self.model.rpartition("/")[0]
