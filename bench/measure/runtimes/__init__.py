"""One small file for each inference runtime; the child process loads it by path (`worker.RUNTIMES`).

A runtime file has two functions, and imports nothing but its runtime and numpy when it is loaded, because
every child process pays for it:

    start(settings) -> details       takes threads and device on; raises what the user must know
    load(task) -> Model              `task` is the settings, the job's entry as "artifact", its file as "content"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Model(Protocol):
    """A loaded artifact with its input in place."""

    details: Mapping[str, Any]

    def time(self, iterations: int) -> Sequence[int]:
        """Nanoseconds of each of `iterations` runs back to back, output fetched."""

    def output(self) -> Sequence[float]:
        """The output of the last run, flat."""

    def is_finite(self) -> bool:
        """Whether the output of the last run is free of NaN and infinity."""
