"""How long work shows, by a clock that is moved by hand."""

from __future__ import annotations

import io

from rich.console import Console
from rich.progress import Progress, TextColumn

from bench.cli.progress import Shown


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def lines_of(*calls: tuple[float, int, int] | str) -> list[str]:
    """What is shown without a terminal for words, and for steps done of all after so many seconds each."""
    out, clock = io.StringIO(), Clock()
    shown = Shown(None, Console(file=out, width=200), is_silent=False, verb="measuring", clock=clock)
    for call in calls:
        if isinstance(call, str):
            shown.say(call)
        else:
            seconds, done, total = call
            clock.now += seconds
            shown.progress(done, total)
    return out.getvalue().splitlines()


def test_time_to_go_follows_from_the_time_taken() -> None:
    assert lines_of("waiting", (10, 1, 5), (2, 2, 5), (10, 3, 5)) == [
        "measuring: 1 of 5 steps, about 40 s to go",
        "measuring: 3 of 5 steps, about 15 s to go",
    ]


def test_a_session_is_told_by_its_own_time() -> None:
    """An hour of sessions before makes no second of this one longer."""
    first = ("first", (3600, 5, 5))
    assert lines_of(*first, "second", (10, 1, 5))[-1] == "measuring: 1 of 5 steps, about 40 s to go"
    assert lines_of("first", (3600, 1, 5), "second", (10, 1, 5))[-1] == "measuring: 1 of 5 steps, about 40 s to go"
    # Where nothing is said, fewer steps done tell that another has begun.
    assert lines_of(*first, (10, 1, 5), (10, 2, 5))[-1] == "measuring: 2 of 5 steps, about 30 s to go"


def test_the_same_words_again_are_no_new_stretch() -> None:
    assert lines_of("one", (10, 1, 5), "one", (10, 2, 5))[-1] == "measuring: 2 of 5 steps, about 30 s to go"


def test_words_are_a_line_where_nothing_was_told_for_long() -> None:
    out, clock = io.StringIO(), Clock()
    shown = Shown(None, Console(file=out, width=200), is_silent=False, verb="measuring", clock=clock)
    shown.say("preparing")
    clock.now += 12
    shown.say("waiting for pi5 (last seen 70 s ago)")
    clock.now += 3
    shown.say("waiting for pi5 (last seen 73 s ago)")
    assert out.getvalue().splitlines() == ["waiting for pi5 (last seen 70 s ago)"]


def test_what_was_done_before_took_no_time_now() -> None:
    told = lines_of("evaluating", (10, 900, 1000), (20, 910, 1000))
    assert told == ["measuring: 900 of 1000 steps", "measuring: 910 of 1000 steps, about 180 s to go"]


def test_a_bar_begins_again_with_each_stretch() -> None:
    clock = Clock()
    with Progress(TextColumn("{task.description}"), console=Console(file=io.StringIO())) as bar:
        shown = Shown(bar, bar.console, is_silent=False, verb="measuring", clock=clock)
        shown.say("preparing")
        assert bar.tasks[0].description == "preparing"
        shown.progress(4, 5)
        assert (bar.tasks[0].description, bar.tasks[0].completed, bar.tasks[0].total) == ("measuring", 4, 5)
        shown.say("another")
        assert bar.tasks[0].completed == 0


def test_machines_are_told_nothing() -> None:
    out, clock = io.StringIO(), Clock()
    shown = Shown(None, Console(file=out), is_silent=True, verb="measuring", clock=clock)
    clock.now += 100
    shown.progress(1, 2)
    assert out.getvalue() == ""
