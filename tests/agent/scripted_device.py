"""A device by hand: gives measurements, or does what a test says while a job is under way."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.agent.drivers import DriverError, Enough, Progress
from bench.measure import Job, Measurement

from .conftest import measurement

LIMIT_S = 30.0


@dataclass
class ScriptedDevice:
    """A driver.

    Attributes:
        meanwhile: is called in the middle of each job.
        hangs: whether a job goes on until it is cancelled.
        seen: jobs, with the content of each file by label.
        enough: what the hub answered when it was asked.
    """

    name = "scripted"
    meanwhile: Callable[[], None] = lambda: None
    hangs: bool = False
    looks: int = 0
    seen: list[tuple[Job, dict[str, bytes]]] = field(default_factory=list)
    enough: list[bool] = field(default_factory=list)

    def capabilities(self) -> dict[str, Any]:
        return {"driver": "scripted", "kind": "cpu", "noise": float("nan")}

    def health(self) -> dict[str, Any]:
        return {"celsius": 40.0}

    def run(
        self, job: Job, *, is_enough: Enough, progress: Progress, is_cancelled: Callable[[], bool]
    ) -> tuple[Measurement, ...]:
        files = {artifact.label: Path(artifact.path).read_bytes() for artifact in (job.reference, *job.artifacts)}
        self.seen.append((job, files))
        found = tuple(measurement(artifact.label) for artifact in job.artifacts)
        progress(1, 2)
        for _ in range(self.looks):
            self.enough.append(is_enough(found))
        self.meanwhile()
        begin = time.monotonic()
        while self.hangs:
            if is_cancelled():
                raise DriverError("unhealthy", "cancelled")
            assert time.monotonic() - begin < LIMIT_S, "nobody cancelled it"
            time.sleep(0.005)
        progress(2, 2)
        return found
