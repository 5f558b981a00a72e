"""What a running search shows: a live view on a terminal, plain lines elsewhere, JSON lines for machines."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

# Between two lines of progress of the same thing where there is no terminal.
_QUIET_S = 10.0


class RunningStudy(Protocol):
    """What is shown of a study under way (bench.study.session.Session)."""

    def snapshot(self) -> Mapping[str, Any]:
        """`name`, `done`, `budget`, `failed`, `objectives`, `front` (number and values), `hypervolume`, `reference`,
        `seconds`, `seconds_left` (None while unknown) and `jobs` (number, rung and state of what runs)."""


class Display:
    """Shows events as they come; a context manager, so that the terminal is left in order."""

    def __init__(self, *, as_json: bool, console: Console | None = None) -> None:
        self.study_name: str | None = None
        self._console = console or Console(stderr=not as_json)
        self._as_json = as_json
        # Kept, since Ray's own words are turned away from it while a search runs.
        self._out = sys.stdout
        self._live: Live | None = None
        self._log: list[str] = []
        self._last_line = -_QUIET_S

    def __enter__(self) -> Display:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the live view; its last state stays on the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def begin(self, name: str) -> None:
        """The study's name, as soon as it can be resumed by it."""
        self.study_name = name
        if self._as_json:
            self._print({"event": "study", "study": name})
        else:
            self._line(f"study {name}")

    def progress(self, what: str, done: int, total: int) -> None:
        """Preparation before the first trial."""
        if self._as_json:
            self._print({"event": "preparing", "what": what, "done": done, "total": total})
        elif self._console.is_terminal:
            self._show(Text(f"preparing {what}: {done:,} of {total:,}"))
        elif done == total or time.monotonic() - self._last_line >= _QUIET_S:
            self._last_line = time.monotonic()
            self._line(f"preparing {what}: {done:,} of {total:,}")

    def event(self, study: RunningStudy, kind: str, data: Mapping[str, Any]) -> None:
        """One event of a study under way."""
        view = study.snapshot()
        self.study_name = str(view["name"])
        if self._as_json:
            if kind != "training":
                summary = {
                    key: view[key] for key in ("done", "budget", "failed", "hypervolume", "seconds", "seconds_left")
                }
                self._print({"event": kind, "study": view["name"], **data, "progress": summary})
            return
        text = _sentence(kind, data)
        if self._console.is_terminal:
            if text:
                self._log = [*self._log[-5:], text]
            self._show(_screen(view, self._log))
        elif text:
            self._line(f"{_clock(view['seconds'])}  {_counts(view)}  {text}")

    def _show(self, content: Any) -> None:
        if self._live is None:
            self._live = Live(content, console=self._console, refresh_per_second=4, transient=False)
            self._live.start()
        else:
            self._live.update(content)

    def _line(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _print(self, data: Mapping[str, Any]) -> None:
        self._out.write(json.dumps(data) + "\n")
        self._out.flush()


def _screen(view: Mapping[str, Any], log: list[str]) -> Group:
    front = Table(title=f"front ({len(view['front'])})", title_justify="left", box=None, pad_edge=False)
    for place, name in enumerate(("trial", *view["objectives"])):
        front.add_column(name, justify="right" if place else "left")
    for number, values in view["front"][-12:]:
        front.add_row(f"#{number}", *(f"{value:.4g}" for value in values))
    jobs = [Text(f"  #{number} to rung {rung} {state}") for number, rung, state in view["jobs"]]
    return Group(Text(_headline(view)), front, Text("running"), *jobs, *(Text(line, style="dim") for line in log))


def _headline(view: Mapping[str, Any]) -> str:
    hypervolume = "-" if view["hypervolume"] is None else f"{view['hypervolume']:.5g}"
    corner = ", ".join(f"{name} {value:.4g}" for name, value in view["reference"].items())
    left = "" if view["seconds_left"] is None else f", about {_clock(view['seconds_left'])} left"
    return (
        f"{view['name']}   {_counts(view)}   hypervolume {hypervolume} (against {corner})   "
        f"{_clock(view['seconds'])}{left}"
    )


def _counts(view: Mapping[str, Any]) -> str:
    return f"{view['done']}/{view['budget']} done, {len(view['jobs'])} running, {view['failed']} failed"


def _sentence(kind: str, data: Mapping[str, Any]) -> str | None:
    number = data.get("number")
    match kind:
        case "timing":
            return f"#{number} is prepared and timed ({data['source']})"
        case "started" if data["rung"] == 0:
            return f"#{number} is trained ({data['source']})"
        case "started":
            return f"#{number} goes on to rung {data['rung']}"
        case "measured" if data["summary"]:
            found = data["summary"]
            return (
                f"#{number} takes {found['comparable_ms']:.2f} ms "
                f"[{found['comparable_low_ms']:.2f}, {found['comparable_high_ms']:.2f}], "
                f"{found['ratio_to_reference']:.2f} x T8"
            )
        case "scored":
            return f"#{number} has accuracy {data['accuracy']:.4f} at rung {data['rung']}"
        case "failed":
            return f"#{number} failed: {data['reason']}"
        case "finished":
            return "finished" if data["reason"] is None else f"stopped: {data['reason']}"
        case _:
            return None


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"
