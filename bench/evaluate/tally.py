"""What an evaluation has counted, kept in a file so that one that was broken off goes on.

Pictures are counted in their order, so the file says which ones were: the first so many of the list. For each
it has the rank of the true class in the network's answer, from which every top-k follows.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.errors import DataError
from bench.proxies.packing import MAX_UNREADABLE

UNREADABLE = -1
_SAVE_EVERY_S = 5.0


class Tally:
    """The counted pictures of one evaluation.

    Args:
        label: of the pictures, for messages.
        total: pictures in all.
        path: of the file; read if it is there. `None` keeps nothing.

    Raises:
        DataError: the file is damaged.
    """

    def __init__(self, label: str, total: int, path: Path | None) -> None:
        self.ranks: list[int] = []
        self.unreadable: list[tuple[str, str]] = []
        self._label, self._total, self._path = label, total, path
        self._saved, self._saved_at = 0, time.monotonic()
        if path is not None and path.exists():
            self._load(path)

    def add(self, ranks: Iterable[int], unreadable: Sequence[tuple[str, str]]) -> None:
        """Counts the next pictures: the rank of the true class of each (0 is the best), or `UNREADABLE`.

        Raises:
            DataError: more than `MAX_UNREADABLE` of all pictures are unreadable; known as soon as it is certain.
        """
        told = [*self.unreadable, *unreadable]
        if len(told) > MAX_UNREADABLE * self._total:
            first = "; ".join(f"{name} ({reason})" for name, reason in told[:3])
            raise DataError(
                f"{len(told)} of {self._total:,} pictures of {self._label} are unreadable, such as {first}; at most "
                f"{MAX_UNREADABLE:.0%} may be; replace them"
            )
        self.ranks += ranks
        self.unreadable = told
        if time.monotonic() - self._saved_at > _SAVE_EVERY_S:
            self.save()

    def save(self) -> None:
        """Writes the file, whole or not at all, if there is something new.

        Raises:
            DataError: it cannot be written.
        """
        if self._path is None or self._saved == len(self.ranks):
            return
        content = {"data": self._label, "total": self._total, "ranks": self.ranks, "unreadable": self.unreadable}
        try:
            _write(self._path, json.dumps(content, separators=(",", ":")))
        except OSError as error:
            raise DataError(
                f"cannot keep what was counted in {self._path} ({error.strerror}); the folder has to be writable; name "
                "another one"
            ) from error
        self._saved, self._saved_at = len(self.ranks), time.monotonic()

    def num_within(self, rank: int) -> int:
        """Pictures whose true class is among the first `rank` answers."""
        return sum(0 <= found < rank for found in self.ranks)

    def _load(self, path: Path) -> None:
        try:
            content = json.loads(path.read_text())
            self.ranks = [int(rank) for rank in content["ranks"]]
            self.unreadable = [(str(name), str(reason)) for name, reason in content["unreadable"]]
            is_whole = content["total"] == self._total and len(self.ranks) <= self._total
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._damaged(path, str(error)) from error
        if not is_whole or self.ranks.count(UNREADABLE) != len(self.unreadable):
            raise self._damaged(path, "its counts do not fit")
        self._saved = len(self.ranks)

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
