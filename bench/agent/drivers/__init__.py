"""One file for each way to time something: on this machine (`local`), or on what is attached to it.

The loop (`bench.agent.loop`) knows nothing of devices; it asks a driver for three things and gives it one job at a
time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from bench.agent.failure import DriverError
from bench.measure.job import Job
from bench.measure.measurement import Measurement
from bench.measure.session import Enough, Progress

__all__ = ["Driver", "DriverError", "Enough", "Progress"]


class Driver(Protocol):
    """A device that can time jobs, one at a time."""

    name: str

    def capabilities(self) -> dict[str, Any]:
        """Device, runtimes, formats: plain JSON-able data, asked once before the first job.

        Keys: driver, kind ("cpu", "cuda" or "apple"), device, runtimes ({name: {versions, formats, precisions}}),
        checks (formats that the device itself can look into), python, agent, protocol.
        """

    def health(self) -> dict[str, Any]:
        """Temperature and the like now, small and JSON-able; quick, and asked by another thread while `run` works."""

    def run(
        self, job: Job, *, is_enough: Enough, progress: Progress, is_cancelled: Callable[[], bool]
    ) -> tuple[Measurement, ...]:
        """Times every artifact of `job`; one measurement each, in the job's order, not judged.

        What it gives is a whole result. Once `is_cancelled()` is true it leaves the device as it found it and raises,
        within seconds and not with the end of the job.

        Raises:
            DriverError: nothing could be timed, or it was cancelled (the loop knows why).
        """
