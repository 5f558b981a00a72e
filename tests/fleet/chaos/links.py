"""The way from an agent to the hub, which can be cut, slowed and broken: by a relay that any user may start."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

_RELAY = Path(__file__).with_name("relay.py")
_DELAY_S, _BYTES_PER_S = 0.2, 50_000


class Links(Protocol):
    """Links by the names of runners."""

    def url(self, name: str) -> str:
        """The hub as that runner's agent reaches it."""

    def cut(self, name: str) -> None:
        """Nothing passes."""

    def slow(self, name: str) -> None:
        """Little passes, and late."""

    def reset(self, name: str) -> None:
        """Ends every connection."""

    def mend(self, name: str) -> None:
        """As it was."""


class RelayedLinks:
    """Each agent reaches the hub through a port of relay.py."""

    def __init__(self, process: subprocess.Popen[str], names: Sequence[str]) -> None:
        self._process = process
        self._index = {name: index for index, name in enumerate(names)}
        self._ports = json.loads(self._line())

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._ports[self._index[name]]}"

    def cut(self, name: str) -> None:
        self._tell(name, "cut")

    def slow(self, name: str) -> None:
        self._tell(name, f"slow {_DELAY_S} {_BYTES_PER_S}")

    def reset(self, name: str) -> None:
        self._tell(name, "reset")

    def mend(self, name: str) -> None:
        self._tell(name, "mend")

    def _tell(self, name: str, words: str) -> None:
        assert self._process.stdin is not None  # made with PIPE
        self._process.stdin.write(f"{self._index[name]} {words}\n")
        self._process.stdin.flush()
        assert self._line() == "ok"

    def _line(self) -> str:
        assert self._process.stdout is not None  # made with PIPE
        return self._process.stdout.readline().strip()


@contextmanager
def relayed(port: int, names: Sequence[str]) -> Iterator[RelayedLinks]:
    """Links to a port of this machine, while they are needed."""
    command = [sys.executable, "-I", str(_RELAY), "127.0.0.1", str(port), str(len(names))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield RelayedLinks(process, names)
        finally:
            process.kill()
