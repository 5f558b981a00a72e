"""What an evaluation has counted, kept in a file so that one that was broken off goes on.

Pictures are counted in their order, so the file says which ones were: the first so many of the list. For each
it has the rank of the true class in the network's answer, from which every top-k follows. A picture that cannot be
decoded is kept as such. One whose file could not be read is not: a disk that was away comes back, and the next
evaluation counts the picture's batch again.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.errors import DataError
from bench.proxies.packing import MAX_UNREADABLE

UNREADABLE = -1  # cannot be decoded
UNREAD = -2  # could not be read from its disk
_SAVE_EVERY_S = 5.0


class Tally:
    """The counted pictures of one evaluation.

    Args:
        label: of the pictures, for messages.
        total: pictures in all.
        path: of the file; read if it is there. `None` keeps nothing.
        batch: pictures that are counted at a time.

    Attributes:
        ranks: of the pictures so far: the rank of the true class (0 is the best), `UNREADABLE` or `UNREAD`.
        resumed_from: when what was read from the file had been counted (ISO 8601, UTC); `None` where nothing was.

    Raises:
        DataError: the file is damaged.
    """

    def __init__(self, label: str, total: int, path: Path | None, *, batch: int) -> None:
        self.ranks: list[int] = []
        self.resumed_from: str | None = None
        self._told: dict[int, tuple[str, str]] = {}
        self._label, self._total, self._path, self._batch = label, total, path, batch
        self._is_saved, self._saved_at = True, time.monotonic()
        if path is not None and path.exists():
            self._load(path)

    @property
    def unreadable(self) -> tuple[tuple[str, str], ...]:
        """Name and reason of each picture without a rank, in their order."""
        return tuple(self._told[at] for at in sorted(self._told))

    def pending(self) -> list[int]:
        """Where the batches begin that are to be counted: those with a picture that was not read, and the rest."""
        again = {at - at % self._batch for at, rank in enumerate(self.ranks) if rank == UNREAD}
        return [*sorted(again), *range(len(self.ranks), self._total, self._batch)]

    def put(self, start: int, ranks: Sequence[int], unreadable: Mapping[int, tuple[str, str]]) -> None:
        """Counts the batch that begins at `start`, again or for the first time.

        Args:
            ranks: as in the attribute.
            unreadable: name and reason of each picture without a rank, by place in the list.

        Raises:
            DataError: more than `MAX_UNREADABLE` of all pictures are unreadable; known as soon as it is certain.
        """
        assert start <= len(self.ranks)
        end = start + len(ranks)
        told = {at: why for at, why in self._told.items() if not start <= at < end} | dict(unreadable)
        if len(told) > MAX_UNREADABLE * self._total:
            first = "; ".join(f"{name} ({reason})" for name, reason in list(told.values())[:3])
            raise DataError(
                f"{len(told)} of {self._total:,} pictures of {self._label} are unreadable, such as {first}; at most "
                f"{MAX_UNREADABLE:.0%} may be; replace them"
            )
        self.ranks[start:end] = ranks
        self._told, self._is_saved = told, False
        if time.monotonic() - self._saved_at > _SAVE_EVERY_S:
            self.save()

    def save(self) -> None:
        """Writes the file, whole or not at all, if there is something new.

        Raises:
            DataError: it cannot be written.
        """
        if self._path is None or self._is_saved:
            return
        content = {
            "data": self._label,
            "total": self._total,
            "counted": datetime.now(UTC).isoformat(timespec="seconds"),
            "ranks": self.ranks,
            "unreadable": [(at, *self._told[at]) for at, rank in enumerate(self.ranks) if rank == UNREADABLE],
        }
        try:
            _write(self._path, json.dumps(content, separators=(",", ":")))
        except OSError as error:
            raise DataError(
                f"cannot keep what was counted in {self._path} ({error.strerror}); the folder has to be writable; name "
                "another one"
            ) from error
        self._is_saved, self._saved_at = True, time.monotonic()

    def num_within(self, rank: int) -> int:
        """Pictures whose true class is among the first `rank` answers."""
        return sum(0 <= found < rank for found in self.ranks)

    def _load(self, path: Path) -> None:
        try:
            content = json.loads(path.read_text())
            self.ranks = [int(rank) for rank in content["ranks"]]
            self._told = {int(at): (str(name), str(reason)) for at, name, reason in content["unreadable"]}
            self.resumed_from = str(content["counted"])
            is_whole = content["total"] == self._total and len(self.ranks) <= self._total
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._damaged(path, str(error)) from error
        has_whole_batches = len(self.ranks) == self._total or len(self.ranks) % self._batch == 0
        without_rank = {at for at, rank in enumerate(self.ranks) if rank == UNREADABLE}
        if not is_whole or not has_whole_batches or without_rank != set(self._told):
            raise self._damaged(path, "its counts do not fit")

    @staticmethod
    def _damaged(path: Path, reason: str) -> DataError:
        return DataError(f"{path} is damaged ({reason}); it keeps what an evaluation has counted; delete it")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        Path(partial).replace(path)
    finally:
        Path(partial).unlink(missing_ok=True)
