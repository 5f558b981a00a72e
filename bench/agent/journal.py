"""What is known of the lease under way, on disk: an agent that is killed tells the hub when it is started again.

Without it the hub would wait for the lease to expire, and a result that was not delivered yet would be lost. Nothing
here is waited for until the disk has it: a loss of power costs a lease, which the hub gives again.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

from bench.agent.files import read_private, write_private
from bench.errors import MeasureError

# What the hub takes as a result.
RESULT_BYTES = 64 << 20
_LEASE_BYTES = 4096


@dataclass(frozen=True)
class Left:
    """What an earlier agent left behind.

    Attributes:
        fence: of its lease.
        result: that it had measured and not delivered; None: it had none yet.
    """

    fence: int
    result: bytes | None


class Journal:
    """One lease at a time, in the runner's folder."""

    def __init__(self, folder: Path) -> None:
        self._lease, self._result = folder / "lease.json", folder / "result.json"

    def begin(self, fence: int) -> None:
        """A lease begins."""
        self._remove(self._result)  # first: it belongs to the lease before
        write_private(self._lease, json.dumps({"fence": fence}).encode("ascii"), is_lasting=False)

    def keep(self, result: bytes) -> None:
        """It has a result, which is not delivered yet."""
        write_private(self._result, result, is_lasting=False)

    def end(self) -> None:
        """The hub knows how it ended."""
        self._remove(self._lease)
        self._remove(self._result)

    def left(self) -> Left | None:
        """The lease that began and did not end; None: there is none, or nothing that can be read."""
        with contextlib.suppress(MeasureError, ValueError, KeyError, TypeError, RecursionError):
            content = read_private(self._lease, limit=_LEASE_BYTES)
            if content is not None:
                fence = json.loads(content)["fence"]
                return Left(fence=fence, result=self._whole_result()) if type(fence) is int and fence > 0 else None
        return None

    def _whole_result(self) -> bytes | None:
        try:
            content = read_private(self._result, limit=RESULT_BYTES)
            if content is not None:
                json.loads(content)  # a disk that lost power may hold a part of it
        except (MeasureError, ValueError, RecursionError):
            return None
        return content

    def _remove(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            path.unlink()
