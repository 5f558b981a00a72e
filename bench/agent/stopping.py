"""SIGTERM, SIGINT and SIGHUP: a wait is broken off, anything else goes on to where it can be ended cleanly."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Stopped(BaseException):
    """The agent was asked to end; no Exception, so that nothing takes it for a failure."""


class Stop:
    """Whether the agent was asked to end. Only a flag is set in the handler: locks are not safe there."""

    def __init__(self) -> None:
        self.is_asked = False
        self._is_waiting = False

    def listen(self) -> None:
        """Takes the signals on; one that the caller ignores (`nohup`) stays ignored. For the main thread."""
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    @contextlib.contextmanager
    def may_interrupt(self) -> Iterator[None]:
        """What is done within is broken off by a signal.

        Raises:
            Stopped: by one that came before or comes now.
        """
        try:
            self._is_waiting = True
            if self.is_asked:  # after the line above: one that comes between the two must not be missed
                raise Stopped
            yield
        finally:
            self._is_waiting = False

    def _on_signal(self, *_: object) -> None:
        self.is_asked = True
        if self._is_waiting:
            raise Stopped
