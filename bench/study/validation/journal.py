"""What a validation has done so far, in a file that survives whatever ends the process.

One JSON object a line: the settings, then each finished training as it ends, on the disk before the next begins. A line
that was cut off by a crash is left out; the training is done again.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from bench.errors import ConfigError
from bench.study.validation.settings import difference

FORMAT = 1


class Journal:
    """The file, opened by one process at a time.

    Attributes:
        rows: all finished trainings.
    """

    def __init__(self, file: IO[str], rows: list[dict[str, Any]]) -> None:
        self._file = file
        self.rows = rows

    def add(self, row: Mapping[str, Any]) -> None:
        """Keeps a row."""
        _write(self._file, row)
        self.rows.append(dict(row))


@contextmanager
def opened(path: Path, settings: Mapping[str, Any]) -> Iterator[Journal]:
    """The journal at `path`, begun if it is not there.

    Args:
        settings: JSON-able; `validation` among them has to agree with those that it was begun with.

    Raises:
        ConfigError: it is of another validation, of another release, or another process is at it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    plain: dict[str, Any] = json.loads(json.dumps({"kind": "settings", "format": FORMAT, **settings}))
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(
                f"{path} is being written by another process; one at a time; wait for it, or name another --out"
            ) from error
        file.seek(0)
        lines = file.read().splitlines(keepends=True)
        # A torn last line would run into the next.
        whole = [line for line in lines if line.endswith("\n")]
        if len(whole) < len(lines):
            file.truncate(len("".join(whole).encode()))
        rows = [json.loads(line) for line in whole]
        if not rows:
            _write(file, plain)
        else:
            _check(path, rows.pop(0), plain)
        yield Journal(file, rows)


def _check(path: Path, known: dict[str, Any], settings: dict[str, Any]) -> None:
    if known.get("kind") != "settings" or known.get("format") != FORMAT:
        raise ConfigError(f"{path} is no journal of a validation of this release; name another --out, or remove it")
    differs = difference(known["validation"], settings["validation"])
    if differs is None and known["space_hash"] != settings["space_hash"]:
        differs = "the space has changed"
    if differs is not None:
        raise ConfigError(
            f"{path} holds trainings of other settings ({differs}); those of one validation agree; "
            "name another --out, or remove it"
        )


def _write(file: IO[str], row: Mapping[str, Any]) -> None:
    file.write(json.dumps(row) + "\n")
    file.flush()
    os.fsync(file.fileno())
