"""How long work shows on the command line: a bar on a terminal, a line now and then elsewhere, nothing for machines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

# Between two lines where there is no terminal.
_QUIET_S = 10.0


class Shown:
    """Takes steps done and words, and shows them.

    Work comes in stretches, such as sessions of measuring: one begins where something new is said, or where fewer steps
    are done than before. The time to go is told by what the stretch under way has taken.
    """

    def __init__(
        self,
        bar: Progress | None,
        console: Console,
        *,
        is_silent: bool,
        verb: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bar = bar
        self._console = console
        self._is_silent = is_silent
        self._verb = verb
        self._clock = clock
        self._task = None if bar is None else bar.add_task("starting", total=None)
        self._said = ""
        self._last = self._begin = self._seen = clock()
        self._begin_done = 0
        self._done: int | None = None

    def say(self, text: str) -> None:
        """What is being done now."""
        if text == self._said:
            return
        now = self._clock()
        self._begin_stretch(text, now)
        if self._bar is not None and self._task is not None:
            self._bar.reset(self._task, total=None, description=text)
        elif not self._is_silent and now - self._last >= _QUIET_S:
            self._last = now
            self._console.print(text, highlight=False, markup=False)

    def progress(self, done: int, total: int) -> None:
        """Steps done of all."""
        if self._done is not None and done < self._done:
            self._begin_stretch(self._said, self._seen)
            if self._bar is not None and self._task is not None:
                self._bar.reset(self._task, total=total)
        now = self._seen = self._clock()
        if self._done is None and done > 1:
            # What was done before, in an earlier call, took none of this time.
            self._begin, self._begin_done = now, done
        self._done = done
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=self._verb, completed=done, total=total)
        elif not self._is_silent and now - self._last >= _QUIET_S:
            self._last = now
            left = self._left_s(now, done, total)
            told = "" if left is None else f", about {left:.0f} s to go"
            self._console.print(f"{self._verb}: {done} of {total} steps{told}", highlight=False)

    def _begin_stretch(self, said: str, begin: float) -> None:
        self._said = said
        self._begin = begin
        self._begin_done = 0
        self._done = None

    def _left_s(self, now: float, done: int, total: int) -> float | None:
        """None while nothing of the stretch is done."""
        made = done - self._begin_done
        return (now - self._begin) / made * (total - done) if made > 0 else None


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
