"""How long work shows on the command line: a bar on a terminal, a line now and then elsewhere, nothing for machines."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

# Between two lines where there is no terminal.
_QUIET_S = 10.0


class Shown:
    """Takes steps done and words, and shows them."""

    def __init__(self, bar: Progress | None, console: Console, *, is_silent: bool, verb: str) -> None:
        self._bar = bar
        self._console = console
        self._is_silent = is_silent
        self._verb = verb
        self._task = None if bar is None else bar.add_task("starting", total=None)
        self._said = "starting"
        self._begin = self._last = time.monotonic()

    def say(self, text: str) -> None:
        """What is being done now."""
        self._said = text
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=text)

    def progress(self, done: int, total: int) -> None:
        """Steps done of all."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=self._verb, completed=done, total=total)
            return
        now = time.monotonic()
        if not self._is_silent and now - self._last >= _QUIET_S:
            self._last = now
            left = (now - self._begin) / max(done, 1) * (total - done)
            self._console.print(f"{self._verb}: {done} of {total} steps, about {left:.0f} s to go", highlight=False)


@contextmanager
def bar(*, as_json: bool, verb: str = "measuring") -> Iterator[Shown]:
    """What `Shown` draws on, on standard error: results alone belong to standard output.

    Args:
        as_json: nothing is shown.
        verb: what is done step by step.
    """
    console = Console(stderr=True)
    if as_json or not console.is_terminal:
        yield Shown(None, console, is_silent=as_json, verb=verb)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as shown:
        yield Shown(shown, console, is_silent=False, verb=verb)
