"""Lines on stderr for whoever looks after a device: when, which runner, what; never a secret."""

from __future__ import annotations

import contextlib
import sys
import time

from bench.agent.answers import printable


class Log:
    """Writes one line a call; a closed stderr does not end the agent."""

    def __init__(self) -> None:
        self.name = ""
        self._secrets: tuple[str, ...] = ()

    def hide(self, *secrets: str) -> None:
        """These are never written, wherever they come from."""
        self._secrets += tuple(secret for secret in secrets if secret)

    def __call__(self, line: str) -> None:
        text = printable(line)
        for secret in self._secrets:
            text = text.replace(secret, "***")
        # The wall clock, for people alone: nothing here is decided by it.
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        with contextlib.suppress(OSError, ValueError):
            print(f"{now} bench-agent{' ' if self.name else ''}{self.name}: {text}", file=sys.stderr, flush=True)
