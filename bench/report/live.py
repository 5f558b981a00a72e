"""What a running search shows: a live view on a terminal, plain lines elsewhere, JSON lines for machines."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bench.store import SUPERNET, ZERO_COST

# Between two lines of progress of the same thing where there is no terminal.
_QUIET_S = 10.0


class RunningStudy(Protocol):
    """What is shown of a study under way (bench.study.session.Session)."""

    def snapshot(self) -> Mapping[str, Any]:
        """`name`, `done`, `budget`, `failed`, `objectives`, `front` (number and values), `hypervolume`, `reference`,
        `seconds`, `seconds_left` (None while unknown), `jobs` (number, rung and state of what runs; rung None:
        the front is trained again), `again` (trainings of it to come), `away` (runner,
        numbers and state of what registered runners time) and `waiting` (why, by runner)."""


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
            if kind != "training" and data.get("is_new", True):
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
    jobs = [
        Text(f"  #{number} {'with a fresh seed' if rung is None else f'to rung {rung}'} {state}")
        for number, rung, state in view["jobs"]
    ]
    jobs += [Text(f"  {_numbers(numbers)} on {runner}: {state}") for runner, numbers, state in view["away"]]
    jobs += [Text(f"  {_waiting(runner, reason)}", style="yellow") for runner, reason in view["waiting"].items()]
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
    away = len({number for _, numbers, _ in view["away"] for number in numbers})
    sent = f", {away} sent" if away else ""
    new = view["budget"] - view["done"]
    left = view.get("again") if not new else None
    again = f", {left} training{'s' if left > 1 else ''} with fresh seeds to come" if left else ""
    return f"{view['done']}/{view['budget']} done, {len(view['jobs'])} running{sent}, {view['failed']} failed{again}"


def _sentence(kind: str, data: Mapping[str, Any]) -> str | None:
    number = data.get("number")
    match kind:
        case "timing":
            return f"#{number} is prepared{' and timed' if data['is_here'] else ''} ({data['source']})"
        case "started" if data["rung"] == 0:
            return f"#{number} is {'trained' if data['is_trained'] else 'looked at'} ({data['source']})"
        case "started":
            return f"#{number} goes on to rung {data['rung']}"
        case "measured" if data["summary"]:
            found = data["summary"]
            runner = data.get("runner", "cpu")
            return (
                f"#{number} takes {found['comparable_ms']:.2f} ms "
                f"[{found['comparable_low_ms']:.2f}, {found['comparable_high_ms']:.2f}]"
                f"{'' if runner == 'cpu' else f' on {runner}'}, {found['ratio_to_reference']:.2f} x T8"
            )
        case "away":
            return f"{_numbers(data['numbers'])} {_are(data['numbers'])} sent to {', '.join(data['runners'])}"
        case "waiting" if data["is_new"]:
            return _waiting(data["runner"], data["reason"])
        case "back":
            return f"{data['runner']} is back"
        case "scored":
            if ZERO_COST in data:
                return f"#{number} has zero-cost score {data[ZERO_COST]:.4f} (no accuracy: nothing was trained)"
            if SUPERNET in data:
                return f"#{number} has supernet accuracy {data[SUPERNET]:.4f} (shared weights, not trained alone)"
            return f"#{number} has accuracy {data['accuracy']:.4f} at rung {data['rung']}"
        case "retraining":
            return f"#{number} is trained again, seed {data['seed']}"
        case "retrained":
            return f"#{number} has accuracy {data['accuracy']:.4f} with seed {data['seed']}"
        case "retraining_failed":
            return f"#{number} failed with seed {data['seed']}: {data['reason']}"
        case "turned_away":
            return f"#{number} is not trained: it {data['reason']}"
        case "failed":
            return f"#{number} failed: {data['reason']}"
        case "finished":
            return "finished" if data["reason"] is None else f"stopped: {data['reason']}"
        case _:
            return None


def _numbers(numbers: Sequence[int]) -> str:
    return " ".join(f"#{number}" for number in numbers)


def _are(numbers: Sequence[int]) -> str:
    return "is" if len(numbers) == 1 else "are"


def _waiting(runner: str, reason: str) -> str:
    return f"waiting for {runner} ({reason})"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"
