"""Wakes requests that wait for something to change, without anyone asking again and again.

A waiting request hangs up a bell under a name (a runner's id, a job's), looks, and sleeps until the bell rings. The
bell hangs before the look, so that no change between the two is missed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class Bells:
    """Bells by name; they hang on one event loop and are rung from any thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._hanging: dict[str, set[asyncio.Event]] = {}
        self.is_closed = False

    @contextmanager
    def listening(self, name: str) -> Iterator[asyncio.Event]:
        """A bell of that name for as long as it is listened to; called on the event loop."""
        self._loop = asyncio.get_running_loop()
        bell = asyncio.Event()
        hanging = self._hanging.setdefault(name, set())
        hanging.add(bell)
        try:
            yield bell
        finally:
            hanging.discard(bell)
            if not hanging and self._hanging.get(name) is hanging:
                del self._hanging[name]

    def ring(self, name: str) -> None:
        """Wakes whoever listens to that name; for any thread, and cheap where nobody does."""
        self._on_loop(lambda: self._ring(name))

    def close(self) -> None:
        """Wakes everyone for good: the hub ends."""
        self.is_closed = True
        self._on_loop(self._ring_all)

    def _ring_all(self) -> None:
        for name in tuple(self._hanging):
            self._ring(name)

    def _ring(self, name: str) -> None:
        for bell in self._hanging.get(name, ()):
            bell.set()

    def _on_loop(self, call: Callable[[], object]) -> None:
        # Without a loop nobody has listened yet, and whoever is about to looks after hanging up the bell.
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
                self._loop.call_soon_threadsafe(call)


async def either(bell: asyncio.Event, gone: asyncio.Task[None], *, timeout_s: float) -> None:
    """Sleeps until the bell rings, the other side is gone, or the time is over."""
    ringing = asyncio.ensure_future(bell.wait())
    try:
        await asyncio.wait((ringing, gone), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ringing.cancel()
