"""What has to be undone on a phone, in a file of the agent until it is undone.

Written before anything is changed on the phone and deleted after everything is changed back, so that an agent that was
killed, or whose phone was unplugged, does it at its next start.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.agent.files import private_folder, read_private, write_private
from bench.errors import MeasureError

_LARGEST = 1 << 20


@dataclass(frozen=True)
class Changes:
    """What was changed on a phone.

    Attributes:
        is_fixed: whether fixed-performance mode was asked for.
        files: sha256 of each file whose folder lies there for a job.
    """

    is_fixed: bool
    files: tuple[str, ...]


class Note:
    """The note about one phone."""

    def __init__(self, folder: Path, serial: str) -> None:
        """`folder` is the agent's own. A serial number tells who owns a phone, so its hash is in the name."""
        self._path = folder / f"adb-{hashlib.sha256(serial.encode()).hexdigest()[:16]}.json"

    def read(self) -> Changes | None:
        """What is to be undone; None: nothing. A note that cannot be read asks for the mode to be switched off."""
        try:
            content = read_private(self._path, limit=_LARGEST)
            if content is None:
                return None
            data: Any = json.loads(content)
            return Changes(is_fixed=bool(data["is_fixed"]), files=tuple(str(name) for name in data["files"]))
        except (MeasureError, ValueError, KeyError, TypeError):
            return Changes(is_fixed=True, files=())

    def write(self, *, is_fixed: bool, files: Sequence[str]) -> None:
        """Puts it on the disk, whole or not at all."""
        private_folder(self._path.parent)
        write_private(self._path, json.dumps({"is_fixed": is_fixed, "files": list(files)}).encode("ascii"))

    def clear(self) -> None:
        """Everything is undone."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
